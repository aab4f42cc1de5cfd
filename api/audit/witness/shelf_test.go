package witness

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"testing"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore/memory"
	"consentledger/projections/transparency/merkle"
)

// A directory and rows that processes share keep alike.
func TestShelves(t *testing.T) {
	for name, shelf := range map[string]Shelf{"directory": Dir(t.TempDir() + "/witness"), "rows": RowShelf{new(memory.Rows)}} {
		t.Run(name, func(t *testing.T) {
			if _, err := shelf.Read("a.cosigned"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("what is not there: %v", err)
			}
			for _, data := range [][]byte{[]byte("first"), []byte("second"), {}} {
				if err := shelf.Write("a.cosigned", data); err != nil {
					t.Fatal(err)
				}
				if got, err := shelf.Read("a.cosigned"); err != nil || !bytes.Equal(got, data) {
					t.Errorf("wrote %q, read %q, %v", data, got, err)
				}
			}
			for _, other := range []string{"a-12.tsr", "a-12.checkpoint", "ab-1.tsr"} {
				if err := shelf.Write(other, []byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			names, err := shelf.Names("a-")
			if slices.Sort(names); err != nil || !slices.Equal(names, []string{"a-12.checkpoint", "a-12.tsr"}) {
				t.Errorf("names %q, %v", names, err)
			}
		})
	}
}

// oneLog is the logs of one app.
type oneLog struct{ Logs }

func (oneLog) Logged() []ident.AppName { return []ident.AppName{"app"} }

// What one process keeps of its witnesses, the others serve, also after they have
// served what was there before.
func TestProcessesServeWhatOneKeeps(t *testing.T) {
	rows := RowShelf{new(memory.Rows)}
	asks := &Witnesses{Logs: oneLog{}, Shelf: rows, Now: time.Now}
	serves := &Witnesses{Logs: oneLog{}, Shelf: rows, Now: time.Now}
	if _, _, err := serves.Cosigned("app"); err == nil {
		t.Error("something is cosigned before anybody was asked")
	}
	if _, err := asks.of("app"); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{3, 7} {
		c := merkle.Checkpoint{Origin: "example.com/app", Size: size}
		next := kept{Signed: []byte(c.String() + "\nby a quorum\n"), Times: Times{Since: time.Unix(1, 0).UTC(), Last: time.Unix(size, 0).UTC()}}
		if err := rows.Write(file("app"), next.format()); err != nil {
			t.Fatal(err)
		}
		got, signed, err := serves.Cosigned("app")
		if err != nil || got != c || !bytes.Equal(signed, next.Signed) {
			t.Errorf("serves %v %q, %v; want %v", got, signed, err, c)
		}
		status, err := serves.Status("app")
		if err != nil || status.Size != size || !status.Last.Equal(next.Last) {
			t.Errorf("status %+v, %v", status, err)
		}
	}
}
