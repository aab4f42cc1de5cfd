package readmodel

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"consentledger/eventstore"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A Dir is a directory with a SQLite file for each read model: name.sqlite. One
// process has it.
type Dir string

var _ Place = Dir("")

const metaTable = `CREATE TABLE meta (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	schema   TEXT NOT NULL,
	position INTEGER NOT NULL
);`

func (d Dir) open(ctx context.Context, name, schema string) (*DB, error) {
	file := filepath.Join(string(d), name+".sqlite")
	hash := hashOf(format + schema)
	db, err := openFile(ctx, file, hash)
	if err == nil || !errors.Is(err, errOther) && !damaged(err) {
		return db, err
	}
	if err := create(ctx, file, hash, schema); err != nil {
		return nil, err
	}
	return openFile(ctx, file, hash)
}

// Discard implements [Place].
func (d Dir) Discard(_ context.Context, name string) error {
	return removeFile(filepath.Join(string(d), name+".sqlite"))
}

func removeFile(file string) error {
	for _, end := range []string{"", "-wal", "-shm", marker, opened} {
		if err := os.Remove(file + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

var errOther = errors.New("the file is absent, damaged or of another schema")

// openFile opens a file that is sound and of this schema.
//
// One that was not closed may have been torn if the machine lost power: then it is checked
// in full, which takes time in proportion to its size. If only the process was killed, the
// system has all that it wrote, and SQLite's log makes it whole. Which of the two it was
// says the note of the boot in which this file was opened; a copy of the file has none.
func openFile(ctx context.Context, file, hash string) (*DB, error) {
	if !exists(file) || exists(file+marker) {
		return nil, errOther
	}

	boot := bootOf(file)
	torn := exists(file+"-wal") && (boot == "" || !notes(file+opened, boot))
	writer, readers := newFileSide(file, "immediate", 1, writing), newFileSide(file, "deferred", 3, reading)
	db := &DB{writer: writer, readers: readers, meta: "SELECT position, '' FROM meta", keys: `SELECT m.name, i.name
		FROM sqlite_master m, pragma_table_info(m.name) i WHERE m.type = 'table' AND m.name <> 'meta' AND i.pk > 0 ORDER BY m.name, i.pk`}
	db.move = func(tx *Tx, last eventstore.Position) (int64, error) {
		return tx.Exec("UPDATE meta SET position = ? WHERE position = ?", int64(last), int64(db.at))
	}
	db.note = func(err error) error { // for the next to open it
		if damaged(err) {
			return errors.Join(err, os.WriteFile(file+marker, nil, 0o600))
		}
		return err
	}
	db.close = sync.OnceValue(func() error { return errors.Join(readers.close(), writer.close()) })
	if err := check(ctx, writer.db, hash, torn); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	_ = os.WriteFile(file+opened, []byte(boot), 0o600) // without it the next one checks in full
	return db, nil
}

// opened ends the name of the file that notes in which boot a read model was opened. It is
// not synced: after a power loss it says another boot, whatever is left of it.
const opened = ".boot"

func notes(file, boot string) bool {
	text, err := os.ReadFile(file)
	return err == nil && string(text) == boot
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func check(ctx context.Context, db *sql.DB, hash string, torn bool) error {
	var found int
	row := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = 'meta'")
	if err := row.Scan(&found); err != nil || found == 0 {
		return errors.Join(err, errOther)
	}

	var schema string
	if err := db.QueryRowContext(ctx, "SELECT schema FROM meta").Scan(&schema); err != nil &&
		!errors.Is(err, sql.ErrNoRows) {
		return err
	}

	if schema != hash {
		return errOther
	}
	if !torn {
		return nil
	}

	var sound string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&sound); err != nil {
		return err
	}
	if sound != "ok" {
		return errOther
	}
	return nil
}

// create makes the file anew. The row in meta is the last thing written.
func create(ctx context.Context, file, hash, schema string) error {
	if err := removeFile(file); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	w := newFileSide(file, "immediate", 1, writing)
	_, err := w.db.ExecContext(ctx, metaTable+schema)
	if err == nil {
		_, err = w.db.ExecContext(ctx, "INSERT INTO meta VALUES (1, ?, 0)", hash)
	}
	return errors.Join(err, w.close())
}

// marker ends the name of a file that says: damaged, build again.
const marker = ".damaged"

func damaged(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// The page caches, in KiB. They bound what a read model takes of memory: a
// writer that must read a page to change it is slow, a reader is not.
const (
	writing = "&_pragma=cache_size(-16000)"
	reading = "&_pragma=cache_size(-1000)&_pragma=query_only(1)"
)

func newFileSide(file, lock string, conns int, pragmas string) *side {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: file}).String()+
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"+
		"&_pragma=temp_store(MEMORY)&_pragma=wal_autocheckpoint(4000)&_pragma=journal_size_limit(33554432)"+pragmas)
	if err != nil {
		panic("readmodel: the sqlite driver is not registered: " + err.Error())
	}
	return newSide(db, "BEGIN "+lock, conns)
}

// Full reports whether an error says that the disk of a read model is full.
func Full(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_FULL
}
