package rest

import (
	"context"
	"net/http"
	"strconv"

	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
)

// Rejected keeps the messages that could not be taken, sealed. A sequence that
// names none is refused as [wire.UnknownMessage].
type Rejected interface {
	// List returns at most limit messages behind a sequence, oldest first.
	List(ctx context.Context, after uint64, limit int) ([]RejectedMessage, error)
	// ListOn is List of the messages of a UTC day, which begins then.
	ListOn(ctx context.Context, day deadline.Instant, after uint64, limit int) ([]RejectedMessage, error)
	// App returns whose access stream tells that a message was read.
	App(ctx context.Context, seq uint64) (ident.AppName, error)
	// Show returns a message with what was sent, by an access that covers it.
	Show(ctx context.Context, opened ledger.Opened, seq uint64) (RejectedOriginal, error)
	// Retry sends it to the ledger again, unchanged.
	Retry(ctx context.Context, seq uint64) (ledger.Receipt, error)
	// MarkSeen says that somebody looked at it, and why it may rest.
	MarkSeen(ctx context.Context, seq uint64, why string) error
}

// A RejectedMessage says that a message was not taken, and why. It holds
// nothing that was sent.
type RejectedMessage struct {
	Seq         uint64 `json:"seq"`
	App         string `json:"app" doc:"invalid: the subject names no registered app"`
	At          string `json:"at" format:"date-time" doc:"when it was rejected"`
	Code        string `json:"code" example:"unknown-purpose"`
	Path        string `json:"path,omitempty" example:"data.purposes" doc:"the member that was refused; absent: the event as a whole"`
	MayBeOptOut bool   `json:"may_be_no" doc:"it is a refusal or a withdrawal, or nobody can tell: health is red until it is seen"`
	InSeq       uint64 `json:"in_seq" doc:"its sequence in the stream of incoming events"`
	Seen        bool   `json:"seen"`
	Why         string `json:"why,omitempty" doc:"why it may rest"`
}

// A RejectedOriginal is a message as it was sent. It may hold personal data.
type RejectedOriginal struct {
	RejectedMessage
	Text    string              `json:"text" doc:"what is wrong, in words"`
	Subject string              `json:"subject" doc:"of NATS"`
	Headers map[string][]string `json:"headers,omitempty"`
	Data    []byte              `json:"data" contentEncoding:"base64" doc:"the bytes that were sent, base64"`
}

// RejectedList is a page of rejected messages.
type RejectedList struct {
	Rejected []RejectedMessage `json:"rejected"`
	Next     string            `json:"next,omitempty" doc:"ask again after this sequence; absent: that is all"`
}

// Seen says why a rejected message may rest.
type Seen struct {
	Why string `json:"why" minLength:"1" maxLength:"500" doc:"kept in the clear: no personal data"`
}

type rejectedIn struct {
	Day   string `query:"day" doc:"only messages that were rejected on this day in UTC, as in 2026-03-02, as far as they are kept; whether somebody looked at one is as of now"`
	After string `query:"after" doc:"only messages behind this sequence"`
	Limit string `query:"limit" doc:"at most so many, 1 to 1000"`
}

type seqIn struct {
	Seq string `path:"seq" doc:"the message's sequence"`
}

type readIn struct {
	Seq string `path:"seq" doc:"the message's sequence"`
	App string `query:"app" doc:"for which app a message is read that was sent to no registered one: the access is recorded with it; else left out"`
	AccessorIn
}

type seenIn struct {
	Seq     string `path:"seq" doc:"the message's sequence"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) rejectedRoutes(api huma.API) {
	route(s, api, "list-rejected", http.MethodGet, "/v1/rejected",
		"Messages that could not be taken in the last 30 days, and why", s.listRejected)
	route(s, api, "show-rejected", http.MethodGet, "/v1/rejected/{seq}",
		"One of them with what was sent, which may be personal", s.showRejected)
	isRecorded(api, "/v1/rejected/{seq}")
	route(s, api, "retry-rejected", http.MethodPost, "/v1/rejected/{seq}/retry",
		"Send one to the ledger again, unchanged", s.retryRejected)
	bodied[Seen](s, api, "see-rejected", http.MethodPost, "/v1/rejected/{seq}/seen",
		"Say that somebody looked at one, and why it may rest", maxBody, s.seeRejected)
}

func (s *server) listRejected(ctx context.Context, in *rejectedIn) (*out[RejectedList], error) {
	var after uint64
	if in.After != "" {
		var err error
		if after, err = sequence(in.After); err != nil {
			return nil, err
		}
	}

	limit, err := count(in.Limit, maxRows)
	if err != nil {
		return nil, err
	}

	var rows []RejectedMessage
	if in.Day == "" {
		rows, err = s.Rejected.List(ctx, after, limit+1)
	} else {
		day, wrong := dayIn("day", in.Day, s.Ledger.Now())
		if wrong != nil {
			return nil, wrong
		}
		rows, err = s.Rejected.ListOn(ctx, deadline.At(day), after, limit+1)
	}
	if err != nil {
		return nil, err
	}

	a := RejectedList{Rejected: []RejectedMessage{}}
	if len(rows) > limit {
		rows = rows[:limit]
		a.Next = strconv.FormatUint(rows[limit-1].Seq, 10)
	}

	a.Rejected = append(a.Rejected, rows...)
	return ok(a)
}

// showRejected shows what was sent, which may be anybody's. Who reads it and why
// is recorded first.
func (s *server) showRejected(ctx context.Context, in *readIn) (*out[RejectedOriginal], error) {
	seq, err := sequence(in.Seq)
	if err != nil {
		return nil, err
	}

	who, err := in.accessor()
	if err != nil {
		return nil, err
	}

	app, err := s.readsFor(ctx, seq, in.App)
	if err != nil {
		return nil, err
	}

	access := wire.AccessOf(who, domain.AccessRejected)
	access.Records, access.Parts = 1, 1
	opened, err := s.access(ctx, app, access)
	if err != nil {
		return nil, err
	}

	m, err := s.Rejected.Show(ctx, opened, seq)
	if err != nil {
		return nil, err
	}

	s.Log.InfoContext(ctx, "a rejected message was read", "sequence", seq, "by", s.principal(ctx))
	return ok(m)
}

// readsFor returns the app that an access to a message is recorded with: the one
// that it was sent to, or if that is none, the one that the accessor names.
func (s *server) readsFor(ctx context.Context, seq uint64, named string) (ident.AppName, error) {
	app, err := s.Rejected.App(ctx, seq)
	switch {
	case err != nil:
		return "", err
	case app == "" && named == "":
		return "", bad("app: the message was sent to no registered app: name the app for which it is read, and with " +
			"which that is recorded")
	case app == "":
		return s.app(ctx, named)
	case named != "" && named != string(app):
		return "", bad("app: the message was sent to another app: leave it out")
	}
	return app, nil
}

func (s *server) retryRejected(ctx context.Context, in *seqIn) (*out[wire.Receipt], error) {
	seq, err := sequence(in.Seq)
	if err != nil {
		return nil, err
	}
	r, err := s.Rejected.Retry(ctx, seq)
	if err != nil {
		return nil, err
	}
	return ok(wire.RecordedOf(r))
}

func (s *server) seeRejected(ctx context.Context, in *seenIn) (*out[Seen], error) {
	seq, err := sequence(in.Seq)
	if err != nil {
		return nil, err
	}
	var b Seen
	if err := strict(in.RawBody, &b); err != nil {
		return nil, err
	}
	if err := s.Rejected.MarkSeen(ctx, seq, b.Why); err != nil {
		return nil, err
	}
	return ok(b)
}

func sequence(text string) (uint64, error) {
	n, ok := parse.Count(text)
	if !ok || n == 0 {
		return 0, bad("a rejected message is named by its sequence, as the list shows it")
	}
	return uint64(n), nil
}
