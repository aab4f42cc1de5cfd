package rest

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"net/http"
	"slices"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
)

// VoidPreview names what somebody thinks of voiding: what a build recorded in a
// span of the ledger's time, or single records.
type VoidPreview struct {
	Build   string   `json:"build,omitempty"`
	From    string   `json:"from,omitempty" format:"date-time"`
	To      string   `json:"to,omitempty" format:"date-time" doc:"not included"`
	Records []string `json:"records,omitempty" doc:"event ids, instead of a build"`
	Cursor  string   `json:"cursor,omitempty" doc:"next of the page before"`
	Limit   int      `json:"limit,omitempty" doc:"how many persons to name, at most 1000; absent: 100"`
}

// VoidCount is what a void would be about, and what it would change. Tests are
// left out.
type VoidCount struct {
	Records int          `json:"records"`
	Persons int          `json:"persons"`
	ByType  []TypeCount  `json:"by_type"`
	Unknown int          `json:"unknown" doc:"records that were named and are not of this app's persons"`
	Tests   int          `json:"tests" doc:"how many are no persons but tests, and left out"`
	Effects []VoidEffect `json:"effects" doc:"how many persons would stand otherwise with which purpose"`
	Touched []VoidPerson `json:"touched" doc:"a page of the persons"`
	Next    string       `json:"next,omitzero" doc:"ask again with this cursor; absent: there is no more"`
	AsOf    string       `json:"as_of"`
}

// A VoidEffect is how many persons a void would move from one status to
// another.
type VoidEffect struct {
	Purpose string `json:"purpose"`
	Before  string `json:"before"`
	After   string `json:"after"`
	Persons int    `json:"persons"`
}

// A VoidPerson is a person that a void would be about.
type VoidPerson struct {
	Person  string       `json:"person" doc:"the person's pseudonym"`
	Records int          `json:"records"`
	Changes []VoidChange `json:"changes"`
}

// A VoidChange is where one person would stand with a purpose.
type VoidChange struct {
	Purpose string `json:"purpose"`
	Before  string `json:"before"`
	After   string `json:"after"`
}

// A TypeCount is how many records have a type.
type TypeCount struct {
	Type    string `json:"type"`
	Records int    `json:"records"`
}

func (s *server) voidRoute(api huma.API) {
	bodied[VoidPreview](s, api, "preview-void", http.MethodPost, "/v1/apps/{app}/voids/preview",
		"Which records and persons a void would be about, and where they would stand after it; nothing is recorded. "+
			"It reads the log", maxBody, s.previewVoid)
}

func (s *server) previewVoid(ctx context.Context, in *checkBody) (*out[VoidCount], error) {
	name, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	var b VoidPreview
	if err := question(in.RawBody, &b); err != nil {
		return nil, err
	}

	selection, wanted, err := selectionOf(b)
	if err != nil {
		return nil, err
	}

	selection.App = name
	head, err := s.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}

	entries, err := s.Ledger.SelectBy(ctx, selection, s.Places)
	if err != nil {
		return nil, err
	}

	p := preview{ledger: s.Ledger, asked: b, touched: map[ident.StreamID][]codec.Entry{}}
	found, err := p.find(entries, head, wanted)
	if err != nil {
		return nil, err
	}

	a, err := p.answer(ctx, name)
	if err != nil {
		return nil, err
	}

	a.AsOf = wire.FormatPosition(head)
	if len(b.Records) > 0 {
		a.Unknown = len(b.Records) - found
	}
	return ok(a)
}

// A preview is a void that is looked at.
type preview struct {
	ledger  Ledger
	asked   VoidPreview
	touched map[ident.StreamID][]codec.Entry
}

// find gathers the entries about persons, up to head, that are wanted.
func (p *preview) find(
	entries iter.Seq2[codec.Entry, error], head eventstore.Position, wanted func(codec.Entry) bool,
) (found int, err error) {
	for e, err := range entries {
		if err != nil {
			return found, err
		}
		if e.Position > head {
			break
		}
		if e.Stream.Noun == ident.SubjectNoun && wanted(e) {
			p.touched[e.Stream] = append(p.touched[e.Stream], e)
			found++
		}
	}
	return found, nil
}

// answer counts what was found, and what would change.
func (p *preview) answer(ctx context.Context, app ident.AppName) (VoidCount, error) {
	a := VoidCount{ByType: []TypeCount{}, Effects: []VoidEffect{}, Touched: []VoidPerson{}}
	ref, err := p.ledger.App(ctx, app)
	if err != nil {
		return a, err
	}

	limit := p.asked.Limit
	if limit == 0 {
		limit = 100
	}

	types, effects := map[string]int{}, map[VoidChange]int{}
	for _, stream := range slices.SortedFunc(maps.Keys(p.touched),
		func(x, y ident.StreamID) int { return cmp.Compare(x.ID, y.ID) }) {
		subject, err := p.ledger.Whole(ctx, stream)
		if err != nil {
			return a, err
		}
		if subject.IsTest() {
			a.Tests++
			continue
		}
		person := VoidPerson{stream.ID, len(p.touched[stream]), p.changes(subject, ref, p.touched[stream])}
		a.Persons++
		a.Records += person.Records
		for _, e := range p.touched[stream] {
			types[e.Kind()]++
		}
		for _, c := range person.Changes {
			effects[c]++
		}
		switch {
		case stream.ID <= p.asked.Cursor:
		case len(a.Touched) < limit:
			a.Touched = append(a.Touched, person)
		default:
			a.Next = a.Touched[limit-1].Person
		}
	}

	for _, name := range slices.Sorted(maps.Keys(types)) {
		a.ByType = append(a.ByType, TypeCount{name, types[name]})
	}

	for _, c := range slices.SortedFunc(maps.Keys(effects), compareChanges) {
		a.Effects = append(a.Effects, VoidEffect{c.Purpose, c.Before, c.After, effects[c]})
	}
	return a, nil
}

func compareChanges(c, d VoidChange) int {
	return cmp.Or(cmp.Compare(c.Purpose, d.Purpose), cmp.Compare(c.Before, d.Before), cmp.Compare(c.After, d.After))
}

// changes returns where a person would stand otherwise now.
func (p *preview) changes(s domain.Subject, ref domain.Reference, entries []codec.Entry) []VoidChange {
	now := p.ledger.Now()
	after, then := s, ref
	if p.asked.Build != "" {
		from, to := entries[0].Recorded, entries[len(entries)-1].Recorded+1
		then.Service = ref.Service.Evolve(domain.Fact{Recorded: now, Event: domain.BuildVoided{
			Build: p.asked.Build,
			From:  from,
			To:    to,
		}})
	} else {
		void := domain.RecordVoided{}
		for _, e := range entries {
			void.Records = append(void.Records, ident.EventID(e.ID))
		}
		after = s.Evolve(domain.Fact{At: now, Recorded: now, Event: void})
	}

	changes := []VoidChange{}
	for _, id := range ref.Policies.Declared(now) {
		was, will := s.Standing(id, now, ref).Status, after.Standing(id, now, then).Status
		if was != will {
			changes = append(changes, VoidChange{string(id), was.String(), will.String()})
		}
	}
	return changes
}

// selectionOf returns where to look, and which entries are meant. The ledger's
// times may run a little behind its positions, so that nothing but the entries
// themselves says where the span ends.
func selectionOf(b VoidPreview) (ledger.Selection, func(codec.Entry) bool, error) {
	if b.Limit < 0 || b.Limit > maxRows {
		return ledger.Selection{}, nil, bad("limit is 1 to 1000")
	}
	if (len(b.Records) > 0) == (b.Build != "" || b.From != "" || b.To != "") || len(b.Records) > maxRows {
		return ledger.Selection{}, nil, bad("name a build, from and to; or 1 to 1000 records, and not both")
	}

	if len(b.Records) > 0 {
		ids := map[eventstore.EventID]bool{}
		for _, text := range b.Records {
			id, err := eventstore.ParseEventID(text)
			if err != nil || ids[id] {
				return ledger.Selection{}, nil, bad("records are event ids as receipts write them, each once")
			}
			ids[id] = true
		}
		return ledger.Selection{}, func(e codec.Entry) bool { return ids[e.ID] }, nil
	}

	from, err := deadline.ParseInstant(b.From)
	if err != nil {
		return ledger.Selection{}, nil, bad("from: " + err.Error())
	}

	to, err := deadline.ParseInstant(b.To)
	if err != nil || to <= from || b.Build == "" {
		return ledger.Selection{}, nil,
			bad("name a build, and a time to that is later than from, as in 2026-03-02T09:30:00Z")
	}

	return ledger.Selection{From: from}, func(e codec.Entry) bool {
		return domain.BuildOf(e.Event) == b.Build && from <= e.Recorded && e.Recorded < to
	}, nil
}
