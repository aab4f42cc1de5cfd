package esdb

import (
	"testing"

	"consentledger/eventstore"
)

// TestNotesStayAsTheyAre holds what is written for good.
func TestNotesStayAsTheyAre(t *testing.T) {
	id := eventstore.EventID{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6, 7, 8}
	for _, tt := range []struct {
		note  note
		text  string
		event string
	}{
		{note{id, 1, 1}, `{"id":"01234567-89ab-cdef-0102-030405060708"}`, "9826ea93-0011-5da2-81ce-a65ad8b2ba59"},
		{note{id, 2, 3}, `{"id":"01234567-89ab-cdef-0102-030405060708","part":2,"of":3}`, "17e7440e-93ee-56a3-b0ec-a5a8b96312e5"},
	} {
		if got := string(tt.note.append(nil)); got != tt.text {
			t.Errorf("%+v is written %s, want %s", tt.note, got, tt.text)
		}
		if got, err := parseNote([]byte(tt.text)); err != nil || got != tt.note {
			t.Errorf("%s is read as %+v, %v", tt.text, got, err)
		}
		if got := eventID("subject-demo-1", 7, tt.note, "test.v1", []byte("{}")).String(); got != tt.event {
			t.Errorf("the event of %s has the id %s, want %s", tt.text, got, tt.event)
		}
	}
}

// TestAnIDSaysEverything changes one thing after the other.
func TestAnIDSaysEverything(t *testing.T) {
	n := note{eventstore.EventID{1}, 1, 2}
	seen := map[eventstore.EventID]int{}
	for i, id := range []eventstore.EventID{
		eventID("a", 1, n, "t", []byte("x")),
		eventID("b", 1, n, "t", []byte("x")),
		eventID("a", 2, n, "t", []byte("x")),
		eventID("a", 1, note{eventstore.EventID{2}, 1, 2}, "t", []byte("x")),
		eventID("a", 1, note{n.ID, 2, 2}, "t", []byte("x")),
		eventID("a", 1, note{n.ID, 1, 1}, "t", []byte("x")),
		eventID("a", 1, n, "u", []byte("x")),
		eventID("a", 1, n, "tx", nil),
		eventID("a", 1, n, "t", []byte("y")),
		eventID("a", 1, n, "t", nil),
	} {
		if before, is := seen[id]; is {
			t.Errorf("%d and %d have the id %s", before, i, id)
		}
		if id[6]>>4 != 5 || id[8]>>6 != 2 {
			t.Errorf("%s is no UUID of version 5", id)
		}
		seen[id] = i
	}
}

func FuzzNote(f *testing.F) {
	for _, s := range []string{"", `{"id":"01234567-89ab-cdef-0102-030405060708"}`, `{"id":"01234567-89ab-cdef-0102-030405060708","part":2,"of":3}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := parseNote(b)
		if err == nil && string(n.append(nil)) != string(b) {
			t.Errorf("%q was read as %+v", b, n)
		}
	})
}
