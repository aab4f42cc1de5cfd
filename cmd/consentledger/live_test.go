package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/live"
)

// TestPagesStayNew looks at them in a real browser, which waits for each record that comes.
func TestPagesStayNew(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), false)
	for _, args := range [][]string{
		{"app", "add", "shop", "--handler", "Demo Ltd"},
		{"policy", "publish", "--app", "shop", "smartkey/policy.yaml"},
		{"record", "--app", "shop", "--type", "consent.withdrawn", "--subject", "ada", "--data", `{"all":true}`},
		{"request", "open", "--app", "shop", "--subject", "ada", "--types", "question", "--channel", "email"},
	} {
		if out, err := cli(t, r, args...); err != nil {
			t.Fatalf("%v: %s %v", args, out, err)
		}
	}

	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	args := []string{filepath.Join("testdata", "live.cjs"), chromium(t), r.http}
	if dir := os.Getenv("CONSENTLEDGER_PICTURES"); dir != "" {
		args = append(args, dir)
	}
	c := exec.CommandContext(ctx, "node", args...)
	c.Env = append(os.Environ(), "NODE_PATH="+nodeModules(t))
	var log bytes.Buffer
	c.Stderr = &log
	says, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	hears, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for in := bufio.NewScanner(says); in.Scan(); {
		what, rest, _ := strings.Cut(in.Text(), " ")
		if what != "ready" {
			t.Error(in.Text())
			continue
		}
		n++
		who := fmt.Sprintf("person-%d", n)
		record := []string{"record", "--app", "shop", "--type", "consent.withdrawn", "--subject", who, "--data", `{"all":true}`}
		if rest == "request" {
			record = []string{"request", "open", "--app", "shop", "--subject", who, "--types", "question", "--channel", "email"}
		}
		if out, err := cli(t, r, record...); err != nil {
			t.Errorf("%v: %s %v", record, out, err)
		}
		if _, err := io.WriteString(hears, "done\n"); err != nil {
			t.Error(err)
		}
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	looks := 2
	if os.Getenv("CONSENTLEDGER_ROUNDS") != "" {
		looks = 4
	}
	if n != 4*looks {
		t.Errorf("%d records were asked for", n)
	}
}

// TestAStreamEndsWithItsKey and with the server, and there are not too many.
func TestAStreamEndsWithItsKey(t *testing.T) {
	t.Parallel()
	g := guard(t)
	key := g.issue("--role", string(auth.Viewer), "--app", "shop", "--days", "1")
	open := func(path, credential string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", g.running.http+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/event-stream")
		r.SetBasicAuth("somebody", credential)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		return answer
	}

	var streams []*http.Response
	for range live.Each {
		answer := open("/ui/live?app=shop", key.Key)
		if answer.StatusCode != 200 || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
			t.Fatalf("%d %v", answer.StatusCode, answer.Header)
		}
		streams = append(streams, answer)
	}
	if answer := open("/ui/live?app=shop", key.Key); answer.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one more: %d", answer.StatusCode)
	}
	if answer := open("/ui/live?app=bank", key.Key); answer.StatusCode != http.StatusNotFound {
		t.Errorf("of another app: %d", answer.StatusCode)
	}
	if answer := open("/ui/live?app=shop", "nobody's"); answer.StatusCode != 401 || answer.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("with no key: %d %v", answer.StatusCode, answer.Header)
	}

	if code, text := g.ask(g.admin, "POST", "/v1/access/keys/"+key.ID+"/revoke", "{}"); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	for _, s := range streams {
		if text, err := io.ReadAll(s.Body); err != nil || !strings.Contains(string(text), "not-allowed") { // it ends
			t.Errorf("%s, %v", text, err)
		}
	}

	other := open("/ui/live?app=shop", g.keys[auth.Officer].Key)
	if err := g.running.stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	if text, err := io.ReadAll(other.Body); err != nil || !strings.Contains(string(text), "closing") {
		t.Errorf("%s, %v", text, err)
	}
}
