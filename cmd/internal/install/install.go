// Package install puts programs that tests need, and that are nobody's code
// here, into the user's cache, once.
package install

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// Once returns the directory called name in the cache of tools. If it is not
// there, fill makes it, in a directory of its own, which is moved into place
// when it is complete: so many processes may install at once, and one that is
// killed leaves nothing that looks complete.
func Once(name string, fill func(dir string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	tools := filepath.Join(cache, "consentledger", "tools")
	dir := filepath.Join(tools, name)

	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(tools, "install-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)

	began := time.Now()
	fmt.Fprintf(os.Stderr, "installing %s into %s; this takes a minute or two, once\n", name, dir)
	if err := fill(work); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	fmt.Fprintf(os.Stderr, "installed %s in %s\n", name, time.Since(began).Round(time.Second))

	// Somebody else who installed meanwhile was first: theirs is as good.
	if err := os.Rename(work, dir); err != nil {
		if _, there := os.Stat(dir); there == nil {
			return dir, nil
		}
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// Go returns the path of a Go program, which is built from its module.
func Go(name, pkg, version string) (string, error) {
	dir, err := Once(name+"-"+version, func(dir string) error {
		c := exec.Command("go", "install", pkg+"@"+version)
		c.Dir = dir // outside of any module
		c.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
		c.Stderr = os.Stderr
		return c.Run()
	})
	if err != nil {
		return "", err
	}

	exe := filepath.Base(pkg)
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	return filepath.Join(dir, exe), nil
}

// Module returns the path of a program that is a module of its own in dir, outside of
// the module that tests are in: what it needs of others stays out of that one. Another
// text of it is another program.
func Module(name, dir string) (string, error) {
	sum := sha256.New()
	for _, file := range []string{"go.mod", "go.sum", "main.go"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", file, len(text), text)
	}

	to, err := Once(fmt.Sprintf("%s-%x", name, sum.Sum(nil)[:6]), func(to string) error {
		c := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(to, name), ".")
		c.Dir = dir
		c.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "CGO_ENABLED=0")
		c.Stderr = os.Stderr
		return c.Run()
	})
	return filepath.Join(to, name), err
}
