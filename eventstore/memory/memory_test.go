package memory_test

import (
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) eventstore.Store { return new(memory.Store) })
	t.Run("moved", func(t *testing.T) {
		storetest.Run(t, func(*testing.T) eventstore.Store { return eventstore.Moved(new(memory.Store), 1000) })
	})
}

func TestShared(t *testing.T) {
	storetest.RunShared(t, func(*testing.T) (eventstore.Store, eventstore.Store) {
		s := new(memory.Store)
		return s, s
	})
}

func TestRows(t *testing.T) {
	storetest.RunRows(t, func(*testing.T) eventstore.Rows { return new(memory.Rows) })
}

func TestAppending(t *testing.T) {
	storetest.RunAppending(t, func(*testing.T) (eventstore.Store, eventstore.Rows) { return new(memory.Store), new(memory.Rows) })
}
