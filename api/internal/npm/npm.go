// Package npm finds, for tests, the npm packages that the ledger is held to: SDKs,
// readers and checkers that are not ours.
package npm

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// Modules returns the node_modules directory that holds them, for NODE_PATH. The
// first use installs them.
func Modules(t testing.TB) string {
	t.Helper()
	var log bytes.Buffer
	c := exec.Command("go", "run", "consentledger/cmd/internal/nodetools")
	c.Stderr = &log
	path, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	return strings.TrimSpace(string(path))
}
