// Command logtools installs one of the programs that check our logs and are
// nobody's code here, once a user, and prints where it is:
//
//	fsck          Tessera's, which derives every tile of a log again
//	litewitness   Torchwood's, which cosigns what is consistent
package main

import (
	"fmt"
	"os"

	"consentledger/cmd/internal/install"
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
	t := tools[os.Args[1]]
	path, err := install.Go(os.Args[1], t.pkg, t.version)
	if err != nil {
		fmt.Fprintln(os.Stderr, "logtools:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}
