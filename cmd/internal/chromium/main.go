// Command chromium prints the path of a Chromium for the tests that look at the
// ledger as a browser does. Where none is installed and Debian's packages can be,
// it installs that one.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

func main() {
	path, err := find()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chromium:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

// find returns a browser's path. CHROMIUM names one where the usual names do not.
func find() (string, error) {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path, nil
	}
	if path, ok := installed(); ok {
		return path, nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", errors.New("no chromium, google-chrome or chrome in PATH: install one, or name one in CHROMIUM")
	}

	// The lock's time limit is for tests that want the browser at the same time.
	script := `apt-get update -q && apt-get install -qy --no-install-recommends -o DPkg::Lock::Timeout=600 \
		chromium fonts-noto-cjk poppler-utils`
	c := exec.Command("sh", "-c", script)
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("apt-get install chromium: %w", err)
	}
	path, ok := installed()
	if !ok {
		return "", errors.New("chromium was installed and is not in PATH")
	}
	return path, nil
}

func installed() (string, bool) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}
