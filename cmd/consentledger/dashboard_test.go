package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	pictures "image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// demoHasPages walks the dashboard of a demo in a real browser. CONSENTLEDGER_PICTURES
// names a directory for a picture of each page.
func demoHasPages(t *testing.T, r *running) {
	t.Helper()
	publishScreen(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	var said, log bytes.Buffer
	args := []string{filepath.Join("testdata", "walk.cjs"), chromium(t), r.http}
	if dir := os.Getenv("CONSENTLEDGER_PICTURES"); dir != "" {
		args = append(args, dir)
	}
	c := exec.CommandContext(ctx, "node", args...)
	c.Env = append(os.Environ(), "NODE_PATH="+nodeModules(t))
	c.Stdout, c.Stderr = &said, &log
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	walked := 2
	if os.Getenv("CONSENTLEDGER_ROUNDS") != "" {
		walked = 4
	}
	for line := range strings.Lines(said.String()) {
		t.Error(strings.TrimSpace(line))
	}

	// Who looked at a person is recorded, and why.
	looked, err := cli(t, r, "replay", "--app", "smartkey", "--type", "data.accessed")
	if err != nil || !strings.Contains(looked, `"audit"`) {
		t.Errorf("what was looked at: %s, %v", looked, err)
	}

	// A request was answered from its page, once in each look, and by nobody else without a key: the story has its own names.
	answered, err := cli(t, r, "replay", "--app", "smartkey", "--type", "request.answered")
	if err != nil || strings.Count(answered, `"recorded_by":"unauthenticated"`) != walked {
		t.Errorf("what was answered: %s, %v", answered, err)
	}
}

// publishScreen publishes a screen of the demo's app with its picture, as whoever builds the app
// does, and takes the picture back.
func publishScreen(t *testing.T, r *running) {
	t.Helper()
	dir := t.TempDir()
	surface := writeScreen(t, dir)
	if out, err := cli(t, r, "surface", "publish", "--app", "smartkey", surface); err != nil {
		t.Fatalf("%s %v", out, err)
	}
	out, err := cli(t, r, "surface", "add-picture", "--app", "smartkey", filepath.Join(dir, "welcome.png"), "--dry-run", "-o", "jsonl")
	if err != nil || !strings.Contains(out, `"dry_run":true`) || !strings.Contains(out, `"width":300`) {
		t.Errorf("%s %v", out, err)
	}
	out, err = cli(t, r, "surface", "add-picture", "--app", "smartkey", filepath.Join(dir, "welcome.png"), "-o", "json")
	if err != nil || !strings.Contains(out, `"image/png"`) {
		t.Errorf("%s %v", out, err)
	}
	shot := grey(t, 300, 200)
	hash := fmt.Sprintf("sha256:%x", sha256.Sum256(shot))
	if kept, err := cli(t, r, "call", "GET", "/v1/blobs/"+hash); err != nil || kept != string(shot) {
		t.Errorf("what is kept is another picture: %d bytes, %v", len(kept), err)
	}
	if out, err := cli(t, r, "surface", "add-picture", "--app", "smartkey", surface); err == nil || !strings.Contains(err.Error(), "no picture") {
		t.Errorf("%s %v", out, err)
	}
}

// writeScreen writes the file of a screen of the smartkey app, and the picture beside it.
func writeScreen(t *testing.T, dir string) (surface string) {
	t.Helper()
	shot := grey(t, 300, 200)
	surface = filepath.Join(dir, "surface.yaml")
	for name, text := range map[string]string{"welcome.png": string(shot), "surface.yaml": fmt.Sprintf(`schema: surface/1
build: "5.3"
screen: welcome
policy: privacy
approver: counsel
signing: "sha256:%064d"
locales: [{locale: en, picture: welcome.png, strings: {"yes": Agree, "no": Do not agree}}]
controls:
  - {id: agree, label: "yes", act: agree-popup, initial: button}
  - {id: refuse, label: "no", initial: button, refuses: true}
`, 1)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return surface
}

// grey is a PNG with nothing on it.
func grey(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, pictures.NewGray(pictures.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
