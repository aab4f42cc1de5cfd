package esdb_test

import (
	"fmt"
	"strings"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
)

// turns are n records of streams that take turns.
func turns(n int) (records []eventstore.Recorded) {
	lengths := map[eventstore.Stream]eventstore.Revision{}
	for i := range n {
		stream := eventstore.Stream(fmt.Sprint("s", i*i%31))
		lengths[stream]++
		records = append(records, eventstore.Recorded{
			Record: numbered(uint64(i+1), fmt.Append(nil, i)), Stream: stream, Revision: lengths[stream],
		})
	}
	return records
}

// Connections break in the middle of an import, behind records that are stored and in
// front of some that are not: all are there in the end, once, in their order.
func TestAnImportKeepsItsOrderWhenConnectionsBreak(t *testing.T) {
	server := serve(t, esdbserver.Options{})
	server.SetFaults(esdbserver.Faults{Append: func(w esdbserver.Write) *esdbserver.Fate {
		if w.Events == 0 || w.Number%150 != 0 {
			return nil
		}
		return &esdbserver.Fate{Say: esdbserver.ConnectionReset}
	}})
	s := open(t, addressOf(server), esdb.Options{})
	const n = 1500
	want := turns(n)
	for from := 0; from < n; from += 500 {
		if _, err := eventstore.Import(t.Context(), s, want[from:from+500]...); err != nil {
			t.Fatal(err)
		}
	}

	i := 0
	for r, err := range s.ReadAll(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if i == n || r.ID != want[i].ID || r.Stream != want[i].Stream || r.Revision != want[i].Revision {
			t.Fatalf("record %d is %s of %s, revision %d", i, r.ID, r.Stream, r.Revision)
		}
		i++
	}
	if i != n {
		t.Errorf("%d records, want %d", i, n)
	}
}

// A server that refuses one append and takes those that were sent behind it has another
// order than was asked for: the import ends with an error, and nothing more is written.
func TestAnImportThatLostItsOrderSaysSo(t *testing.T) {
	server := serve(t, esdbserver.Options{})
	server.SetFaults(esdbserver.Faults{Append: func(w esdbserver.Write) *esdbserver.Fate {
		if w.Number != 20 {
			return nil
		}
		return &esdbserver.Fate{Lost: true, Say: esdbserver.CommitTimeout}
	}})
	s := open(t, addressOf(server), esdb.Options{})
	_, err := eventstore.Import(t.Context(), s, turns(100)...)
	if err == nil || !strings.Contains(err.Error(), "order of what is imported is lost") {
		t.Fatalf("got %v, want that the order is lost", err)
	}
	if _, err := s.Append(t.Context(), "more", 0, numbered(9999, nil)); err == nil {
		t.Error("the store takes more")
	}
}
