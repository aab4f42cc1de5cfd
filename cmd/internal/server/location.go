package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A Location is where a part of a ledger may lie outside its data directory: its records,
// its vault, or its read models. Of the last the directory keeps nothing: they are made
// anew where they are asked for.
//
// Where only the records are elsewhere one process serves the ledger. Where the vault
// is as well, several may. Then this is in the vault's rows, which all of them share:
//
//   - the vault: who is who, sealed parts, orders to erase
//   - the blobs: texts of policies, documents
//   - the register of the apps' logs
//   - what intake keeps of the stream of incoming events
//   - the first record that any process wrote, see [openElsewhere]
//   - up to where positions are of the store before, if the ledger moved, see [beforeKey]
//   - that the vault is being moved, or was, see [MoveMark]
//
// And this is in the rows of every process's own directory, since it is made of the
// records again, or is true of one process alone:
//
//   - marks in the log, and checkpoints of who follows it
//   - the newest record and the newest change of the vault that this process has seen
//
// Snapshots of histories lie in the vault, sealed for their persons, and so are erased
// with them: any process may read them, and none has to.
//
// A connection string may hold a password, so it may come from a file, and is never
// kept. The directory keeps of what kind the server is.
type Location struct {
	what    string // that lies there
	engines []engine

	Flag, variable, fileVariable string

	File string // of a data directory, that says so; empty: none does
	head string // of what is in the file
}

// Where the parts of a data directory are, if they are not in it.
const (
	StoreVariable     = "CONSENTLEDGER_STORE"
	StoreFileVariable = "CONSENTLEDGER_STORE_FILE"
	VaultVariable     = "CONSENTLEDGER_VAULT"
	VaultFileVariable = "CONSENTLEDGER_VAULT_FILE"
)

var RecordsPlace = Location{
	what: "records", engines: []engine{EventStoreDB, PostgreSQL},
	Flag: "--store", variable: StoreVariable, fileVariable: StoreFileVariable,
	File: "RECORDS", head: "consentledger records 1: ",
}

var VaultPlace = Location{
	what: "persons", engines: []engine{PostgreSQL},
	Flag: "--vault", variable: VaultVariable, fileVariable: VaultFileVariable,
	File: "VAULT", head: "consentledger vault 1: ",
}

// Address returns the connection string of what is elsewhere, from a flag or the
// environment; empty: it is in the data directory.
func (p Location) Address(flag string) (string, error) {
	file := os.Getenv(p.fileVariable)
	switch inline := os.Getenv(p.variable); {
	case flag != "":
		return flag, nil
	case inline != "" && file != "":
		return "", exit.Usage(fmt.Errorf("%s and %s both say where the %s are: set one", p.variable,
			p.fileVariable, p.what))
	case file == "":
		return inline, nil
	}

	text, err := files.ReadOwnFile(file, files.MaxKeyFile)
	if err != nil {
		return "", files.Unread(p.fileVariable, err)
	}

	if strings.TrimSpace(string(text)) == "" {
		return "", exit.Usage(fmt.Errorf("%s: %s is empty: it holds a connection string, as in %s",
			p.fileVariable, file, p.examples()))
	}
	return strings.TrimSpace(string(text)), nil
}

func (p Location) examples() string {
	var all []string
	for _, e := range p.engines {
		all = append(all, e.Example)
	}
	return strings.Join(all, " or ")
}

// Engine returns the engine that an address is of, and whether it can hold this.
func (p Location) Engine(address string) (engine, error) {
	e := EngineOf(address)
	if !slices.ContainsFunc(p.engines, func(o engine) bool { return o.name == e.name }) {
		return e, exit.Usage(fmt.Errorf("%s: the %s cannot be in %s: want an address as in %s",
			p.Flag, p.what, e.name, p.examples()))
	}
	return e, nil
}

// Text is what the file holds if an engine has what is elsewhere.
func (p Location) Text(e engine) string { return p.head + e.name + "\n" }

// Check holds what a data directory says against what was asked for. A fresh directory
// says from now on what was asked for.
func (p Location) Check(path, address string, fresh bool) error {
	name := filepath.Join(path, p.File)
	file, err := files.ReadOwnFile(name, files.MaxOwnFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		return p.checkInside(path, address, fresh)
	}

	is := string(file)
	if !slices.ContainsFunc(p.engines, func(e engine) bool { return p.Text(e) == is }) {
		return fmt.Errorf("%s says %q, which this program does not know: use the version that wrote it, or a newer one",
			name, strings.TrimSpace(is))
	}
	if address == "" {
		where := strings.TrimSpace(strings.TrimPrefix(is, p.head))
		return exit.Usage(fmt.Errorf("the %s of data directory %s are in %s: say where, with serve %s, %s or %s",
			p.what, path, where, p.Flag, p.variable, p.fileVariable))
	}
	asked, err := p.Engine(address)
	if err == nil && is != p.Text(asked) {
		err = exit.Usage(fmt.Errorf("%s says %q, and the address is one of %s", name,
			strings.TrimSpace(is), asked.name))
	}
	return err
}

// checkInside is check for a directory that does not say that this is elsewhere.
func (p Location) checkInside(path, address string, fresh bool) error {
	if address == "" {
		return nil
	}
	asked, err := p.Engine(address)
	if err != nil {
		return err
	}
	if !fresh {
		return exit.Usage(fmt.Errorf("the %s of data directory %s are in it, and not in %s: leave %s, %s and %s away, "+
			"or name a new directory with --data", p.what, path, asked.name, p.Flag, p.variable, p.fileVariable))
	}
	return WriteDurably(vfs.Default, path, p.File, p.Text(asked))
}

// Called returns a location by the flag and variables of a side of a migration.
func (p Location) Called(flag, variable, fileVariable string) Location {
	p.Flag, p.variable, p.fileVariable = flag, variable, fileVariable
	return p
}
