package readmodel_test

import (
	"strconv"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"
)

// TestRowsAreWrittenOnceHoweverMany: what was gathered stands in the file, and
// nothing of it is written again.
func TestRowsAreWrittenOnceHoweverMany(t *testing.T) {
	db, err := readmodel.Open(t.Context(), readmodel.Dir(t.TempDir()), "x", schema)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, want := readmodel.RowsOf("INSERT INTO t", 2, ""), 0
	for i, n := range []int{0, 1, 63, 64, 65, 128, 200, 3} {
		err := db.Apply(t.Context(), []codec.Entry{{Position: eventstore.Position(i + 1)}}, func(tx *readmodel.Tx) error {
			rows.Add(int64(want), "forgotten")
			rows.Forget()
			for range n {
				rows.Add(int64(want), strconv.Itoa(want))
				want++
			}
			if err := rows.Write(tx); err != nil {
				return err
			}
			var count, last int
			if err := tx.Row("SELECT count(*), coalesce(max(k), -1) FROM t WHERE v = CAST(k AS TEXT)", nil, &count, &last); err != nil {
				return err
			}
			if count != want || last != want-1 {
				t.Errorf("after %d more there are %d rows up to %d, want %d", n, count, last, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
