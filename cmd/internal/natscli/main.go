// Command natscli installs the nats command line tool for the tests that talk
// to the ledger with it, once a user, and prints where it is.
package main

import (
	"fmt"
	"os"

	"consentledger/cmd/internal/install"
)

func main() {
	path, err := install.Go("natscli", "github.com/nats-io/natscli/nats", "v0.5.1")
	if err != nil {
		fmt.Fprintln(os.Stderr, "natscli:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}
