package readmodel_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"
)

const schema = "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT NOT NULL);"

func fill(t *testing.T, dir, schema string) {
	t.Helper()
	db, err := readmodel.Open(t.Context(), readmodel.Dir(dir), "x", schema)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Apply(t.Context(), []codec.Entry{{Position: 7}}, func(tx *readmodel.Tx) error {
		_, err := tx.Exec("INSERT INTO t VALUES (1, 'one')")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func position(t *testing.T, dir, schema string) eventstore.Position {
	t.Helper()
	db, err := readmodel.Open(t.Context(), readmodel.Dir(dir), "x", schema)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := db.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAFileIsKeptOrBuiltAgain(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(t *testing.T, file string)
		then string
		want eventstore.Position
	}{
		"sound":          {func(*testing.T, string) {}, schema, 7},
		"another schema": {func(*testing.T, string) {}, schema + "CREATE TABLE u (k INTEGER PRIMARY KEY);", 0},
		"no database":    {func(t *testing.T, f string) { write(t, f, "this is no database, and long enough to be told") }, schema, 0},
		"empty":          {func(t *testing.T, f string) { write(t, f, "") }, schema, 0},
		"marked":         {func(t *testing.T, f string) { write(t, f+".damaged", "") }, schema, 0},

		// A file that was not closed is checked in full, but where only the process was killed.
		"not closed, and sound": {func(t *testing.T, f string) { write(t, f+"-wal", ""); write(t, f+".boot", "another") }, schema, 7},
		"after a power loss":    {func(t *testing.T, f string) { tear(t, f); write(t, f+".boot", "another") }, schema, 0},
		"no note of the boot":   {func(t *testing.T, f string) { tear(t, f); os.Remove(f + ".boot") }, schema, 0},
		"a copy":                {func(t *testing.T, f string) { tear(t, f); replace(t, f) }, schema, 0},
		"killed":                {func(t *testing.T, f string) { tear(t, f) }, schema, 7},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir, schema)
			c.harm(t, filepath.Join(dir, "x.sqlite"))
			if got := position(t, dir, c.then); got != c.want {
				t.Errorf("position %d, want %d", got, c.want)
			}
			if c.want == 0 {
				fill(t, dir, c.then)
			}
		})
	}
}

// tear leaves a file as if it had not been closed, with a page that is none.
func tear(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 4096), end-4096); err != nil {
		t.Fatal(err)
	}
	write(t, file+"-wal", "")
}

// replace puts a copy in the place of a file.
func replace(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file+".copy", string(text))
	if err := os.Rename(file+".copy", file); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestExecSaysHowManyRowsItChanged(t *testing.T) {
	db, err := readmodel.Open(t.Context(), readmodel.Dir(t.TempDir()), "x", schema)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Apply(t.Context(), []codec.Entry{{Position: 1}}, func(tx *readmodel.Tx) error {
		for k, v := range []any{"text", []byte("bytes"), int64(3), true, eventstore.Position(5)} {
			if n, err := tx.Exec("INSERT INTO t VALUES (?, ?)", k, v); err != nil || n != 1 {
				t.Errorf("%v: %d rows, %v", v, n, err)
			}
		}
		if n, err := tx.Exec("UPDATE t SET v = 'new' WHERE k < ?", 4); err != nil || n != 4 {
			t.Errorf("%d rows, %v", n, err)
		}
		if _, err := tx.Exec("INSERT INTO t VALUES (?, ?)", 9, struct{}{}); err == nil {
			t.Error("a struct was written")
		}
		if _, err := tx.Exec("INSERT INTO t VALUES (?, ?)", 1, "again"); err == nil {
			t.Error("one key was written twice")
		}
		var count int
		if err := tx.Row("SELECT count(*) FROM t", nil, &count); err != nil || count != 5 {
			t.Errorf("%d rows, %v", count, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
