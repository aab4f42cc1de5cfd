// Package readmodel is the SQL behind the answers: one SQLite file per
// projection.
//
// A file is a cache of history. One that is damaged, or of another schema, is
// removed, and the projection starts again from position zero. Power loss may
// take the last transactions (synchronous=NORMAL); it takes answer and
// checkpoint together, so that they are made again. Integers are stored as
// integers, instants as UTC milliseconds, names and hashes as text.
package readmodel

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A DB is the file of one projection. Apply is called by one goroutine at a
// time, View by any number.
type DB struct {
	file    string
	writer  *side
	readers *side
	close   func() error
	gate    atomic.Pointer[func(context.Context) error]
}

// format is hashed with every schema: change it to rebuild every file.
const format = "readmodel 1\n"

const metaTable = `CREATE TABLE meta (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	schema   TEXT NOT NULL,
	position INTEGER NOT NULL
);`

// Open returns the read model dir/name.sqlite. Schema is the DDL of its
// tables; every table has a primary key.
func Open(ctx context.Context, dir, name, schema string) (*DB, error) {
	file := filepath.Join(dir, name+".sqlite")
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(format+schema)))
	db, err := open(ctx, file, hash)
	if err == nil {
		return db, nil
	}
	if !errors.Is(err, errOther) && !damaged(err) {
		return nil, fmt.Errorf("read model %s: %w", name, err)
	}
	if err := create(ctx, file, hash, schema); err != nil {
		return nil, fmt.Errorf("read model %s: %w", name, err)
	}
	if db, err = open(ctx, file, hash); err != nil {
		return nil, fmt.Errorf("read model %s: %w", name, err)
	}
	return db, nil
}

var errOther = errors.New("the file is absent, damaged or of another schema")

// open opens a file that is sound and of this schema. One that was not closed
// is checked in full: it may have been torn.
func open(ctx context.Context, file, hash string) (*DB, error) {
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return nil, errOther
	}
	if exists(file + marker) {
		return nil, errOther
	}
	torn := exists(file + "-wal")
	db := &DB{file: file, writer: newSide(file, "immediate", 1, writing), readers: newSide(file, "deferred", 3, reading)}
	db.close = sync.OnceValue(func() error { return errors.Join(db.readers.close(), db.writer.close()) })
	if err := db.check(ctx, hash, torn); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func (db *DB) check(ctx context.Context, hash string, torn bool) error {
	var found int
	row := db.writer.db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = 'meta'")
	if err := row.Scan(&found); err != nil || found == 0 {
		return errors.Join(err, errOther)
	}
	var schema string
	if err := db.writer.db.QueryRowContext(ctx, "SELECT schema FROM meta").Scan(&schema); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if schema != hash {
		return errOther
	}
	if !torn {
		return nil
	}
	var sound string
	if err := db.writer.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&sound); err != nil {
		return err
	}
	if sound != "ok" {
		return errOther
	}
	return nil
}

// create makes the file anew. The row in meta is the last thing written.
func create(ctx context.Context, file, hash, schema string) error {
	for _, end := range []string{"", "-wal", "-shm", marker} {
		if err := os.Remove(file + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	w := newSide(file, "immediate", 1, writing)
	_, err := w.db.ExecContext(ctx, metaTable+schema)
	if err == nil {
		_, err = w.db.ExecContext(ctx, "INSERT INTO meta VALUES (1, ?, 0)", hash)
	}
	return errors.Join(err, w.close())
}

// Close closes the file, after the transactions that are under way. Nothing
// may be asked of db afterwards; closing again does nothing.
func (db *DB) Close() error { return db.close() }

// Position returns the checkpoint: the position of the last entry applied.
func (db *DB) Position(ctx context.Context) (eventstore.Position, error) {
	var p int64
	err := db.readers.db.QueryRowContext(ctx, "SELECT position FROM meta").Scan(&p)
	return eventstore.Position(p), db.note(err)
}

// Apply runs change and moves the checkpoint to the last of entries, in one
// transaction: both or neither, unless the error is of the commit itself, when
// it is not known. Entries that are not after the checkpoint are an error.
func (db *DB) Apply(ctx context.Context, entries []codec.Entry, change func(*Tx) error) error {
	last := eventstore.Position(0)
	for _, e := range entries {
		if e.Position <= last {
			return fmt.Errorf("entry %d comes after %d", e.Position, last)
		}
		last = e.Position
	}
	if last == 0 {
		return nil
	}
	// Not cancelled: it takes milliseconds, and a context that can be costs a
	// goroutine a statement.
	return db.note(db.writer.in(context.WithoutCancel(ctx), func(tx *Tx) error {
		n, err := tx.Exec("UPDATE meta SET position = ? WHERE position < ?", int64(last), int64(entries[0].Position))
		if err != nil {
			return err
		}
		if n != 1 {
			return fmt.Errorf("entry %d is not after the checkpoint", entries[0].Position)
		}
		return change(tx)
	}))
}

// Gate lets View fail with what check says, as long as it says something: an
// answer from a file that has not read enough of the log is none.
func (db *DB) Gate(check func(context.Context) error) { db.gate.Store(&check) }

// View runs read on one snapshot, with the position that the snapshot is as
// of.
func (db *DB) View(ctx context.Context, read func(*Tx, eventstore.Position) error) error {
	if check := db.gate.Load(); check != nil {
		if err := (*check)(ctx); err != nil {
			return err
		}
	}
	return db.read(ctx, read)
}

func (db *DB) read(ctx context.Context, read func(*Tx, eventstore.Position) error) error {
	return db.note(db.readers.in(ctx, func(tx *Tx) error {
		var p int64
		if err := tx.Row("SELECT position FROM meta", nil, &p); err != nil {
			return err
		}
		return read(tx, eventstore.Position(p))
	}))
}

// marker ends the name of a file that says: damaged, build again.
const marker = ".damaged"

// note remembers damage for the next Open.
func (db *DB) note(err error) error {
	if damaged(err) {
		return errors.Join(err, os.WriteFile(db.file+marker, nil, 0o600))
	}
	return err
}

func damaged(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// Full reports whether an error says that the disk of a read model is full.
func Full(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_FULL
}

// A side is the writer's or the readers' connections to a file.
type side struct {
	db    *sql.DB
	begin string
	conns chan *conn // nil: not opened yet
}

// A conn is a connection and what was prepared on it: queries, and what changes
// something, which the driver is asked for itself.
type conn struct {
	*sql.Conn
	stmts   map[string]*sql.Stmt
	changes map[string]driver.StmtExecContext
	args    []driver.NamedValue // of the change under way
}

// The page caches, in KiB. They bound what a read model takes of memory: a
// writer that must read a page to change it is slow, a reader is not.
const (
	writing = "&_pragma=cache_size(-16000)"
	reading = "&_pragma=cache_size(-1000)&_pragma=query_only(1)"
)

func newSide(file, lock string, conns int, pragmas string) *side {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: file}).String()+
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"+
		"&_pragma=temp_store(MEMORY)&_pragma=wal_autocheckpoint(4000)&_pragma=journal_size_limit(33554432)"+pragmas)
	if err != nil {
		panic("readmodel: the sqlite driver is not registered: " + err.Error())
	}
	s := &side{db: db, begin: "BEGIN " + lock, conns: make(chan *conn, conns)}
	for range conns {
		s.conns <- nil
	}
	return s
}

// close waits for the transactions that are under way.
func (s *side) close() error {
	var err error
	for range cap(s.conns) {
		if c := <-s.conns; c != nil {
			err = errors.Join(err, c.close())
		}
	}
	return errors.Join(err, s.db.Close())
}

func (c *conn) close() (err error) {
	for _, stmt := range c.stmts {
		err = errors.Join(err, stmt.Close())
	}
	err = errors.Join(err, c.Raw(func(any) (err error) {
		for _, stmt := range c.changes {
			err = errors.Join(err, stmt.(driver.Stmt).Close())
		}
		return err
	}))
	return errors.Join(err, c.Close())
}

// in runs f in a transaction. The commit is the commit point.
func (s *side) in(ctx context.Context, f func(*Tx) error) (err error) {
	var c *conn
	select {
	case c = <-s.conns:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.conns <- c }()
	if c == nil {
		plain, err := s.db.Conn(ctx)
		if err != nil {
			return err
		}
		c = &conn{Conn: plain, stmts: map[string]*sql.Stmt{}, changes: map[string]driver.StmtExecContext{}}
	}
	tx := &Tx{ctx, c}
	if _, err := tx.Exec(s.begin); err != nil {
		return err
	}
	if err = f(tx); err == nil {
		_, err = tx.Exec("COMMIT")
	}
	if err != nil {
		// SQLite may have rolled back already: then there is nothing to undo.
		_, _ = (&Tx{context.WithoutCancel(ctx), c}).Exec("ROLLBACK")
	}
	return err
}
