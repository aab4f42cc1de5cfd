package intake

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
)

// A sleeper is the ledger as a process sees it that sleeps now and then: what it has
// begun goes on when it wakes.
type sleeper struct {
	*faulty
	awake sync.RWMutex
	took  atomic.Int64 // messages of the stream that it took
}

func (s *sleeper) Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error) {
	s.awake.RLock()
	defer s.awake.RUnlock()
	s.took.Add(1)
	return s.faulty.Execute(ctx, req)
}

// Processes take turns at the stream, and none knows that its turn is over: it sleeps
// with messages in hand, and wakes when another has them too. Every person's messages
// are recorded in their order, each once, and none is said to be lost.
func TestTurnsKeepEachPersonsOrder(t *testing.T) {
	d := rememberingServer(t)
	var processes [3]*sleeper
	var tokens [3]chan struct{}
	for i := range processes {
		processes[i], tokens[i] = &sleeper{faulty: d.faulty}, make(chan struct{}, 8)
		h := *d.testServer
		h.config.Ledger, h.config.Watch = processes[i], new(Watch)
		h.config.Turn = func(ctx context.Context, do func(context.Context) error) error {
			select {
			case <-tokens[i]:
				return do(ctx)
			case <-ctx.Done():
				return nil
			}
		}
		defer h.start()()
	}

	const rounds, persons = 9, 7
	next := 0
	publish := func() {
		for range 40 {
			d.publish("consent.withdrawn", event(strconv.Itoa(next), "consent.withdrawn", fmt.Sprint("person-", next%persons), `{"all":true}`))
			next++
		}
	}
	for n := range rounds {
		p := processes[n%len(processes)]
		took := p.took.Load() // before there is anything to take: it may be faster than this test
		tokens[n%len(processes)] <- struct{}{}
		publish()
		d.until("the process whose turn it is takes some", func() bool { return p.took.Load() > took })
		p.awake.Lock() // it sleeps, with what it has in hand
		publish()
		before := processes[(n+len(processes)-1)%len(processes)]
		if before != p && n > 0 {
			before.awake.Unlock() // one that slept wakes up
		}
	}
	tokens[0] <- struct{}{}
	processes[(rounds-1)%len(processes)].awake.Unlock()
	d.until("all are taken", func() bool {
		s, err := d.js.Stream(t.Context(), InStream)
		return err == nil && s.CachedInfo().State.Msgs == 0
	})

	seen, last := map[string]bool{}, map[int]int{}
	for _, id := range d.faulty.taken() {
		if seen[id] {
			continue
		}
		seen[id] = true
		i, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		if before, has := last[i%persons]; has && before > i {
			t.Errorf("message %d of person %d was recorded after %d", i, i%persons, before)
		}
		last[i%persons] = i
	}
	if len(seen) != next {
		t.Errorf("%d were recorded, want %d", len(seen), next)
	}
	if lines := d.told(); len(lines) > 0 {
		t.Errorf("said to be lost: %q", lines)
	}
	if text := d.log.text(); strings.Contains(text, "are lost") {
		t.Errorf("said to be lost: %s", text)
	}
	var consumers []string
	s, err := d.js.Stream(t.Context(), InStream)
	if err != nil {
		t.Fatal(err)
	}
	for name := range s.ConsumerNames(t.Context()).Name() {
		consumers = append(consumers, name)
	}
	if len(consumers) != 1 || !strings.HasPrefix(consumers[0], "ledger-"+strconv.Itoa(rounds+1)+"-") {
		t.Errorf("consumers %q, want that of the last term alone", consumers)
	}
}

// Of processes that begin a term at once one does, and what an older term knows is
// written no more.
func TestOneBeginsATerm(t *testing.T) {
	rows := new(memory.Rows)
	ended := make(chan string, 100)
	over := func(name string) context.CancelCauseFunc { return func(error) { ended <- name } }
	first, err := beginTerm(t.Context(), rows, "one", over("first"))
	if err != nil {
		t.Fatal(err)
	}
	put := eventstore.Change{Put: []eventstore.Row{{Key: []byte(marksRow), Value: []byte("first")}}}
	if err := first.write(t.Context(), rows, put); err != nil {
		t.Fatal(err)
	}

	var won, lost int
	var mu sync.Mutex
	var crowd sync.WaitGroup
	for range 20 {
		crowd.Go(func() {
			_, err := beginTerm(t.Context(), rows, "two", over("other"))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, errOver):
				lost++
			default:
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	left := 0
	for _, err := range rows.Scan(t.Context(), []byte(termRows)) {
		if err != nil {
			t.Fatal(err)
		}
		left++
	}
	if won == 0 || won+lost != 20 || left != 1 {
		t.Errorf("%d began, %d were too late, %d rows are left", won, lost, left)
	}

	put.Put[0].Value = []byte("late")
	if err := first.write(t.Context(), rows, put); !errors.Is(err, errOver) {
		t.Errorf("a write of a term that is over: %v", err)
	}
	if err := first.lasts(t.Context(), rows); !errors.Is(err, errOver) {
		t.Errorf("a term that is over lasts: %v", err)
	}
	if value, _, err := rows.Get(t.Context(), []byte(marksRow)); err != nil || string(value) != "first" {
		t.Errorf("the marks are %q, %v", value, err)
	}
	if name := <-ended; name != "first" {
		t.Errorf("%s was told that it is over", name)
	}
}
