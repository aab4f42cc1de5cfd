package main

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/verifier"
)

// Whoever names a directory, a device or a socket where a file is wanted is told which
// argument it was, and what would be right; at once, and before anything is asked.
func TestWhatIsNoFileIsRefusedByTheNameOfItsArgument(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const key = "logs.example.com/consent/shop+e253a895+AapsqFxdT2w8/t/3SPVtnvtH++meqiiafOdG6rJYYE5E"
	for _, c := range []struct {
		argument string
		args     string // X is what is no file
	}{
		{"FILE", "policy lint X"},
		{"FILE", "policy publish --app shop X"},
		{"FILE", "policy diff --app shop X"},
		{"--file", "policy diff --app shop --file X"},
		{"FILE", "surface publish --app shop X"},
		{"FILE", "record --app shop X"},
		{"--sign", "record --app shop --type consent.given --subject ada --sign X --signer a"},
		{"--rules-file", "deadline list-rules --rules-file X"},
		{"FILE", "verify receipt X --key " + key},
		{"FILE", "verify proof X --key " + key},
		{"FILE", "verify bundle X --key " + key},
		{"--key", "verify bundle b.zip --key X"},
		{"--policy", "verify bundle b.zip --policy X"},
		{"--memory", "verify log http://127.0.0.1:1 --memory X --key " + key},
		{"--evidence", "obligation meet --app shop stream obligation --evidence X"},
		{"--document", "request open --app shop --subject ada --types access --channel email --document X"},
	} {
		for path, want := range map[string]string{dir: "a directory", "/dev/zero": "a device", filepath.Join(dir, "socket"): "a socket"} {
			args := strings.Fields(c.args)
			for i, a := range args {
				if a == "X" {
					args[i] = path
				}
			}
			_, err := cli(t, nil, args...)
			if err == nil || exit.Code(t.Context(), err) != exit.CodeUsage || !strings.HasPrefix(err.Error(), c.argument+": ") || !strings.Contains(err.Error(), "this is "+want) {
				t.Errorf("%q: %v, want %s: ... this is %s", args, err, c.argument, want)
			}
		}
	}
}

// A file that is to be written is looked at before anything is asked. An export takes
// the place of a file, never that of a device or a pipe, and is written where a link
// leads.
func TestWhatIsWrittenTakesThePlaceOfNoDevice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"to-old": "old", "to-pipe": "pipe", "to-nothing": "nothing"} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, t.TempDir(), false)
	furnish(t, r)
	for args, flag := range map[string]string{
		"export --app smartkey --reason audit --out":                                                                   "--out",
		"report audit --app smartkey --reason audit --out":                                                             "--out",
		"report register processing --app smartkey --out":                                                              "--out",
		"log proof --app smartkey --index 0 --file":                                                                    "--file",
		"record --app smartkey --type consent.withdrawn --subject ada --data {\"all\":true} --wait-sealed=10s --proof": "--proof",
	} {
		for path, want := range map[string]string{
			dir: "is a directory: name the file to write", at("none/file"): "there is no directory " + at("none"),
		} {
			_, err := cli(t, r, append(strings.Fields(args), path)...)
			if err == nil || exit.Code(t.Context(), err) != exit.CodeUsage || !strings.HasPrefix(err.Error(), flag+": ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %v, want %s: ... %s", args, path, err, flag, want)
			}
		}
	}
	if got := may(t, r, "ada", "personalisation"); got != "never-asked" {
		t.Errorf("a withdrawal whose proof cannot be written was recorded: %s", got)
	}

	if err := os.WriteFile(at("old"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"pipe": "this is a pipe", "to-pipe": "this is a pipe", "to-nothing": "", "to-old": "", "new": ""} {
		_, err := cli(t, r, "export", "--app", "smartkey", "--out", at(name))
		switch {
		case name == "to-nothing" && (err == nil || !strings.Contains(err.Error(), "a link to a file that is not there")):
			t.Errorf("a link to nothing: %v", err)
		case name != "to-nothing" && (err == nil) != (want == ""), want != "" && !strings.Contains(err.Error(), want):
			t.Errorf("export to %s: %v", name, err)
		}
	}
	for name, want := range map[string]fs.FileMode{"pipe": fs.ModeNamedPipe, "to-pipe": fs.ModeSymlink, "to-old": fs.ModeSymlink, "old": 0, "new": 0} {
		info, err := os.Lstat(at(name))
		if err != nil || info.Mode().Type() != want || want == 0 && info.Size() < 100 {
			t.Errorf("%s is now %v, %v", name, info, err)
		}
	}
}

// A key is a key however an editor or a shell wrote it down.
func TestAKeyIsReadWithoutWhatStandsAroundIt(t *testing.T) {
	const key = "logs.example.com/consent/shop+e253a895+AapsqFxdT2w8/t/3SPVtnvtH++meqiiafOdG6rJYYE5E"
	file := filepath.Join(t.TempDir(), "shop.vkey")
	for name, text := range map[string]string{"as it is": key, "a line": key + "\n", "a line of Windows": key + "\r\n", "with a byte order mark": "\ufeff" + key + "\r\n", "with blanks": "  " + key + " "} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, said := range []string{file, text} {
			v, origin, err := server.VerifierOf(said, "")
			if err != nil || origin != "logs.example.com/consent/shop" || v.Name() != origin || verifier.KeyText(said) != key {
				t.Errorf("%s: %v, %s", name, err, origin)
			}
		}
	}
	if _, _, err := server.VerifierOf(key[:len(key)-1], ""); err == nil {
		t.Error("half a key is one")
	}
}
