package audit

import (
	"bufio"
	"crypto/ed25519"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"consentledger/eventstore/freeport"
	"consentledger/projections/transparency/merkle"

	"filippo.io/torchwood"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	_ "modernc.org/sqlite"
)

// A litewitness is Torchwood's, in a process of its own.
type litewitness struct {
	t    *testing.T
	url  string
	vkey string
}

// startWitness starts a witness that knows our log and nothing of it yet.
func startWitness(t *testing.T, vkey string) *litewitness {
	t.Helper()
	dir, err := os.MkdirTemp("", "w") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	fingerprint := startAgent(t, filepath.Join(dir, "agent"))
	addr := freeport.Address(t)
	db := filepath.Join(dir, "witness.db")
	c := exec.Command(tool(t, "litewitness"), "-ssh-agent="+filepath.Join(dir, "agent"), "-key="+fingerprint, "-name=witness.example.com", "-db="+db, "-listen="+addr)
	out, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &litewitness{t: t, url: "http://" + addr}
	lines := bufio.NewScanner(out)
	for w.vkey == "" && lines.Scan() {
		if m := regexp.MustCompile(`vkey=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			w.vkey = strings.Trim(m[1], `"`)
		}
	}
	gone := make(chan struct{})
	go func() {
		io.Copy(io.Discard, out)
		c.Wait()
		close(gone)
	}()
	t.Cleanup(func() {
		c.Process.Kill()
		<-gone
	})
	w.introduce(db, vkey)
	w.listens(addr)
	return w
}

// listens waits until the witness takes connections: it says its key before.
func (w *litewitness) listens(addr string) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the witness does not listen: %v", err)
		}
	}
}

// startAgent starts an agent that holds the witness's key, and returns what
// the key is called.
func startAgent(t *testing.T, socket string) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, c)
		}
	}()
	return ssh.FingerprintSHA256(signer.PublicKey())
}

// introduce does what the witness's operator does: it names a log and its key.
// The operator's own tool does not build from the proxy.
func (w *litewitness) introduce(db, vkey string) {
	w.t.Helper()
	d, err := sql.Open("sqlite", "file:"+db+"?_pragma=busy_timeout(10000)")
	if err != nil {
		w.t.Fatal(err)
	}
	defer d.Close()
	var empty merkle.Edge
	if _, err := d.Exec("INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)", base+"/demo", empty.Root().String()); err != nil {
		w.t.Fatal(err)
	}
	if _, err := d.Exec("INSERT INTO key (origin, key) VALUES (?, ?)", base+"/demo", vkey); err != nil {
		w.t.Fatal(err)
	}
}

// ask shows the witness a checkpoint and returns what it says.
func (w *litewitness) ask(old int64, proof tlog.TreeProof, checkpoint []byte) (int, string) {
	w.t.Helper()
	body := fmt.Sprintf("old %d\n", old)
	for _, h := range proof {
		body += h.String() + "\n"
	}
	resp, err := http.Post(w.url+"/add-checkpoint", "text/plain", strings.NewReader(body+"\n"+string(checkpoint)))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// consistency proves that our log of one size begins with that of another,
// from the tiles that are served.
func (h *testServer) consistency(old int64, checkpoint []byte) tlog.TreeProof {
	h.t.Helper()
	v, err := note.NewVerifier(h.vkey())
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := merkle.Open(checkpoint, v, base+"/demo")
	if err != nil {
		h.t.Fatal(err)
	}
	tr, err := torchwood.NewTileFetcher(h.url)
	if err != nil {
		h.t.Fatal(err)
	}
	proof, err := tlog.ProveTree(c.Size, old, torchwood.TileHashReaderWithContext(h.t.Context(), tlog.Tree{N: c.Size, Hash: c.Root}, tr))
	if err != nil {
		h.t.Fatal(err)
	}
	return proof
}

// fork signs, with our key, a checkpoint over records that are not ours.
func (h *testServer) fork(records [][]byte) ([]byte, merkle.Edge) {
	h.t.Helper()
	skey, err := os.ReadFile(filepath.Join(h.dir, "keep", "demo.key"))
	if err != nil {
		h.t.Fatal(err)
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(skey)))
	if err != nil {
		h.t.Fatal(err)
	}
	var e merkle.Edge
	for _, r := range records {
		e.Append(r, func(merkle.Tile, []byte) {})
	}
	signed, err := merkle.Sign(merkle.Checkpoint{Origin: base + "/demo", Size: e.Size, Root: e.Root()}, signer)
	if err != nil {
		h.t.Fatal(err)
	}
	return signed, e
}

// TestWitness: a witness that is not ours cosigns our log as it grows, and
// refuses a fork and a log that was rolled back, though our own key signed
// them.
func TestWitness(t *testing.T) {
	h := newTestServer(t)
	records := someRecords(900)
	h.add(records[:300]...)
	w := startWitness(t, h.vkey())
	_, first := h.get("/checkpoint")
	if status, text := w.ask(0, nil, first); status != 200 {
		t.Fatalf("the first checkpoint: %d %s", status, text)
	}
	h.add(records[300:700]...)
	_, second := h.get("/checkpoint")
	proof := h.consistency(300, second)
	status, cosignature := w.ask(300, proof, second)
	if status != 200 {
		t.Fatalf("the log has grown: %d %s", status, cosignature)
	}
	h.cosigned(second, cosignature, w.vkey)

	if status, text := w.ask(700, nil, first); status != 400 {
		t.Errorf("rolled back to 300: %d %s", status, text)
	}
	if status, text := w.ask(300, nil, first); status != 409 || text != "700\n" {
		t.Errorf("rolled back to 300, by its size: %d %s", status, text)
	}
	other := append(append([][]byte{}, records[:699]...), []byte(`{"n":"another"}`))
	forked, _ := h.fork(other)
	if status, text := w.ask(700, nil, forked); status != 422 {
		t.Errorf("another root for 700: %d %s", status, text)
	}
	h.add(records[700:]...)
	_, third := h.get("/checkpoint")
	grown, _ := h.fork(append(other, records[700:]...))
	if status, text := w.ask(700, h.consistency(700, third), grown); status != 422 {
		t.Errorf("a fork that grows: %d %s", status, text)
	}
	if status, text := w.ask(700, h.consistency(700, third), third); status != 200 {
		t.Errorf("the true log after the forks: %d %s", status, text)
	}
}

// cosigned wants our checkpoint with the witness's line to satisfy a policy
// that asks for both, and our own reader still.
func (h *testServer) cosigned(checkpoint []byte, line, vkey string) {
	h.t.Helper()
	ours, err := note.NewVerifier(h.vkey())
	if err != nil {
		h.t.Fatal(err)
	}
	theirs, err := torchwood.NewCosignatureVerifier(vkey)
	if err != nil {
		h.t.Fatal(err)
	}
	both := append(append([]byte{}, checkpoint...), line...)
	policy := torchwood.ThresholdPolicy(3, torchwood.OriginPolicy(base+"/demo"), torchwood.SingleVerifierPolicy(ours), torchwood.SingleVerifierPolicy(theirs))
	if _, _, err := torchwood.VerifyCheckpoint(both, policy); err != nil {
		h.t.Errorf("the cosigned checkpoint: %v", err)
	}
	if _, _, err := torchwood.VerifyCheckpoint(checkpoint, policy); err == nil {
		h.t.Error("without the cosignature the policy is satisfied")
	}
	if c, err := merkle.Open(both, ours, base+"/demo"); err != nil || c.Size != 700 {
		h.t.Errorf("read by us it is of %d records: %v", c.Size, err)
	}
}
