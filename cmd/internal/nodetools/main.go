// Command nodetools installs the npm packages that tests hold the ledger to
// (SDKs, generators, readers and checkers that are not ours), in the versions of
// the lock file beside it, and prints their node_modules directory. Tests put it
// into NODE_PATH, or run what lies in its .bin.
package main

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"consentledger/cmd/internal/install"
)

//go:embed package.json
var manifest []byte

//go:embed package-lock.json
var lock []byte

func main() {
	// Another lock is another directory: two checkouts do not disturb each other.
	sum := sha256.Sum256(lock)
	dir, err := install.Once(fmt.Sprintf("node-%x", sum[:6]), fill)
	if err != nil {
		fmt.Fprintln(os.Stderr, "nodetools:", err)
		os.Exit(1)
	}
	fmt.Println(filepath.Join(dir, "node_modules"))
}

// fill installs what the lock says into dir, and runs no package's own scripts:
// some would fetch programs from elsewhere.
func fill(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "package.json"), manifest, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "package-lock.json"), lock, 0o644); err != nil {
		return err
	}
	c := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	c.Dir, c.Stdout, c.Stderr = dir, os.Stderr, os.Stderr
	return c.Run()
}
