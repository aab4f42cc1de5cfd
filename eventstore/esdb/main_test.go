package esdb_test

import (
	"fmt"
	"os"
	"testing"
)

// myself is the file of this binary.
func myself() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// TestMain is what this binary does: it is one of several processes of a test, it
// holds a real server to everything (see suite_test.go), or it runs the tests.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := roles[role](); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(serverVariable) != "" && os.Getenv(partVariable) == "" {
		os.Exit(runSuite())
	}
	os.Exit(m.Run())
}
