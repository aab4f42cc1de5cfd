package rest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"

	"consentledger/api/auth"
	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"

	"github.com/danielgtaylor/huma/v2"
)

type subjectIn struct {
	App string `path:"app"`
	ID  string `path:"id" doc:"account:ID, device:ID or ID"`
	Min string `query:"min_position" doc:"wait up to 10 s until the answer holds at least this position"`
}

type subjectBody struct {
	App     string `path:"app"`
	Min     string `query:"min_position" doc:"wait up to 10 s until the answer holds at least this position"`
	RawBody []byte `contentType:"application/json"`
}

type historyIn struct {
	App   string `path:"app"`
	ID    string `path:"id" doc:"account:ID, device:ID or ID"`
	After string `query:"after" doc:"only entries after this position"`
	Limit string `query:"limit" doc:"at most so many, up to 1000"`
}

type historyBody struct {
	App     string `path:"app"`
	After   string `query:"after" doc:"only entries after this position"`
	Limit   string `query:"limit" doc:"at most so many, up to 1000"`
	RawBody []byte `contentType:"application/json"`
}

// Subject names a person in a body, so that no id stands in a URL.
type Subject struct {
	Subject string `json:"subject" doc:"account:ID, device:ID or ID"`
}

// History is a person's entries, oldest first.
type History struct {
	App     string              `json:"app"`
	Entries []wire.HistoryEntry `json:"entries"`
	Next    string              `json:"next,omitempty" doc:"ask again with after= this; absent: there is no more"`
	AsOf    string              `json:"as_of"`
}

func (s *server) subjectRoutes(api huma.API) {
	route(s, api, "get-consents", http.MethodGet, "/v1/apps/{app}/subjects/{id}/consents",
		"Where a person stands with each purpose",
		func(ctx context.Context, in *subjectIn) (*out[ConsentsAnswer], error) {
			return s.consents(ctx, in.App, in.ID, in.Min)
		})
	bodied[Subject](s, api, "query-consents", http.MethodPost, "/v1/apps/{app}/subjects/consents",
		"The same, with no id in the URL", maxBody,
		func(ctx context.Context, in *subjectBody) (*out[ConsentsAnswer], error) {
			var b Subject
			if err := question(in.RawBody, &b); err != nil {
				return nil, err
			}
			return s.consents(ctx, in.App, b.Subject, in.Min)
		})
	route(s, api, "get-history", http.MethodGet, "/v1/apps/{app}/subjects/{id}/history",
		"Everything recorded about a person, oldest first",
		func(ctx context.Context, in *historyIn) (*out[History], error) {
			return s.history(ctx, in.App, in.ID, in.After, in.Limit)
		})
	bodied[Subject](s, api, "query-history", http.MethodPost, "/v1/apps/{app}/subjects/history",
		"The same, with no id in the URL", maxBody,
		func(ctx context.Context, in *historyBody) (*out[History], error) {
			var b Subject
			if err := question(in.RawBody, &b); err != nil {
				return nil, err
			}
			return s.history(ctx, in.App, b.Subject, in.After, in.Limit)
		})
	bodied[wire.StateRequest](s, api, "query-state", http.MethodPost, "/v1/apps/{app}/subjects/state",
		"A person's history, folded: where they stand with every purpose, why, and the events that prove it", maxBody,
		func(ctx context.Context, in *checkBody) (*out[wire.StateAnswer], error) {
			name, err := ident.ParseAppName(in.App)
			if err != nil {
				return nil, bad(err.Error())
			}
			r, err := parse.State(bytes.Clone(in.RawBody))
			if err != nil {
				return nil, err
			}
			a, err := query.State(ctx, s.Ledger, name, r, s.Ledger.Now())
			if err != nil {
				return nil, err
			}
			return ok(a)
		})
}

// person parses both names. An app that is not registered is a refusal.
func (s *server) person(ctx context.Context, app, id string) (ident.AppName, ident.PersonKey, error) {
	name, err := s.app(ctx, app)
	if err != nil {
		return "", ident.PersonKey{}, err
	}
	who, err := ident.ParsePersonKey(id)
	if err != nil {
		return "", ident.PersonKey{}, bad(err.Error())
	}
	return name, who, nil
}

// errUnseen is the answer to who names an app that is none of theirs.
var errUnseen error = refusal.Refusal{Code: refusal.UnknownApp,
	Text: "there is no such app, or it is none of this key's"}

func (s *server) app(ctx context.Context, app string) (ident.AppName, error) {
	name, err := ident.ParseAppName(app)
	if err != nil {
		return "", bad(err.Error())
	}
	if !auth.Sees(ctx, name) {
		return "", errUnseen
	}
	_, err = s.Ledger.App(ctx, name)
	return name, err
}

func (s *server) history(ctx context.Context, app, id, afterText, limitText string) (*out[History], error) {
	name, who, err := s.person(ctx, app, id)
	if err != nil {
		return nil, err
	}

	after, err := s.place(afterText)
	if err != nil {
		return nil, err
	}

	limit, err := count(limitText, maxRows)
	if err != nil {
		return nil, err
	}

	head, err := s.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}

	h := History{App: app, Entries: []wire.HistoryEntry{}, AsOf: wire.FormatPosition(head)}
	last := after
	for e, err := range s.Ledger.History(ctx, name, who) {
		if err != nil {
			return nil, err
		}
		if e.Position <= after || e.Position > head {
			continue
		}
		if len(h.Entries) == limit {
			h.Next = wire.FormatPosition(last)
			break
		}
		entry, err := wire.EntryOf(e)
		if err != nil {
			return nil, err
		}
		h.Entries, last = append(h.Entries, entry), e.Position
	}
	return ok(h)
}

// wait waits for the position that the caller asks for, and not for long.
func (s *server) wait(ctx context.Context, text string) error {
	p, err := s.reached(ctx, text)
	if err != nil || p == 0 || s.Wait == nil {
		return err
	}
	return s.waitFor(ctx, p)
}

// reached reads a position, and refuses one that the log has not reached; nothing
// is zero.
func (s *server) reached(ctx context.Context, text string) (eventstore.Position, error) {
	p, err := readPosition(text)
	if err != nil || p == 0 {
		return 0, err
	}
	head, err := s.Ledger.Head(ctx)
	if err == nil && p > head {
		err = bad("min_position is not a position of this ledger yet")
	}
	return p, err
}

func (s *server) waitFor(ctx context.Context, p eventstore.Position) error {
	short, stop := context.WithTimeout(ctx, maxWait)
	defer stop()
	err := s.Wait.Wait(short, p)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return failure{plain(http.StatusServiceUnavailable, "the answer is not as far as min_position yet; ask again")}
	}
	return err
}

// place is position for one that somebody goes on from.
func (s *server) place(text string) (eventstore.Position, error) {
	p, err := readPosition(text)
	if err != nil {
		return 0, err
	}
	return p, s.Ledger.Place(p)
}

// readPosition reads a position; nothing is zero.
func readPosition(text string) (eventstore.Position, error) {
	if text == "" || text == "0" {
		return 0, nil
	}
	p, err := wire.ParsePosition(text)
	if err != nil {
		return 0, bad("a position is written as receipts write it")
	}
	return p, nil
}

// count reads a limit; nothing is the largest.
func count(text string, most int) (int, error) {
	if text == "" {
		return most, nil
	}
	n, ok := parse.Count(text)
	if !ok || n < 1 || n > int64(most) {
		return 0, bad("a limit is a number from 1 to " + strconv.Itoa(most) + ", without a sign or zeros before it")
	}
	return int(n), nil
}
