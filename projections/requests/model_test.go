package requests

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/projectiontest"
	"consentledger/projections/readmodel"
)

// A model is every row of obligations in memory: a report is what a look at each of them
// finds.
type model struct {
	rows []modelRow
}

type modelRow struct {
	row
	to     eventstore.Position
	person string
}

func modelOf(t *testing.T, v *View) (m model) {
	t.Helper()
	err := v.db.View(t.Context(), func(tx *readmodel.Tx, position eventstore.Position) error {
		if err := v.catchUp(tx, position); err != nil {
			return err
		}
		ends, people := map[int64]int64{}, map[int64]string{}
		err := tx.Each("SELECT r.number, r.to_position, d.person FROM "+byRow, nil, func(scan func(...any) error) error {
			var n, to int64
			var person string
			err := scan(&n, &to, &person)
			ends[n], people[n] = to, person
			return err
		})
		if err != nil {
			return err
		}
		return v.each(tx, byRow, nil, func(r *row) {
			m.rows = append(m.rows, modelRow{*r, eventstore.Position(ends[r.number]), people[r.number]})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// report returns the places of all that a query lets through, in its order, and the summary
// but for what is no obligation.
func (m model) report(q Query, asOf eventstore.Position) (list []Place, sum Summary) {
	heaps := map[heap]int64{}
	for i := range m.rows {
		o := &m.rows[i]
		if o.of.app != q.App || o.from > asOf || o.to <= asOf || o.opened > q.At {
			continue
		}
		if o.test {
			sum.Tests++
			continue
		}
		state := o.at(q.At)
		wanted := (len(q.States) == 0 || slices.Contains(q.States, state)) &&
			(len(q.Lanes) == 0 || slices.Contains(q.Lanes, o.of.group())) &&
			(q.Kind == "" || o.of.kind == q.Kind) &&
			(q.Rule == "" || o.of.rule == q.Rule) &&
			(q.Person == "" || o.person == q.Person) &&
			(q.Stream == "" || o.stream == q.Stream) &&
			(q.ID == "" || o.of.id == q.ID) &&
			(q.Type == "" || strings.Contains(o.of.types, ","+q.Type+",")) &&
			(q.Provisional == Either || o.provisional == (q.Provisional == Yes)) &&
			(q.Before == 0 || o.day != 0 && o.day < q.Before) &&
			(q.After == 0 || o.day > q.After) &&
			(!q.Binding || o.binding) &&
			(q.Since == 0 || o.settled == 0 || o.settled >= q.Since)
		if !wanted {
			continue
		}
		heaps[heap{o.of, state, o.binding, o.days}]++
		p := q.Sort.at(o.of, state, o.over, o.opened)
		p.Stream, p.ID = o.stream, o.of.id
		list = append(list, p)
	}
	slices.SortFunc(list, Place.compare)
	sum.count(heaps)
	return list, sum
}

// A generator tells at random what becomes of obligations.
type generator struct {
	*rand.Rand
	position eventstore.Position
	now      deadline.Instant
	streams  []*owedStream
	entries  []codec.Entry
	marks    []codec.Entry
}

// A owedStream is a stream, and what is owed in it.
type owedStream struct {
	id     ident.StreamID
	person string
	open   []domain.ObligationOpened
}

func (f *generator) tell(stream ident.StreamID, e domain.Event) codec.Entry {
	var id eventstore.EventID
	f.position += eventstore.Position(1 + f.IntN(3)) // positions have gaps
	binary.BigEndian.PutUint64(id[8:], uint64(f.position))
	entry := codec.Entry{Envelope: codec.Envelope{ID: id, Stream: stream, At: f.now, Recorded: f.now}, Event: e, Position: f.position}
	f.entries = append(f.entries, entry)
	return entry
}

func (f *generator) person() string { return fmt.Sprintf("%032x", f.IntN(12)) }

func (f *generator) due(rule deadline.Rule, start deadline.Instant, pauses []deadline.Pause) deadline.Due {
	due, err := deadline.Compute(rule, start, pauses, false, deadline.Calendars{})
	if err != nil {
		panic(err)
	}
	return due
}

var someRules = []deadline.Rule{
	{ID: "w15", Source: "1", Unit: deadline.UnitWorkingDay, Length: 15, Calendar: "CN", TimeZone: "Asia/Shanghai"},
	{ID: "d30", Source: "1", Unit: deadline.UnitCalendarDay, Length: 30, TimeZone: "Asia/Shanghai", Law: true},
	{ID: "h24", Source: "1", Unit: deadline.UnitHour, Length: 24, TimeZone: "Europe/Berlin"},
	{ID: "m6", Source: "1", Unit: deadline.UnitMonth, Length: 6, TimeZone: "UTC"},
}

// begin opens some obligations, of which one may have no start yet, in a stream that is new.
func (f *generator) begin() {
	s := &owedStream{person: f.person()}
	kind := []policy.DutyKind{policy.DutyReply, policy.DutyDelete, policy.DutyStop, policy.DutyKeep}[f.IntN(4)]
	app := projectiontest.App
	if f.IntN(10) == 0 {
		app = "other"
	}
	s.id = ident.StreamID{Noun: ident.ObligationNoun, App: app, ID: fmt.Sprintf("%x", f.Uint64())}
	var types []request.Type
	if kind == policy.DutyReply {
		s.id.Noun = ident.RequestNoun
		types = [][]request.Type{{request.Access}, {request.Withdraw}, {request.Copy, request.Complaint}}[f.IntN(3)]
	}
	for i := range 1 + f.IntN(3) {
		rule, start := someRules[(i+f.IntN(2))%len(someRules)], f.now
		if f.IntN(8) == 0 {
			start = 0
		}
		x := domain.ObligationOpened{
			Obligation: obligation.Obligation{ID: fmt.Sprint(kind, ".", i), Kind: kind, Types: types, Rule: rule, Version: content.Hash{1}},
			Due:        f.due(rule, start, nil),
			Cause:      obligation.Cause{Kind: "request.received", Subject: s.person},
		}
		s.open = append(s.open, x)
		f.tell(s.id, x)
	}
	f.streams = append(f.streams, s)
}

// goOn tells what becomes of one obligation.
func (f *generator) goOn() {
	s := f.streams[f.IntN(len(f.streams))]
	if f.IntN(3) > 0 { // mostly of the newest
		s = f.streams[len(f.streams)-1-f.IntN(min(6, len(f.streams)))]
	}
	x := &s.open[f.IntN(len(s.open))]
	id := x.Obligation.ID
	switch f.IntN(8) {
	case 0:
		f.tell(s.id, domain.ObligationVoided{ID: id, Reason: "no-data"})
	case 1, 2: // it stands still, maybe under a hold
		reason := []string{"clarification", obligation.LegalHold}[f.IntN(2)]
		pauses := []deadline.Pause{{From: f.now, Reason: reason}}
		was := x.Due
		x.Due.State, x.Due.Date, x.Due.Until = deadline.Suspended, 0, 0
		f.tell(s.id, domain.ObligationMoved{ID: id, Was: was, Due: x.Due, Pauses: pauses})
	case 3: // it goes on, or is computed again
		was := x.Due
		x.Due = f.due(x.Obligation.Rule, f.now, nil)
		f.tell(s.id, domain.ObligationMoved{ID: id, Was: was, Due: x.Due})
	case 4:
		f.tell(s.id, domain.ObligationAtRisk{ID: id})
	default: // met, or somebody learned only now that it was met before
		met := f.now.Add(-deadline.Span(f.IntN(3)*f.IntN(10)) * deadline.Day)
		f.tell(s.id, domain.ObligationMet{ID: id, Met: met, Late: f.IntN(3) == 0, By: obligation.Cause{Kind: "request.answered"}})
	}
}

// mark marks somebody as a test, or takes a mark back.
func (f *generator) mark() {
	if n := len(f.marks); n > 0 && f.IntN(2) == 0 {
		was := f.marks[f.IntN(n)]
		f.tell(was.Stream, domain.RecordVoided{Records: []ident.EventID{ident.EventID(was.ID)}})
		return
	}
	person := ident.StreamID{Noun: ident.SubjectNoun, App: projectiontest.App, ID: f.person()}
	f.marks = append(f.marks, f.tell(person, domain.SubjectMarkedTest{Reason: "load"}))
}

// query asks for something, of any moment and as known at any.
func (f *generator) query() Query {
	q := Query{App: projectiontest.App, At: f.now.Add(deadline.Day), Limit: 1 + f.IntN(40)}
	q.Sort = []Sort{ByDue, ByOpened, ByState, ""}[f.IntN(4)]
	span := f.now - projectiontest.Start
	moment := func() deadline.Instant { return projectiontest.Start + deadline.Instant(f.Int64N(int64(span)+1)) }
	if f.IntN(2) == 0 {
		q.At = moment()
	}
	if f.IntN(3) == 0 {
		q.Known = Known{Past: true, At: eventstore.Position(1 + f.IntN(int(f.position)))}
	}
	for range f.IntN(3) {
		switch f.IntN(12) {
		case 0:
			q.States = []State{StateOverdue, StateAtRisk, StateOpen}
		case 1:
			q.States = []State{State(1 + f.IntN(int(StateVoid)))}
		case 2:
			q.Lanes = []Lane{Lane(f.IntN(2))}
		case 3:
			q.Kind = policy.DutyReply
		case 4:
			q.Type = "copy"
		case 5:
			q.Rule = someRules[f.IntN(len(someRules))].ID
		case 6:
			q.Stream = f.streams[f.IntN(len(f.streams))].id.String()
		case 7:
			q.Person = f.person()
		case 8:
			q.Provisional = Choice(1 + f.IntN(2))
		case 9:
			q.Before = deadline.Zone{}.Date(moment())
		case 10:
			q.After = deadline.Zone{}.Date(moment())
		case 11:
			q.Since, q.Binding = moment(), f.IntN(2) == 0
		}
	}
	return q
}

// TestAReportIsWhatALookAtEveryRowFinds asks at random of what became of obligations at random,
// with every filter, of any moment and as known at any, page by page.
func TestAReportIsWhatALookAtEveryRowFinds(t *testing.T) {
	for seed := range uint64(3) {
		v, err := Open(t.Context(), projectiontest.Place(t))
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		f := &generator{Rand: rand.New(rand.NewPCG(seed, 15)), now: projectiontest.Start}
		found := 0
		for round := range 8 {
			for range 60 {
				f.now = f.now.Add(deadline.Span(f.IntN(40)) * deadline.Hour)
				switch n := f.IntN(10); {
				case n < 5 || len(f.streams) == 0:
					f.begin()
				case n == 5 && f.IntN(4) == 0:
					f.mark()
				default:
					f.goOn()
				}
			}
			size := 1 + f.IntN(80)
			for batch := range slices.Chunk(f.entries, size) {
				if err := v.Apply(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
			}
			f.entries = nil

			m := modelOf(t, v)
			for range 12 {
				found += compare(t, v, m, f.query(), f.position)
			}
			compareStanding(t, v, m, f.now)
			if t.Failed() {
				t.Fatalf("seed %d, round %d", seed, round)
			}
		}
		if found < 1000 {
			t.Errorf("seed %d: only %d obligations were found at all", seed, found)
		}
	}
}

// compare holds the pages and the summary of a query against the model.
func compare(t *testing.T, v *View, m model, q Query, position eventstore.Position) int {
	t.Helper()
	asOf, err := q.Known.position(position)
	if err != nil {
		t.Fatal(err)
	}
	want, sum := m.report(q, asOf)
	got, pages := []Place{}, 0
	for next := (Place{}); ; pages++ {
		q.From = next
		list, after, s, _, err := v.Report(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list {
			got = append(got, q.Sort.place(&o))
		}
		if s.Grounds, s.Fees = nil, nil; !reflect.DeepEqual(s, sum) {
			t.Errorf("%+v\nsums up to %+v\nwant       %+v", q, s, sum)
		}
		if next = after; next == (Place{}) {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v as of %d in %d pages\ngot  %v\nwant %v", q, asOf, pages+1, got, want)
	}

	q.From, q.Limit = Place{}, 0
	got = got[:0]
	if _, err := v.Each(context.Background(), q, func(o Obligation) error { got = append(got, q.Sort.place(&o)); return nil }); err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, all at once\ngot  %v\nwant %v, %v", q, got, want, err)
	}
	return len(want)
}

func compareStanding(t *testing.T, v *View, m model, at deadline.Instant) {
	t.Helper()
	got, err := v.CountStates(t.Context(), at)
	want := map[State]int64{}
	for i := range m.rows {
		if o := &m.rows[i]; int64(o.to) == until(forever) && !o.test && o.opened <= at {
			want[o.at(at)]++
		}
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v stand, want %v, %v", got, want, err)
	}
}

// A row is found at every position that it holds, and at no other.
func TestARowIsFoundByItsForkWhileItHolds(t *testing.T) {
	type looked struct{ before, after map[any]bool }
	var at [150]looked // where a row that holds a position is looked for
	for p := range at {
		at[p] = looked{before: map[any]bool{}, after: map[any]bool{}}
		before, after := forks(eventstore.Position(p))
		for _, f := range before {
			at[p].before[f] = true
		}
		for _, f := range after {
			at[p].after[f] = true
		}
	}

	for from := eventstore.Position(1); from < 70; from++ {
		for to := from + 1; to < 140; to++ {
			f := fork(from, to)
			for p := eventstore.Position(1); p < eventstore.Position(len(at)); p++ {
				found := at[p].before[f] && p < to || at[p].after[f] && from <= p
				if holds := from <= p && p < to; found != holds {
					t.Fatalf("from %d to %d, fork %d: at %d found %v, holds %v", from, to, f, p, found, holds)
				}
			}
		}
	}
	for _, p := range []eventstore.Position{1, 1 << 40, 1<<62 + 5, 1<<63 - 2} {
		if before, after := forks(p); !slices.Contains(append(before, after...), any(fork(p, p+1))) {
			t.Errorf("a row that holds %d alone has the fork %d, which is not looked for", p, fork(p, p+1))
		}
	}
	if cmp.Or(fork(7, forever), fork(7, 7)) != 0 {
		t.Error("what was not replaced, or never held, has a fork")
	}
}
