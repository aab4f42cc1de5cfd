package main

import (
	"testing"

	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/eventstore"
)

func FuzzMoveMark(f *testing.F) {
	f.Add(ledgerserver.MoveMark{State: ledgerserver.Arriving, ID: "0123", To: "/var/lib/ledger \"1\"\n"}.Row().Value)
	f.Add(ledgerserver.MoveMark{State: ledgerserver.Leaving, ID: "0123", To: "data"}.Row().Value)
	f.Fuzz(func(t *testing.T, value []byte) {
		m, err := ledgerserver.ParseMoveMark(value)
		if err != nil {
			return
		}
		if again, err := ledgerserver.ParseMoveMark(m.Row().Value); err != nil || again != m {
			t.Errorf("%+v is written as %q, and read as %+v, %v", m, m.Row().Value, again, err)
		}
	})
}

func FuzzMigrationNote(f *testing.F) {
	n := ledgerserver.NewMigrationNote("/var/lib/ledger \"1\"\n")
	f.Add(n.Text())
	n.Records, n.Last = 7, eventstore.EventID{1}
	f.Add(n.Text())
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ledgerserver.ParseMigrationNote(text)
		if err != nil {
			return
		}
		if again, err := ledgerserver.ParseMigrationNote(n.Text()); err != nil || again != n {
			t.Errorf("%+v is written as %q, and read as %+v, %v", n, n.Text(), again, err)
		}
	})
}
