package vault

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/eventstore/storetest"
)

// on says, if it is "postgres", that the tests of this package keep their rows there.
const on = "CONSENTLEDGER_TEST_ON"

// newRows returns empty rows.
var newRows = func() eventstore.Rows { return new(memory.Rows) }

// twoRows returns empty rows as two processes have them.
var twoRows = func() (here, there eventstore.Rows) {
	r := newRows()
	return r, r
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(on) != "postgres" {
		return m.Run()
	}
	server, stop, err := pgservertest.Main("max_connections = 50")
	if err != nil {
		panic(err)
	}
	defer stop()
	address, err := postgres.ParseAddress(server.Address("postgres"))
	if err != nil {
		panic(err)
	}
	var processes [2]eventstore.Rows
	for i := range processes {
		r, err := postgres.OpenRows(address, postgres.Options{})
		if err != nil {
			panic(err)
		}
		defer r.Close()
		processes[i] = r
	}
	var used atomic.Int64
	twoRows = func() (here, there eventstore.Rows) {
		prefix := fmt.Sprintf("%d/", used.Add(1))
		return storetest.Below(processes[0], prefix), storetest.Below(processes[1], prefix)
	}
	newRows = func() eventstore.Rows {
		r, _ := twoRows()
		return r
	}
	return m.Run()
}

// TestAllOnPostgres runs the tests of this package once more, over [postgres.Rows].
func TestAllOnPostgres(t *testing.T) {
	if os.Getenv(on) != "" {
		return // this is that run
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.count=1", "-test.v", "-test.skip=^(TestACache|TestAllOn|Fuzz|Benchmark)")
	cmd.Env = append(os.Environ(), on+"=postgres")
	out, err := cmd.CombinedOutput()
	ran := len(regexp.MustCompile(`(?m)^--- PASS: `).FindAll(out, -1))
	if err != nil || ran < 20 {
		t.Fatalf("%d tests passed: %v\n%s", ran, err, out)
	}
}

// Two processes meet one person at once, again and again: each time both have the same
// pseudonym, and one of them has made it.
func TestTwoProcessesMeetOnePerson(t *testing.T) {
	rows, others := twoRows()
	keys := NewMemoryKeys()
	vaults := [2]*Vault{open(t, rows, keys), open(t, others, keys)}
	for n := range 20 {
		who := Lookup{"smartkey", "account", fmt.Sprint("account-", n)}
		var met [8]*Person
		var fresh atomic.Int64
		var wg sync.WaitGroup
		for i := range met {
			wg.Go(func() {
				p, made, err := vaults[i%2].Enrol(t.Context(), who)
				if err != nil {
					t.Error(err)
					return
				}
				if made {
					fresh.Add(1)
				}
				met[i] = p
			})
		}
		wg.Wait()
		for _, p := range met {
			if p == nil || p.Pseudonym != met[0].Pseudonym || p.root != met[0].root {
				t.Fatalf("round %d: they have met %v", n, met)
			}
		}
		if fresh.Load() != 1 {
			t.Fatalf("round %d: %d have made the person", n, fresh.Load())
		}
	}
}

// One process erases whom another remembers. Nothing of the person is written any
// more, nothing is read, and who comes back is somebody new for both.
func TestOneProcessErasesWhomAnotherRemembers(t *testing.T) {
	rows, others := twoRows()
	keys := NewMemoryKeys()
	here, there := open(t, rows, keys), open(t, others, keys)
	p := enrol(t, here, phone)
	ok(t, here.Put(t.Context(), p, Part{Event: event1, Stream: "s", Role: "subject", Plain: []byte("Ada")}))
	ok(t, here.Link(t.Context(), p, login))
	q, found, err := there.Find(t.Context(), phone)
	if err != nil || !found || q.Pseudonym != p.Pseudonym {
		t.Fatalf("the other process finds %v, %t, %v", q, found, err)
	}
	if _, found, err := there.ByPseudonym(t.Context(), "smartkey", p.Pseudonym); err != nil || !found {
		t.Fatal(found, err)
	}
	ok(t, here.Erase(t.Context(), p, noon, later))

	// What the other remembers does not bring anybody back.
	if text, found, err := there.Part(t.Context(), q, event1, "s", "subject"); err != nil || found {
		t.Errorf("a part is read: %q, %v", text, err)
	}
	for what, err := range map[string]error{
		"a part": there.Put(t.Context(), q, Part{Event: event2, Stream: "s", Role: "subject", Plain: []byte("Ada")}),
		"a link": there.Link(t.Context(), q, Lookup{"smartkey", "account", "another"}),
		"a fold": there.KeepFold(t.Context(), q, "subject", []byte("folded")),
	} {
		if !errors.Is(err, ErrErased) {
			t.Errorf("%s is kept: %v", what, err)
		}
	}
	if _, found, err := there.Find(t.Context(), phone); err != nil || found {
		t.Errorf("after that the other process still knows the person: %v", err)
	}
	if n := count(t, rows, "v/p") + count(t, rows, "v/e") + count(t, rows, "v/l") + count(t, rows, "v/s"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if at, erased, err := there.ErasedAt(t.Context(), phone, noon); err != nil || !erased || !at.Equal(noon) {
		t.Errorf("the other process knows of the erasure: %v, %t, %v", at, erased, err)
	}

	// Here the person comes back, and there as the same new one, by each of their names.
	back := enrol(t, here, phone)
	if back.Pseudonym == p.Pseudonym {
		t.Error("the erased pseudonym is used again")
	}
	if again := enrol(t, there, phone); again.Pseudonym != back.Pseudonym {
		t.Errorf("the other process knows them as %v, want %v", again, back)
	}
}

// One process begins a new epoch, and the other, which has the same file of keys, wraps
// under it from then on. So the old epoch can be retired.
func TestAnotherProcessHearsOfAnEpoch(t *testing.T) {
	rows, others := twoRows()
	path := t.TempDir() + "/keys"
	mine := must[*FileKeys](t)(CreateFileKeys(path))
	here := open(t, rows, mine)
	there := open(t, others, must[*FileKeys](t)(OpenSecretKeys(path)))
	p := enrol(t, there, phone)
	ok(t, mine.Advance())
	q := enrol(t, there, login) // wrapped by who did not begin the epoch
	if n, err := here.Rewrap(t.Context()); err != nil || n < 2 {
		t.Fatalf("%d keys were wrapped anew, %v", n, err)
	}
	ok(t, mine.Retire())

	// Whoever starts now has the new epoch alone.
	third := open(t, rows, must[*FileKeys](t)(OpenSecretKeys(path)))
	for _, want := range []*Person{p, q} {
		got, found, err := third.ByPseudonym(t.Context(), "smartkey", want.Pseudonym)
		if err != nil || !found || got.root != want.root {
			t.Errorf("%v is not read any more: %t, %v", want, found, err)
		}
	}
}
