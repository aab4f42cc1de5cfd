package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The commands of docs/backup.md are run as they stand there, one block after the other,
// in one shell; only the directories are others.
func TestTheRunbookOfBackups(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/backup.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 6 {
		t.Fatalf("docs/backup.md has %d blocks of commands, want 6", len(blocks))
	}
	work := t.TempDir()
	at := strings.NewReplacer("/mnt/safe", filepath.Join(work, "safe"), "/etc/consentledger", filepath.Join(work, "etc"),
		"/var/backups", filepath.Join(work, "backups"), "/var/tmp", filepath.Join(work, "tmp"))
	for _, dir := range []string{"safe", "etc", "tmp"} {
		if err := os.Mkdir(filepath.Join(work, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}

	program := build(t)
	env := append(os.Environ(), "PATH="+filepath.Dir(program)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	c, addr, err := launchChild(program, env, work, "--data", "data")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.end(); err != nil {
			t.Error(err)
		}
	}()
	shop, err := filepath.Abs("testdata/shop/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	script := `set -e
consentledger app add shop --handler 'Shop Ltd'
consentledger policy publish --app shop ` + shop + `
consentledger record --app shop --type consent.given --subject wilhelmina --data '{"act":"agree","purposes":["ads"]}' --wait-sealed
`
	for i, b := range blocks {
		if strings.Contains(b[1], "--checkpoint shop.checkpoint") {
			// What a monitor has by then: the log of the backup, since nothing was recorded after it.
			script += `curl -sf "$CONSENTLEDGER_SERVER/log/shop/checkpoint" > shop.checkpoint` + "\n"
		}
		script += "echo block " + string(rune('1'+i)) + "\n" + at.Replace(b[1])
	}
	sh := exec.Command("sh", "-c", script)
	sh.Dir, sh.Env = work, append(env, "CONSENTLEDGER_SERVER="+addr["HTTP"])
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(work, "data-new", "FORMAT")); err != nil || !strings.Contains(string(out), "backups that were made before") {
		t.Errorf("%v\n%s", err, out)
	}
}
