package query

import (
	"context"
	"encoding/hex"
	"iter"
	"slices"
	"strings"

	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections/transparency/merkle"
)

// Selection returns what r asks of a ledger. A refusal begins with the name of
// the member that is wrong.
func Selection(r wire.ReplayRequest) (s ledger.Selection, err error) {
	if r.App != "" {
		if s.App, err = ident.ParseAppName(r.App); err != nil {
			return s, malformed("app: %v", err)
		}
	}

	if r.Subject != "" {
		if s.Person, err = ident.ParsePersonKey(r.Subject); err != nil {
			return s, malformed("subject: %v", err)
		}
		if r.App == "" {
			return s, malformed("app: a person is known to an app: name it too")
		}
	}

	if s.Types, err = types(r.Type); err != nil {
		return s, err
	}

	if s.From, err = instant("from", r.From); err != nil {
		return s, err
	}
	if s.To, err = instant("to", r.To); err != nil {
		return s, err
	}
	if s.To != 0 && s.To < s.From {
		return s, malformed("to: is before from")
	}

	if r.After != "" {
		if s.After, err = wire.ParsePosition(r.After); err != nil {
			return s, malformed("after: a position is written as receipts and histories write it")
		}
	}

	if r.Before != "" {
		before, err := wire.ParsePosition(r.Before)
		if err != nil || before < 2 {
			return s, malformed("before: a position is written as receipts and histories write it, and is 2 at least: " +
				"nothing lies before the first")
		}
		s.Until = before - 1
	}

	if s.Access, err = accesses(r.Access); err != nil {
		return s, err
	}
	if len(s.Access) > 0 && !slices.Contains(s.Types, "data.accessed") {
		return s, malformed("access: is for the type data.accessed")
	}
	if r.Last != "" {
		n, ok := parse.Count(r.Last)
		if !ok || n < 1 || n > mostLast {
			return s, malformed("last: is a number from 1 to %d", mostLast)
		}
		s.Last = int(n)
	}

	s.Replays = r.Replays
	return s, nil
}

// types returns the types that a text names, each once; none of an empty one.
func types(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		name = parse.Canonical(name)
		if !ledger.IsType(name) {
			return nil, malformed("type: no record has this type; name one as in consent.given or policy.published, " +
				"without a version, or several between commas")
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// mostAccesses is how many kinds of accesses may be asked for at once: more than there are.
const mostAccesses = 32

// accesses returns the kinds of accesses that a text names, each once; none of an empty one.
func accesses(text string) ([]domain.AccessKind, error) {
	if text == "" {
		return nil, nil
	}
	var kinds []domain.AccessKind
	for kind := range strings.SplitSeq(text, ",") {
		kinds = append(kinds, domain.AccessKind(kind))
	}
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	if len(kinds) > mostAccesses {
		return nil, malformed("access: names more than %d kinds", mostAccesses)
	}
	return kinds, nil
}

// mostLast is how many of the newest entries may be asked for.
const mostLast = 1000

// AskedSelection is [Selection] of what is asked now: its span has come.
func AskedSelection(r wire.ReplayRequest, now deadline.Instant) (ledger.Selection, error) {
	s, err := Selection(r)
	if err != nil {
		return s, err
	}
	if s.From, err = HasCome("from", s.From, now); err != nil {
		return s, err
	}
	s.To, err = HasCome("to", s.To, now)
	return s, err
}

// A Recorder has the bytes of entries.
type Recorder interface {
	WithRecords(ctx context.Context, all iter.Seq2[codec.Entry, error]) iter.Seq2[ledger.Stored, error]
}

// Lines yields the lines of entries, with their hashes if r asks for them. A line holds until the
// next one.
func Lines(
	ctx context.Context, l Recorder, r wire.ReplayRequest, entries iter.Seq2[codec.Entry, error],
) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var line []byte
		if !r.Hashes {
			for e, err := range entries {
				if err == nil {
					line, err = wire.AppendLine(line[:0], e)
				}
				if !yield(line, err) || err != nil {
					return
				}
			}
			return
		}

		var leaf merkle.Leaf
		for e, err := range l.WithRecords(ctx, entries) {
			if err == nil {
				hash := leaf.Hash(e.Record)
				line, err = wire.AppendHashed(line[:0], e.Entry, hex.EncodeToString(hash[:]))
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

func instant(name, text string) (deadline.Instant, error) {
	if text == "" {
		return 0, nil
	}
	t, err := deadline.ParseInstant(text)
	if err != nil {
		return 0, malformed("%s: %v", name, err)
	}
	return t, nil
}
