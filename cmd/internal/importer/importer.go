// Package importer brings a file of consents that were kept elsewhere into the ledger: it looks
// through the file by its mapping, and sends what it says to the running server in batches.
package importer

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"consentledger/api/imports"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/policies"
	"consentledger/cmd/internal/progress"
	"consentledger/domain/ident"

	"github.com/spf13/cobra"
)

// An Import is what is imported, and how.
type Import struct {
	App        string
	Mapping    string // the file that says what the columns are
	FilteredBy string // who says that no erased person is in the file
	Without    string // a file with the ids of persons who are left out

	DryRun  bool // say what is wrong with which row, and send nothing
	SkipBad bool // import the other rows where some are wrong
	Offline bool // do not ask the server what the app's policies declare
}

// Run looks through a file and, unless a row is wrong, records what it says. It prints a line
// for each row that is wrong or was refused.
func (in Import) Run(c *cobra.Command, name string) error {
	if in.Offline && !in.DryRun {
		return exit.Usage(errors.New("--offline: only with --dry-run: what is sent is held to the app's policies"))
	}
	text, err := files.ReadInput(c, "--mapping", in.Mapping, files.MaxPolicyFile)
	if err != nil {
		return err
	}
	mapping, err := imports.ParseMapping(in.Mapping, text)
	if err != nil {
		return exit.Usage(err)
	}
	without, err := in.leftOut(c)
	if err != nil {
		return err
	}

	from, size, file, err := importedFile(name)
	if err != nil {
		return err
	}
	defer from.Close()
	file.FilteredBy = in.FilteredBy
	if file.Tables, err = in.tables(mapping); err != nil {
		return err
	}
	if !in.Offline {
		if file.Known, err = policies.Declared(c, in.App); err != nil {
			return err
		}
	}

	out := json.NewEncoder(c.OutOrStdout())
	wrong := 0
	read := &toldReader{from, progress.Bytes(c.ErrOrStderr(), name, size)}
	plan, err := mapping.Look(read, size, file, without, func(p imports.Problem) error {
		wrong++
		return out.Encode(p)
	})
	if err != nil {
		return exit.Usage(fmt.Errorf("%s: %w", name, err))
	}
	read.tell = io.Discard // what is sent is told by its events
	fmt.Fprintf(c.ErrOrStderr(), "%s: %d rows: %d events to record, %d rows skipped, %d rows wrong\n", name, plan.Rows,
		plan.Events(), plan.Skipped, wrong)
	switch {
	case wrong > 0 && (in.DryRun || !in.SkipBad):
		return fmt.Errorf("%d rows are wrong, and nothing was sent; mend them or the mapping, or import the others "+
			"with --skip-bad", wrong)
	case in.DryRun:
		return nil
	}
	return in.send(c, plan, out)
}

// A toldReader tells how far a file is read.
type toldReader struct {
	io.ReaderAt
	tell io.Writer
}

func (r *toldReader) ReadAt(p []byte, at int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, at)
	r.tell.Write(p[:n])
	return n, err
}

// leftOut reads the list of persons who are left out.
func (in Import) leftOut(c *cobra.Command) (func(string) bool, error) {
	if in.Without == "" {
		return func(string) bool { return false }, nil
	}

	text, err := files.ReadInput(c, "--without", in.Without, files.MaxInput)
	if err != nil {
		return nil, err
	}

	ids := map[string]bool{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, err := ident.ParsePersonKey(line)
		if err != nil {
			return nil, exit.Usage(fmt.Errorf("--without: line %d: %w", number, err))
		}
		ids[key.String()] = true
	}
	return func(subject string) bool { return ids[subject] }, nil
}

// importedFile opens the file and returns its hash, by which its rows are known.
func importedFile(name string) (f *os.File, size int64, file imports.File, err error) {
	if f, err = files.OpenInput(name); err != nil {
		return nil, 0, file, files.NamedBy("FILE", files.OrNotFound(err))
	}

	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = exit.Usage(fmt.Errorf("FILE: %s: want a plain file: it is read twice", name))
	}

	h := sha256.New()
	if err == nil {
		size, err = io.Copy(h, f)
	}
	if err != nil {
		return nil, 0, file, errors.Join(err, f.Close())
	}

	h.Sum(file.Hash[:0])
	return f, size, file, nil
}

// tables reads the tables that the mapping names, beside it.
func (in Import) tables(m imports.Mapping) (map[string]map[string]string, error) {
	tables := map[string]map[string]string{}
	if m.Subject.Table == "" {
		return tables, nil
	}
	if !filepath.IsLocal(m.Subject.Table) {
		return nil, exit.Usage(fmt.Errorf("subject.table: %s is not below the mapping's folder", m.Subject.Table))
	}
	text, err := files.ReadOwnFile(filepath.Join(filepath.Dir(in.Mapping), m.Subject.Table), files.MaxInput)
	if err != nil {
		return nil, files.NamedBy("subject.table", err)
	}
	tables[m.Subject.Table], err = imports.Table(bytes.NewReader(text))
	return tables, err
}
