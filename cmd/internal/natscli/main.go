// Command natscli installs the nats command line tool for the tests that talk
// to the ledger with it, once a user, and prints where it is.
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

const (
	module  = "github.com/nats-io/natscli/nats"
	version = "v0.5.1"
)

func main() {
	path, err := install()
	if err != nil {
		fmt.Fprintln(os.Stderr, "natscli:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

// install returns the tool's path. Many may install at once: each builds in a
// directory of its own, and what is complete is moved into place.
func install() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	name := "nats"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	tools := filepath.Join(cache, "consentledger", "tools")
	path := filepath.Join(tools, "natscli-"+version, name)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(tools, "install-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	began := time.Now()
	fmt.Fprintf(os.Stderr, "natscli: installing %s@%s into %s; this takes a minute or two, once\n", module, version, filepath.Dir(path))
	c := exec.Command("go", "install", module+"@"+version)
	c.Dir = work // outside of any module
	c.Env = append(os.Environ(), "GOBIN="+work, "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("go install %s@%s: %w", module, version, err)
	}
	fmt.Fprintf(os.Stderr, "natscli: installed in %s\n", time.Since(began).Round(time.Second))
	return path, os.Rename(filepath.Join(work, name), path)
}
