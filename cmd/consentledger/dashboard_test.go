package main

import (
	"bytes"
	"context"
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
