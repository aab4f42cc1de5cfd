package server

import (
	"testing"

	"consentledger/eventstore"
)

func FuzzMoveMark(f *testing.F) {
	f.Add(MoveMark{State: Arriving, ID: "0123", To: "/var/lib/ledger \"1\"\n"}.Row().Value)
	f.Add(MoveMark{State: Leaving, ID: "0123", To: "data"}.Row().Value)
	f.Fuzz(func(t *testing.T, value []byte) {
		m, err := ParseMoveMark(value)
		if err != nil {
			return
		}
		if again, err := ParseMoveMark(m.Row().Value); err != nil || again != m {
			t.Errorf("%+v is written as %q, and read as %+v, %v", m, m.Row().Value, again, err)
		}
	})
}

func FuzzMigrationNote(f *testing.F) {
	n := NewMigrationNote("/var/lib/ledger \"1\"\n")
	f.Add(n.Text())
	n.Records, n.Last = 7, eventstore.EventID{1}
	f.Add(n.Text())
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseMigrationNote(text)
		if err != nil {
			return
		}
		if again, err := ParseMigrationNote(n.Text()); err != nil || again != n {
			t.Errorf("%+v is written as %q, and read as %+v, %v", n, n.Text(), again, err)
		}
	})
}
