package trail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/memory"
)

// kept returns what a trail has after a number.
func kept(t *testing.T, tr *Trail, after uint64) (list []Numbered) {
	t.Helper()
	for n, err := range tr.After(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

func now() deadline.Instant { return deadline.At(time.Now()) }

// Many processes that write at once leave no gap and lose nothing.
func TestEventsOfManyProcessesAreNumberedWithoutGaps(t *testing.T) {
	rows := new(memory.Rows)
	var all sync.WaitGroup
	for process := range 4 {
		tr := &Trail{Rows: rows, Now: now}
		all.Go(func() {
			for i := range 10 {
				e := Event{Kind: SignedIn, Principal: fmt.Sprintf("p-%d-%d", process, i), Way: "key"}
				if err := tr.Append(t.Context(), e, Event{Kind: SignedOut, Principal: e.Principal, Why: "here"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()

	list := kept(t, &Trail{Rows: rows, Now: now}, 0)
	seen := map[Event]bool{}
	for i, n := range list {
		if n.Number != uint64(i+1) {
			t.Errorf("event %d has the number %d", i+1, n.Number)
		}
		seen[n.kind()] = true
	}
	if len(list) != 80 || len(seen) != 80 {
		t.Errorf("%d events of %d kinds, want 80 of 80", len(list), len(seen))
	}
}

// Pages of events that are read at once have a thousand: what is read after any number
// begins with the next, also over their ends.
func TestReadingGoesOnOverTheEndsOfPages(t *testing.T) {
	tr := &Trail{Rows: new(memory.Rows), Now: now}
	for range 3 {
		events := make([]Event, 700)
		for i := range events {
			events[i].Kind = SignInRefused
		}
		if err := tr.Append(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
	}
	for _, after := range []uint64{0, 1, 998, 999, 1000, 1001, 1999, 2000, 2098, 2099, 2100, 5000} {
		list := kept(t, tr, after)
		want := 2100 - int(min(after, 2100))
		if len(list) != want || want > 0 && (list[0].Number != after+1 || list[want-1].Number != 2100) {
			t.Errorf("after %d there are %d events, want %d", after, len(list), want)
		}
	}
}

// The first of a kind is written within a second, and how many more there were once a
// minute: somebody who tries all the time fills no disk.
func TestWhatComesAgainAndAgainIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &Trail{Rows: new(memory.Rows), Now: now}
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { tr.Run(ctx, func(err error) { t.Error(err) }) })

		begun := now()
		for range 1800 { // for three minutes
			tr.Note(Event{Kind: Unauthenticated, Way: "http", Why: "unknown-key"})
			time.Sleep(100 * time.Millisecond)
		}
		stop()
		run.Wait()

		list := kept(t, tr, 0)
		total := 0
		for _, n := range list {
			total += n.Count
		}
		if total != 1800 || len(list) > 5 || len(list) < 4 {
			t.Errorf("%d events in %d rows", total, len(list))
		}
		if first := list[0]; first.At-begun > 1000 || first.First != begun {
			t.Errorf("the first is of %d ms later", first.At-begun)
		}
	})
}

// Who tries everything there is fills no memory: what is too much is counted together, and
// still all of it.
func TestKindsThatAreTooManyAreCountedTogether(t *testing.T) {
	tr := &Trail{Rows: new(memory.Rows), Now: now}
	for i := range 1000 {
		tr.Note(Event{Kind: Forbidden, Why: "role", Principal: fmt.Sprint("p-", i)})
	}
	if err := tr.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, total := kept(t, tr, 0), 0
	for _, n := range list {
		total += n.Count
	}
	if total != 1000 || len(list) != 2*mostKinds+1 {
		t.Errorf("%d events in %d rows, want 1000 in %d", total, len(list), 2*mostKinds+1)
	}
}

// TestWhoTriesEverythingHidesNobody: neither is somebody else counted among theirs, nor are
// there so many rows that older ones are removed for them.
func TestWhoTriesEverythingHidesNobody(t *testing.T) {
	tr := &Trail{Rows: new(memory.Rows), Now: now}
	for i := range 1000 {
		tr.Note(Event{Kind: Forbidden, Why: "role", Principal: "p-loud", Route: fmt.Sprint("GET /", i)})
	}
	quiet := Event{Kind: Forbidden, Why: "role", Principal: "p-quiet", Route: "GET /v1/backup"}
	tr.Note(quiet)
	if err := tr.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, loud := kept(t, tr, 0), 0
	for _, n := range list {
		if n.Principal == "p-loud" {
			loud += n.Count
		}
	}
	told := slices.ContainsFunc(list, func(n Numbered) bool { return n.kind() == quiet })
	if loud != 1000 || !told || len(list) != mostOfOne+2 {
		t.Errorf("%d of who was loud, the other told %t, in %d rows", loud, told, len(list))
	}
}

// A faulty is rows that fail, before they wrote or after.
type faulty struct {
	eventstore.Rows
	before, after bool
}

func (f *faulty) Write(ctx context.Context, c eventstore.Change) error {
	if f.before {
		return errors.New("the disk is away")
	}
	err := f.Rows.Write(ctx, c)
	if f.after {
		return errors.New("the disk does not say")
	}
	return err
}

// What could not be written is counted on. What may have been written is told of twice
// rather than not at all.
func TestARoundThatFailsLosesNothing(t *testing.T) {
	for name, f := range map[string]*faulty{"nothing written": {before: true}, "everything written": {after: true}} {
		f.Rows = new(memory.Rows)
		tr := &Trail{Rows: f, Now: now}
		tr.Note(Event{Kind: SignInRefused, Why: "key"})
		if err := tr.Flush(t.Context()); err == nil {
			t.Errorf("%s: nothing is said", name)
		}
		tr.Note(Event{Kind: SignInRefused, Why: "key"})
		f.before, f.after = false, false
		if err := tr.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		list := kept(t, tr, 0)
		if last := list[len(list)-1]; last.Count != 2 {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// Events are removed when their time is over, and the oldest when there are too many, and
// it is known up to where. Of two processes that do so none brings back what the other
// removed.
func TestWhatIsOverIsRemoved(t *testing.T) {
	at := now()
	rows := new(memory.Rows)
	tr := &Trail{Rows: rows, Now: func() deadline.Instant { return at }}
	other := &Trail{Rows: rows, Now: tr.Now}
	for range 3 {
		if err := tr.Append(t.Context(), Event{Kind: SignedIn, Way: "key", Principal: "p-1"}); err != nil {
			t.Fatal(err)
		}
		at += deadline.Instant((Days * 24 * time.Hour / 2).Milliseconds())
	}

	at++
	for _, one := range []*Trail{tr, other, tr} {
		if err := one.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		gone, err := one.Gone(t.Context())
		if list := kept(t, one, 0); err != nil || gone != 2 || len(list) != 1 || list[0].Number != 3 {
			t.Errorf("gone up to %d, kept %v, %v", gone, list, err)
		}
	}
	if err := tr.Append(t.Context(), Event{Kind: SignedOut, Principal: "p-1", Why: "here"}); err != nil {
		t.Fatal(err)
	}
	if list := kept(t, tr, 3); len(list) != 1 || list[0].Number != 4 {
		t.Errorf("%v", list)
	}
}

// Rows as they are on somebody's disk are read for ever.
func TestRowsOfTodayAreReadForEver(t *testing.T) {
	rows := new(memory.Rows)
	put := []eventstore.Row{
		{Key: []byte("access-trail/1/newest"), Value: []byte("\x00\x00\x00\x00\x00\x00\x00\x03")},
		{Key: []byte("access-trail/1/oldest"), Value: []byte("\x00\x00\x00\x00\x00\x00\x00\x02")},
		{Key: []byte("access-trail/1/event/0000000000000002"), Value: []byte(`{"v":1,"kind":"signed-in","at":1767225600000,"principal":"p-1","way":"key"}`)},
		{Key: []byte("access-trail/1/event/0000000000000003"), Value: []byte(`{"v":1,"kind":"forbidden","at":1767225700000,"first":1767225600000,"count":7,` +
			`"principal":"p-1","by":"p-2","way":"http","why":"role","operation":"export","route":"POST /v1/apps/{app}/export","app":"shop","trace":"0af7651916cd43dd8448eb211c80319c"}`)},
	}
	if err := rows.Write(t.Context(), eventstore.Change{Put: put}); err != nil {
		t.Fatal(err)
	}
	want := []Numbered{
		{2, Event{Kind: SignedIn, At: 1767225600000, First: 1767225600000, Count: 1, Principal: "p-1", Way: "key"}},
		{3, Event{Kind: Forbidden, At: 1767225700000, First: 1767225600000, Count: 7, Principal: "p-1", By: "p-2", Way: "http", Why: "role",
			Operation: "export", Route: "POST /v1/apps/{app}/export", App: "shop", Trace: "0af7651916cd43dd8448eb211c80319c"}},
	}
	tr := &Trail{Rows: rows, Now: now}
	list := kept(t, tr, 0)
	if !slices.Equal(list, want) {
		t.Errorf("%+v, want %+v", list, want)
	}
	for i, n := range list { // and written as they were
		if r := rowOf(n.Number, n.Event); string(r.Value) != string(put[i+2].Value) || string(r.Key) != string(put[i+2].Key) {
			t.Errorf("%s %s, want %s", r.Key, r.Value, put[i+2].Value)
		}
	}

	for what, value := range map[string]string{
		"a newer version":    `{"v":2,"kind":"signed-in","at":1}`,
		"a newer kind":       `{"v":1,"kind":"teleported","at":1}`,
		"a newer member":     `{"v":1,"kind":"signed-in","at":1,"mood":"well"}`,
		"what is no JSON":    `{`,
		"what is in no form": `7`,
	} {
		broken := eventstore.Row{Key: put[3].Key, Value: []byte(value)}
		if err := rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{broken}}); err != nil {
			t.Fatal(err)
		}
		var failed error
		for _, err := range tr.After(t.Context(), 2) {
			failed = errors.Join(failed, err)
		}
		if failed == nil || !strings.Contains(failed.Error(), "event 3") || strings.Contains(failed.Error(), "teleported") {
			t.Errorf("%s: %v", what, failed)
		}
	}
}

// Where nobody is authenticated there is no trail, and whoever notes needs not know.
func TestNothingIsNotedWithoutATrail(t *testing.T) {
	var tr *Trail
	tr.Note(Event{Kind: SignInRefused})
}

// appendMany writes events in batches, each with a number of its own as its trace.
func appendMany(t *testing.T, tr *Trail, many int, of func(i int) Event) {
	t.Helper()
	for i := 0; i < many; {
		var batch []Event
		for ; i < many && len(batch) < page; i++ {
			batch = append(batch, of(i))
		}
		if err := tr.Append(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
	}
}

// counts returns how many events of each share are kept, and the number of the oldest.
func counts(t *testing.T, tr *Trail) (many map[share]int, oldest map[share]uint64) {
	t.Helper()
	many, oldest = map[share]int{}, map[share]uint64{}
	for _, n := range kept(t, tr, 0) {
		of := share{n.Kind, n.Principal, n.Why}
		if many[of]++; oldest[of] == 0 {
			oldest[of] = n.Number
		}
	}
	return many, oldest
}

// A flood of one kind, by one principal or by nobody that is known, pushes out its own events
// and nothing else: what others did before it, and while it lasted, stays.
func TestAFloodPushesOutItsOwnAlone(t *testing.T) {
	const most = 5_000
	tr := &Trail{Rows: new(memory.Rows), Now: now, most: most}
	few := func(i int) Event {
		return []Event{
			{Kind: SignedIn, Way: "key", Principal: fmt.Sprint("p-", i%7)},
			{Kind: Forbidden, Way: "http", Why: "role", Principal: fmt.Sprint("p-", i%7)},
			{Kind: Unauthenticated, Way: "http", Why: "revoked-key"},
			{Kind: SignInRefused, Why: "key"},
		}[i%4]
	}
	appendMany(t, tr, 200, few)
	appendMany(t, tr, most/2+300, func(int) Event {
		return Event{Kind: Unauthenticated, Way: "http", Why: "unknown-key"}
	})
	appendMany(t, tr, most/2, func(int) Event {
		return Event{Kind: Limited, Way: "http", Principal: "p-1", Why: "rate"}
	})
	appendMany(t, tr, 100, few)
	before, _ := counts(t, tr)

	if err := tr.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, first := counts(t, tr)
	all := 0
	for of, n := range before {
		all += list[of]
		if flood := n > 1_000; flood != (list[of] < n) {
			t.Errorf("of %d %v %d are left", n, of, list[of])
		}
	}
	if all > most*9/10 || all < most*9/10-len(before) {
		t.Errorf("%d are left of %d", all, most+600)
	}
	unknown, limited := share{Unauthenticated, "", "unknown-key"}, share{Limited, "p-1", "rate"}
	if a, b := list[unknown], list[limited]; a != b {
		t.Errorf("of two floods %d and %d are left", a, b)
	}
	if want := uint64(200 + before[unknown] - list[unknown] + 1); first[unknown] != want {
		t.Errorf("of a flood the oldest that is left is %d, want %d", first[unknown], want)
	}
}

// However many there are, a trail ends below its bound, and several processes
// that thin it remove no more than one.
func TestAFullTrailComesBelowItsBound(t *testing.T) {
	const most = 1_000
	rows := new(memory.Rows)
	tr, other := &Trail{Rows: rows, Now: now, most: most}, &Trail{Rows: rows, Now: now, most: most}
	appendMany(t, tr, 2*most, func(i int) Event {
		return Event{Kind: SignedIn, Way: "key", Principal: fmt.Sprint("p-", i)}
	})
	for _, one := range []*Trail{tr, other, tr} {
		if err := one.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	list := kept(t, tr, 0)
	if len(list) != most*9/10 {
		t.Fatalf("%d of %d are left", len(list), most)
	}
	if first, last := list[0].Number, list[len(list)-1].Number; last != 2*most || first != last-uint64(len(list))+1 {
		t.Errorf("of principals with one event each %d to %d are left, and not the newest %d", first, last, len(list))
	}

	// What comes then is counted from there.
	for i, want := range []int{most, most * 9 / 10} {
		appendMany(t, tr, most/10+i, func(int) Event { return Event{Kind: SignInRefused, Why: "key"} })
		if err := tr.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(kept(t, tr, 0)); got != want {
			t.Errorf("%d are left, want %d", got, want)
		}
	}
}
