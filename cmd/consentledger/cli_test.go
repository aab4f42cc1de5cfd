package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"

	"github.com/spf13/cobra"
)

// Every command of the README's tour does what the README says, against a demo.
func TestTheTourOfTheReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n[^\n]*alias ledger=[^\n]*\n(.*?)```").FindSubmatch(readme)
	if block == nil {
		t.Fatal("the README has no tour")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "HOME="+t.TempDir())
	c, addr, err := launchChild("consentledger", env, root, "--demo", "--data", filepath.Join(t.TempDir(), "data-demo"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.end(); err != nil {
			t.Error(err)
		}
	}()
	r := &running{http: addr["HTTP"]}
	eventually(t, "withdrawn", func() string { return may(t, r, "user-4", "network-diagnosis") }) // the cast is through
	lines := 0
	for line := range strings.Lines(string(block[1])) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines++
			tour(t, root, append(env, "CONSENTLEDGER_SERVER="+r.http), r.http, line)
		}
	}
	if lines < 8 {
		t.Errorf("the tour has %d commands", lines)
	}
}

// ownApp returns what the README says about an app of one's own, a command each.
func ownApp(t *testing.T) (commands []string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, own, _ := strings.Cut(string(readme), "## Your own app\n")
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(own)
	if block == nil {
		t.Fatal("the README has no app of the reader's own")
	}
	for line := range strings.Lines(block[1]) {
		if line = strings.TrimSpace(line); line != "" {
			commands = append(commands, line)
		}
	}
	return commands
}

// What a newcomer does on their first day, from an empty folder: they make an app of their
// own as the README says, which records a consent; a person asks what is known of them, and
// an officer answers in a browser; an auditor verifies what was exported, when nothing runs
// any more, and finds what was changed in it.
func TestANewcomersFirstDay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := append(os.Environ(), "HOME="+dir)
	c, addr, err := launchChild(build(t), env, dir, "--data", "data")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.end(); err != nil {
			t.Error(err)
		}
	}()
	env = append(env, "CONSENTLEDGER_SERVER="+addr["HTTP"])
	do := func(line string) {
		t.Helper()
		tour(t, dir, env, addr["HTTP"], line)
	}
	own := ownApp(t)
	for _, line := range own {
		do(line)
	}
	if len(own) < 8 || len(own) > 12 {
		t.Errorf("it has %d commands", len(own))
	}

	do("ledger request open --app notes --subject user-1 --types access --channel email --text 'What do you know of me?'")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var said, log bytes.Buffer
	officer := exec.CommandContext(ctx, "node", filepath.Join("testdata", "newcomer.cjs"), chromium(t), addr["HTTP"])
	officer.Env = append(os.Environ(), "NODE_PATH="+nodeModules(t))
	officer.Stdout, officer.Stderr = &said, &log
	if err := officer.Run(); err != nil || said.Len() > 0 {
		t.Fatalf("the officer in the browser: %v: %s%s", err, &said, &log)
	}
	do("ledger replay --app notes --type request.answered | grep user-1 && exit 1; ledger replay --app notes --type request.answered | grep '\"outcome\":\"full\"'")

	do("ledger log show-key --data data --app notes | tee notes.vkey")
	do("until ledger export --app notes --out notes.zip && ledger verify bundle notes.zip --key notes.vkey | grep 'authentic'; do sleep 0.2; done")
	if err := c.end(); err != nil {
		t.Error(err)
	}
	do("ledger verify bundle notes.zip --key notes.vkey | grep 'authentic'")

	bundle, err := os.ReadFile(filepath.Join(dir, "notes.zip"))
	if err != nil {
		t.Fatal(err)
	}
	bundle[len(bundle)/2] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "changed.zip"), bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := cli(t, nil, "verify", "bundle", filepath.Join(dir, "changed.zip"), "--key", filepath.Join(dir, "notes.vkey")); err == nil {
		t.Errorf("a bundle that was changed verifies: %s", out)
	}
}

// tour runs one line. Its comment may name the exit code.
func tour(t *testing.T, dir string, env []string, server, line string) {
	t.Helper()
	want := 0
	if m := regexp.MustCompile(`# .*exit code (\d+)`).FindStringSubmatch(line); m != nil {
		want, _ = strconv.Atoi(m[1])
	}
	line = strings.ReplaceAll(line, "http://127.0.0.1:8080", server)
	if url, ok := strings.CutPrefix(line, "curl -s "); ok {
		url, _, _ = strings.Cut(url, " ")
		if code, v := get(t, strings.Trim(url, "'")); code != http.StatusOK {
			t.Errorf("%s: %d %v", line, code, v)
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `ledger() { consentledger "$@"; }; `+line)
	var out, wrong bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &out, &wrong
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want || out.Len() == 0 {
		t.Errorf("%s\n%v, want %d\n%s%s", line, err, want, &out, &wrong)
	}
}

// No verb that names a person puts the name into a URL, where proxies log it.
func TestIDsStayOutOfURLs(t *testing.T) {
	var mu sync.Mutex
	var asked, bodies strings.Builder
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		asked.WriteString(r.URL.String() + "\n")
		bodies.Write(body)
		io.WriteString(w, "{}\n")
	}))
	defer s.Close()
	verbs := [][]string{
		{"record", "--app", "smartkey", "--type", "consent.withdrawn", "--subject", "ada-1815", "--data", `{"all":true}`},
		{"check", "--app", "smartkey", "--subject", "ada-1815", "--purpose", "personalisation"},
		{"state", "--app", "smartkey", "--subject", "ada-1815"},
		{"replay", "--app", "smartkey", "--subject", "ada-1815"},
	}
	for _, args := range verbs {
		cli(t, &running{http: s.URL}, args...) // the answer is no answer
	}
	mu.Lock()
	defer mu.Unlock()
	if n := strings.Count(asked.String(), "\n"); n != len(verbs) || strings.Contains(asked.String(), "1815") {
		t.Errorf("%d requests:\n%s", n, &asked)
	}
	if n := strings.Count(bodies.String(), "ada-1815"); n != len(verbs) {
		t.Errorf("%d bodies name the person: %s", n, &bodies)
	}
}

// A history that breaks off is never taken for a whole one.
func TestAHistoryThatBreaksOffIsAnError(t *testing.T) {
	whole := `{"event_id":"1"}` + "\n"
	for name, answer := range map[string]func(http.ResponseWriter){
		"by the ledger": func(w http.ResponseWriter) {
			io.WriteString(w, whole+`{"error":{"status":503,"code":"outcome-unknown","detail":"ask again"}}`+"\n")
		},
		"in a line": func(w http.ResponseWriter) { io.WriteString(w, whole+`{"event_id":`) },
		"by the network": func(w http.ResponseWriter) {
			io.WriteString(w, whole)
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w) }))
		out, err := cli(t, &running{http: s.URL}, "replay")
		if code := exit.Code(t.Context(), err); out != whole || code != exit.CodeUnavailable {
			t.Errorf("%s: exit code %d: %v\n%s", name, code, err, out)
		}
		s.Close()
	}
}

func TestNoCellIsAFormulaOrSteersTheTerminal(t *testing.T) {
	cells := []string{"=1+1", "+1", "-1", "@a", "\tx", "\rx", "plain", `say "no", please`, "a=b", "-", "\x1b[2J", "two\nlines"}
	var rows []json.RawMessage
	for _, text := range cells {
		rows = append(rows, output.Object(map[string]any{"a": text, "n": json.Number("1000000")}))
	}
	print := func(form string) string {
		c := &cobra.Command{}
		output.Flag(c)
		if err := c.Flags().Set("output", form); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		c.SetOut(&out)
		if err := output.Rows(c, rows, "a", "n"); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	read, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(print("csv"), "\ufeff"))).ReadAll()
	if err != nil || len(read) != len(cells)+1 {
		t.Fatalf("%v, %v", read, err)
	}
	for i, text := range cells {
		want := text
		if strings.IndexAny(text, "=+-@\t\r") == 0 {
			want = "'" + text
		}
		if got := read[i+1]; got[0] != want || got[1] != "1000000" {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if shown := print("table"); strings.ContainsAny(shown, "\x1b\t\r") || strings.Count(shown, "\n") != len(cells)+4 {
		t.Errorf("%q", shown)
	}
}

// The linker's stamp is the version; without one the build tells.
func TestVersion(t *testing.T) {
	t.Parallel()
	if out, err := exec.CommandContext(t.Context(), build(t), "version").Output(); err != nil || string(out) != "consentledger v9.9.9\n" {
		t.Errorf("%s, %v", out, err)
	}
}

// Package pflag reads 010 as eight.
func TestANumberIsWrittenInOneWay(t *testing.T) {
	for _, args := range [][]string{
		{"void", "preview", "--limit", "010"}, {"void", "preview", "--limit", "+5"}, {"void", "preview", "--limit", "0x10"},
		{"log", "fetch-proof", "--index", "1_0"}, {"log", "fetch-proof", "--index", "01"}, {"calendar", "show", "2026", "--version", "01"},
	} {
		c, rest, err := newRoot().Find(args)
		if err == nil {
			err = c.FlagErrorFunc()(c, c.ParseFlags(rest))
		}
		if usage, is := errors.AsType[exit.UsageError](err); !is || !strings.Contains(usage.Error(), "without a plus sign") {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, args := range [][]string{{"void", "preview", "--limit", "10"}, {"log", "fetch-proof", "--index", "0"}} {
		c, rest, err := newRoot().Find(args)
		if err == nil {
			err = c.ParseFlags(rest)
		}
		if err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}
