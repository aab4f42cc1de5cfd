// Command logtools installs one of the programs that check our logs and are
// nobody's code here, once a user, and prints where it is:
//
//	fsck          Tessera's, which derives every tile of a log again
//	litewitness   Torchwood's, which cosigns what is consistent
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// A tool is a program and where it comes from.
type tool struct{ pkg, version string }

var tools = map[string]tool{
	"fsck":        {"github.com/transparency-dev/tessera/cmd/fsck", "v1.0.4"},
	"litewitness": {"filippo.io/torchwood/cmd/litewitness", "v0.9.0"},
}

func main() {
	if len(os.Args) != 2 || tools[os.Args[1]] == (tool{}) {
		fmt.Fprintln(os.Stderr, "logtools: want fsck or litewitness")
		os.Exit(2)
	}
	path, err := install(os.Args[1], tools[os.Args[1]])
	if err != nil {
		fmt.Fprintln(os.Stderr, "logtools:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

// install returns the tool's path. Many may install at once: each builds in a
// directory of its own, and what is complete is moved into place.
func install(name string, t tool) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	exe := name
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	dir := filepath.Join(cache, "consentledger", "tools")
	path := filepath.Join(dir, name+"-"+t.version, exe)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(dir, "install-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	began := time.Now()
	fmt.Fprintf(os.Stderr, "logtools: installing %s@%s into %s; this takes a minute or two, once\n", t.pkg, t.version, filepath.Dir(path))
	c := exec.Command("go", "install", t.pkg+"@"+t.version)
	c.Dir = work // outside of any module
	c.Env = append(os.Environ(), "GOBIN="+work, "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("go install %s@%s: %w", t.pkg, t.version, err)
	}
	fmt.Fprintf(os.Stderr, "logtools: installed in %s\n", time.Since(began).Round(time.Second))
	return path, os.Rename(filepath.Join(work, exe), path)
}
