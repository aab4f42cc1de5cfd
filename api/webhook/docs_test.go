package webhook

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"consentledger/api/internal/npm"
	"consentledger/domain"
	"consentledger/domain/policy"
	"consentledger/eventstore/freeport"
)

// block returns the only block of code in a language of a page of docs.
func block(t *testing.T, page, language string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "```"+language+"\n")
	if len(parts) != 2 {
		t.Fatalf("%s has %d blocks of %s", page, len(parts)-1, language)
	}
	code, _, _ := strings.Cut(parts[1], "```")
	return code
}

// A program is a receiver that runs by itself.
type program struct {
	mu    sync.Mutex
	lines []string
}

func (p *program) says(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(strings.Join(p.lines, "\n"), text)
}

// start runs a program that listens where PORT says, and returns its address.
func start(t *testing.T, w *world, secret, port string, c *exec.Cmd) *program {
	t.Helper()
	c.Env = append(os.Environ(), append(c.Env, "WEBHOOK_SECRET="+secret, "PORT="+port)...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	p := new(program)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, lines.Text())
			p.mu.Unlock()
		}
	}()
	w.until("it listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return p
}

// TestTheReceiversOfTheDocs take what is sent, with the official libraries of two
// languages, and nothing that somebody else sends.
func TestTheReceiversOfTheDocs(t *testing.T) {
	const page = "../../docs/webhooks.md"
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	node := exec.Command("node", write("receiver.js", block(t, page, "js")))
	node.Env = []string{"NODE_PATH=" + npm.Modules(t)}
	built := filepath.Join(dir, "receiver")
	build := exec.Command("go", "build", "-o", built, write("receiver.go", block(t, page, "go")))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	for name, c := range map[string]*exec.Cmd{"node": node, "go": exec.Command(built)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.hooks.Pace.Failures = 1000
			port := strconv.Itoa(freeport.Port(t))
			h, secret := w.add("http://127.0.0.1:"+port+"/consents", 0)
			p := start(t, w, secret, port, c)
			w.withdraw("ada")
			w.record("demo", "bob", domain.RefuseConsent{Scope: policy.Scope{All: true}})
			w.run()
			w.until("both are taken", func() bool { return p.says("consent.withdrawn account:ada") && p.says("consent.refused account:bob") })
			w.until("it is well", func() bool { now := w.hook(h.ID); return now.State() == "well" && now.Position > 0 })

			// Signed with another secret, or not at all, it is refused.
			if _, _, err := w.hooks.Rotate(t.Context(), "demo", h.ID, 0); err != nil {
				t.Fatal(err)
			}
			w.until("only the new secret signs", func() bool {
				s, err := w.hooks.one(t.Context(), "demo", h.ID)
				return err == nil && len(s.keys) == 1
			})
			w.withdraw("cai")
			w.until("it is refused", func() bool { return w.hook(h.ID).Last == "the receiver answered 401" })
			forged, err := http.Post(h.URL, "application/json", strings.NewReader(`{"type":"consent.given"}`))
			if err != nil {
				t.Fatal(err)
			}
			forged.Body.Close()
			if forged.StatusCode != http.StatusUnauthorized || p.says("cai") {
				t.Errorf("what is not signed with the secret is answered %d; it says %q", forged.StatusCode, p.lines)
			}
		})
	}
}
