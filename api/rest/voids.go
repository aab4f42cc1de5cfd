package rest

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"slices"

	"consentledger/api/wire"
	"consentledger/domain"
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
}

// VoidCount is what a void would be about.
type VoidCount struct {
	Records int         `json:"records"`
	Persons int         `json:"persons"`
	ByType  []TypeCount `json:"by_type"`
	Unknown int         `json:"unknown" doc:"records that were named and are not of this app's persons"`
	AsOf    string      `json:"as_of"`
}

// A TypeCount is how many records have a type.
type TypeCount struct {
	Type    string `json:"type"`
	Records int    `json:"records"`
}

func (s *server) voidRoute(api huma.API) {
	bodied[VoidPreview](s, api, "preview-void", http.MethodPost, "/v1/apps/{app}/voids/preview",
		"How many records and persons a void would be about; nothing is recorded. It reads the log", maxBody, s.previewVoid)
}

func (s *server) previewVoid(ctx context.Context, in *checkBody) (*out[VoidCount], error) {
	name, err := domain.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}
	var b VoidPreview
	if err := strict(in.RawBody, &b); err != nil {
		return nil, err
	}
	selection, wanted, err := b.selection()
	if err != nil {
		return nil, err
	}
	selection.App = name
	head, err := s.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := s.Ledger.Select(ctx, selection)
	if err != nil {
		return nil, err
	}
	a, err := countVoid(entries, head, wanted)
	if err != nil {
		return nil, err
	}
	if len(b.Records) > 0 {
		a.Unknown = len(b.Records) - a.Records
	}
	return ok(a)
}

// countVoid counts the entries about persons, up to head, that are wanted.
func countVoid(entries iter.Seq2[codec.Entry, error], head eventstore.Position, wanted func(codec.Entry) bool) (VoidCount, error) {
	persons, types := map[domain.StreamID]bool{}, map[string]int{}
	a := VoidCount{ByType: []TypeCount{}, AsOf: wire.FormatPosition(head)}
	for e, err := range entries {
		if err != nil {
			return a, err
		}
		if e.Position > head {
			break
		}
		if e.Stream.Noun == domain.SubjectNoun && wanted(e) {
			a.Records++
			persons[e.Stream] = true
			types[e.Kind()]++
		}
	}
	a.Persons = len(persons)
	for _, name := range slices.Sorted(maps.Keys(types)) {
		a.ByType = append(a.ByType, TypeCount{name, types[name]})
	}
	return a, nil
}

// selection returns where to look, and which entries are meant. The ledger's
// times may run a little behind its positions, so that nothing but the entries
// themselves says where the span ends.
func (b VoidPreview) selection() (ledger.Selection, func(codec.Entry) bool, error) {
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
	from, err := domain.ParseInstant(b.From)
	if err != nil {
		return ledger.Selection{}, nil, bad("from: " + err.Error())
	}
	to, err := domain.ParseInstant(b.To)
	if err != nil || to <= from || b.Build == "" {
		return ledger.Selection{}, nil, bad("name a build, and a time to that is later than from, as in 2026-03-02T09:30:00Z")
	}
	return ledger.Selection{From: from}, func(e codec.Entry) bool {
		return buildOf(e.Event) == b.Build && from <= e.Recorded && e.Recorded < to
	}, nil
}

// buildOf returns the build that recorded an answer; empty: not said, or no
// answer.
func buildOf(e domain.Event) string {
	switch e := e.(type) {
	case domain.ConsentGiven:
		return e.Build
	case domain.ConsentRefused:
		return e.Build
	case domain.ConsentWithdrawn:
		return e.Build
	}
	return ""
}
