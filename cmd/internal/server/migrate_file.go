package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"consentledger/cmd/internal/files"
	"consentledger/eventstore"
	"consentledger/eventstore/atomicfile"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// What a migration writes down, and in which order:
//
//  1. MIGRATION in the target. Without a FORMAT file beside it the target is not
//     finished, and nothing but migrate opens it.
//  2. All that is copied.
//  3. FORMAT in the source: it is moved, and nothing but migrate opens it.
//  4. FORMAT in the target, which is a data directory from now on.
//
// So at no moment can both be opened. Undoing is 4 and 3 backwards.
const MigrationFile = "MIGRATION"

// A MigrationNote is what the file of that name says.
type MigrationNote struct {
	ID      string // 32 hex digits
	Source  string // the directory
	Records int64  // how many were copied; zero: not all are
	Last    eventstore.EventID
}

const migrationHeader = "consentledger migration 1\n"

func (n MigrationNote) Text() string {
	text := migrationHeader + "id " + n.ID + "\nfrom " + strconv.Quote(n.Source) + "\n"
	if n.Records > 0 {
		text += fmt.Sprintf("copied %d %s\n", n.Records, n.Last)
	}
	return text
}

func NewMigrationNote(source string) MigrationNote {
	var id [16]byte
	rand.Read(id[:])
	return MigrationNote{ID: hex.EncodeToString(id[:]), Source: source}
}

// ReadMigrationNote reads the file in a target, and reports whether there is one.
func ReadMigrationNote(path string) (n MigrationNote, is bool, err error) {
	name := filepath.Join(path, MigrationFile)
	text, err := files.ReadOwnFile(name, files.MaxOwnFile)
	if errors.Is(err, fs.ErrNotExist) {
		return n, false, nil
	}
	if err != nil {
		return n, false, err
	}
	if n, err = ParseMigrationNote(string(text)); err != nil {
		return n, false, fmt.Errorf("%s: %w", name, err)
	}
	return n, true, nil
}

func ParseMigrationNote(text string) (n MigrationNote, err error) {
	rest, ok := strings.CutPrefix(text, migrationHeader)
	if !ok {
		return n, fmt.Errorf("it does not begin with %q: use the version that wrote it, or a newer one",
			strings.TrimSpace(migrationHeader))
	}

	lines := strings.Split(rest, "\n")
	if len(lines) < 3 || len(lines) > 4 || lines[len(lines)-1] != "" {
		return n, errors.New("it does not have the lines that it should")
	}

	n.ID, ok = strings.CutPrefix(lines[0], "id ")
	if raw, err := hex.DecodeString(n.ID); !ok || err != nil || len(raw) != 16 {
		return n, errors.New("its id is not 32 hex digits")
	}

	quoted, ok := strings.CutPrefix(lines[1], "from ")
	if n.Source, err = strconv.Unquote(quoted); !ok || err != nil {
		return n, errors.New("it does not say from where")
	}
	if len(lines) == 3 {
		return n, nil
	}

	copied, ok := strings.CutPrefix(lines[2], "copied ")
	number, id, _ := strings.Cut(copied, " ")
	if n.Records, err = strconv.ParseInt(number, 10, 64); !ok || err != nil || n.Records <= 0 {
		return n, errors.New("it does not say how many records were copied")
	}

	n.Last, err = eventstore.ParseEventID(id)
	return n, err
}

func (n MigrationNote) Write(path string) error {
	return WriteDurably(vfs.Default, path, MigrationFile, n.Text())
}

// formatMoved is the first line of the FORMAT file of a data directory that was moved.
// The others say what it was for, by which migration it was moved, and to where.
const formatMoved = "consentledger data 1, moved"

// A Moved is what the FORMAT file says of it.
type Moved struct{ Use, ID, To string }

// writeMoved gives the directory up: when it returns nobody opens it any more.
func (m Moved) Write(path string) error {
	return WriteDurably(vfs.Default, path, "FORMAT",
		formatMoved+"\n"+m.Use+"\nid "+m.ID+"\nto "+strconv.Quote(m.To)+"\n")
}

// parseMoved reads what stands behind the first line.
func parseMoved(rest string) (m Moved, err error) {
	lines := strings.Split(rest, "\n")
	if len(lines) != 3 {
		return m, errors.New("it does not say to where")
	}
	m.Use, m.ID = lines[0], strings.TrimPrefix(lines[1], "id ")
	m.To, err = strconv.Unquote(strings.TrimPrefix(lines[2], "to "))
	return m, err
}

// ReadFormat returns what a directory is for, and whether it was moved.
func ReadFormat(path string) (use string, away Moved, err error) {
	text, err := files.ReadOwnFile(filepath.Join(path, "FORMAT"), files.MaxOwnFile)
	if err != nil {
		return "", away, err
	}
	head, rest, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if head == formatMoved {
		away, err = parseMoved(rest)
		return away.Use, away, err
	}
	_, err = CheckFormat(path, "", false)
	return rest, away, err
}

// movedAway says that a directory was moved, and where to.
func movedAway(path, rest string) error {
	m, err := parseMoved(rest)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(path, "FORMAT"), err)
	}
	return fmt.Errorf("data directory %s was moved to %s, and the ledger goes on there: name that one with --data. "+
		"As long as nothing was recorded there, consentledger migrate --undo takes it back", path, m.To)
}

func unfinishedMigration(path string) error {
	return fmt.Errorf("%s is the target of a migration that is not finished: run consentledger migrate once more, "+
		"with the same flags, and it goes on; "+
		"or remove the directory, and empty the event store that it was to use", path)
}

// RemoveDurably removes a small file of a directory, if it is there.
func RemoveDurably(path, base string) error {
	if err := os.Remove(filepath.Join(path, base)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.SyncDir(path)
}
