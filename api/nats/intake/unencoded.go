package intake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// UnencodedID is the code of a rejected message that stands for events whose names
// came with question marks, and were recorded.
//
// NATS.Net writes a question mark for every character of a header that is not ASCII.
// Then two ids are one: what has the second of them looks like the first event sent
// again. Nothing tells such a question mark from one that was meant. So an opt-out
// whose id has one is an event of its own whenever it comes, and once a day and app
// somebody is told.
const UnencodedID refusal.Code = "unencoded-id"

// unencoded returns the headers that name an event and have a question mark.
func unencoded(header nats.Header) (names []string) {
	if !hasQuestionMark(header) {
		return nil
	}
	for _, written := range slices.Sorted(maps.Keys(header)) {
		name := strings.ToLower(written)
		if name == "ce-id" && !isBinary(header) || name != "ce-id" && name != strings.ToLower(jetstream.MsgIDHeader) {
			continue
		}
		if slices.ContainsFunc(header[written], func(v string) bool { return strings.Contains(v, "?") }) {
			names = append(names, name)
		}
	}
	return names
}

// hasQuestionMark reports whether a value of any header has one.
func hasQuestionMark(header nats.Header) bool {
	for _, values := range header {
		if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "?") }) {
			return true
		}
	}
	return false
}

// isBinary reports whether the headers are the event's attributes.
func isBinary(header nats.Header) bool {
	mode, _ := parse.ModeOf(header)
	return mode == parse.Binary
}

// apart gives an opt-out whose id may be another's an id of its own. The message is
// what tells it from others: delivered again it is the same.
func apart(req ledger.Request, unencoded []string, message string) ledger.Request {
	if slices.Contains(unencoded, "ce-id") && domain.TakesAway(req.Command) {
		req.ID += " " + message
		req.Raw, req.Former = ledger.Name{}, ledger.Name{}
	}
	return req
}

// tellUnencoded files that names came with question marks, once a day and app.
func (k keeper) tellUnencoded(ctx context.Context, app ident.AppName, m refused, names []string) error {
	m.id = fmt.Sprintf("unencoded-%s-%s", app, k.Ledger.Now().Time().UTC().Format(time.DateOnly))
	if k.filed.knows(m.id) {
		return nil
	}

	m.mayBeOptOut, m.again = true, true
	m.why = refusal.Refusal{Code: UnencodedID, Path: names[0], Text: strings.Join(names, ", ") +
		" has a question mark, which some clients write for what is not ASCII: different ids may have become one. " +
		"This event was recorded. Put what is not ASCII into structured mode, or make ids of ASCII alone, without " +
		"question marks"}
	if err := k.keep(ctx, m); err != nil {
		return err
	}
	k.Log.Warn("events come with question marks in their names: different ids may have become one", "app", app,
		"headers", names)
	k.filed.told(m.id)
	return nil
}

// knows reports whether told was called with an id.
func (f *filing) knows(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.notes[id]
}

// told notes that something was filed. No more are remembered than those of a day
// or so.
func (f *filing) told(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.notes == nil || len(f.notes) > 1000 {
		f.notes = map[string]bool{}
	}
	f.notes[id] = true
}
