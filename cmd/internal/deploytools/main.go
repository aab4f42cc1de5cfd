// Command deploytools builds what reads the files of a deployment (see its directory read,
// a module of its own), once a user, and prints where it is.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"consentledger/cmd/internal/install"
)

func main() {
	path, err := build()
	if err != nil {
		fmt.Fprintln(os.Stderr, "deploytools:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

func build() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "consentledger").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	root := strings.TrimSpace(string(out))
	return install.Module("deployread", filepath.Join(root, "cmd", "internal", "deploytools", "read"))
}
