package rest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"consentledger/api/live"
	"consentledger/api/wire"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Newest is where the newest records are read.
type Newest interface {
	Of(ctx context.Context, app ident.AppName, after eventstore.Position) iter.Seq2[codec.Entry, error]
	Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error]
}

// A NewestRecord is what was recorded, and when. Of whom it is, or what it says, is not told.
type NewestRecord struct {
	Position string `json:"position"`
	Type     string `json:"type"`
	Actor    string `json:"actor"`
	At       string `json:"at" format:"date-time" doc:"when it happened, as its source says"`
	Recorded string `json:"recorded" format:"date-time"`
}

// NewestAnswer is what an app recorded last.
type NewestAnswer struct {
	App     string         `json:"app"`
	Records []NewestRecord `json:"records" doc:"the newest first; at most 50, of the newest part of the log"`
	AsOf    string         `json:"as_of"`
}

// A NewestTold is the data of an event of the stream.
type NewestTold struct {
	Position string `json:"position" doc:"up to which pages and lists answer by now"`
	Records  int    `json:"records" doc:"of the app, since the event before; 0: not counted, there may be many"`
}

type newestIn struct {
	App    string `path:"app"`
	After  string `query:"after" doc:"of the stream: the position that is known already"`
	Last   string `header:"Last-Event-ID" doc:"of the stream: the id of the last event that came; a browser sends it by itself"`
	Accept string `header:"Accept" doc:"text/event-stream for the stream"`
}

const eventStream = "text/event-stream"

// newestRoute is what was recorded last: as a list, or as a stream that says that more was.
func (s *server) newestRoute(api huma.API) {
	schemas := api.OpenAPI().Components.Schemas
	op := huma.Operation{
		OperationID: "newest-records", Method: http.MethodGet, Path: "/v1/apps/{app}/newest", SkipValidateParams: true,
		Summary: "What an app recorded last, without whom it is about; as a stream, whenever more is",
		Description: `With Accept: text/event-stream it is a stream of server-sent events. "changed" says that the app recorded something, that every
projection has it, and by its id up to where; it holds nothing of the records. "end" says that the stream ends, and why: not-allowed (the key was revoked) or closing. A client
that comes again with Last-Event-ID misses nothing. There are at most 8 streams of a principal and 256 in all: 429 and 503.`,
		Responses: map[string]*huma.Response{"200": {
			Description: "The list, or the stream",
			Content: map[string]*huma.MediaType{
				"application/json": {Schema: schemas.Schema(reflect.TypeFor[NewestAnswer](), true, "")},
				eventStream:        {Schema: aText},
			},
		}},
	}
	huma.Register(api, op, func(ctx context.Context, in *newestIn) (*huma.StreamResponse, error) {
		answer, err := s.newest(ctx, in)
		return answer, s.fail(ctx, op.OperationID, err)
	})
}

func (s *server) newest(ctx context.Context, in *newestIn) (*huma.StreamResponse, error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(in.Accept, eventStream) {
		list, err := s.newestRecords(ctx, app)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			c.SetHeader("Content-Type", "application/json")
			_ = marshal(c.BodyWriter(), list) // whoever went away asks again
		}}, nil
	}

	after, known, err := s.knownTo(ctx, in)
	if err != nil {
		return nil, err
	}
	end, err := s.Streams.Begin(s.principal(ctx))
	switch {
	case errors.Is(err, live.ErrMany):
		return nil, failure{plain(http.StatusTooManyRequests, err.Error())}
	case err != nil:
		return nil, failure{plain(http.StatusServiceUnavailable, err.Error())}
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer end()
		c.SetHeader("Content-Type", eventStream)
		c.SetHeader("X-Accel-Buffering", "no") // a proxy passes on what it gets
		_, w := humago.Unwrap(c)
		t := telling{s: s, w: w, rc: http.NewResponseController(w), app: app, at: after}
		t.tell(ctx, known)
	}}, nil
}

// knownTo returns the position from which a stream goes on, and whether its client knows
// what was recorded up to there. One that the log does not have, as after a restore, is
// none that is known.
func (s *server) knownTo(ctx context.Context, in *newestIn) (after eventstore.Position, known bool, err error) {
	head, err := s.Ledger.Head(ctx)
	if err != nil {
		return 0, false, err
	}

	text := in.Last
	if text == "" {
		text = in.After
	}
	if text == "" {
		return head, false, nil
	}
	if after, err = readPosition(text); err != nil {
		return 0, false, err
	}
	if after > head || head-after > farBehind {
		return head, false, nil
	}
	return after, true, nil
}

// farBehind is how far behind a stream may begin and read what came since, to count it.
const farBehind = 10_000

// newestRecords returns what an app recorded last. The log is read forwards only, so it is
// read from a little before its end. Where that is too little, since others record more, an
// index knows where the app's records lie; without it the log is read from farther before.
func (s *server) newestRecords(ctx context.Context, app ident.AppName) (*NewestAnswer, error) {
	const most = 50
	head, err := s.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}

	a := &NewestAnswer{App: string(app), AsOf: wire.FormatPosition(head)}
	for back := eventstore.Position(256); ; back *= 16 {
		a.Records = []NewestRecord{}
		var last []NewestRecord
		for e, err := range s.Newest.Of(ctx, app, head-min(back, head)) {
			if err != nil {
				return nil, err
			}
			if e.Position > head {
				break
			}
			last = append(last, newestRecord(e))
			if len(last) == 2*most {
				last = append(last[:0], last[most:]...)
			}
		}
		for i := len(last) - 1; i >= 0 && len(a.Records) < most; i-- {
			a.Records = append(a.Records, last[i])
		}
		if len(a.Records) == most || back >= head || back >= 1<<16 {
			return a, nil
		}
		if found, err := s.newestByIndex(ctx, app, head, most); err == nil {
			a.Records = found
			return a, nil
		}
	}
}

var errNoIndex = errors.New("there is no index of the log's types, or it has not read the log yet")

// newestByIndex returns the newest records of an app up to a position, the newest first.
func (s *server) newestByIndex(
	ctx context.Context, app ident.AppName, head eventstore.Position, most int,
) ([]NewestRecord, error) {
	if s.Places == nil {
		return nil, errNoIndex
	}
	if _, _, asOf, err := s.Places.Places(ctx, app, "", head, head, 1); err != nil || head-min(asOf, head) > farBehind {
		return nil, errNoIndex
	}
	entries, err := s.Ledger.SelectBy(ctx, ledger.Selection{App: app, Until: head, Last: most, Replays: true}, s.Places)
	if err != nil {
		return nil, err
	}

	list := []NewestRecord{}
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		list = append(list, newestRecord(e))
	}
	slices.Reverse(list)
	return list, nil
}

func newestRecord(e codec.Entry) NewestRecord {
	return NewestRecord{
		Position: wire.FormatPosition(e.Position), Type: e.Kind(), Actor: string(e.Actor), At: e.At.String(),
		Recorded: e.Recorded.String(),
	}
}

// A telling is one stream.
type telling struct {
	s   *server
	w   http.ResponseWriter
	rc  *http.ResponseController
	app ident.AppName
	at  eventstore.Position
}

const (
	pingEvery = 15 * time.Second       // so that proxies keep the connection, and it is noticed that it is gone
	lookEvery = time.Second            // after who may hear, and whether the server ends
	pause     = 500 * time.Millisecond // between two events: what is recorded meanwhile is told at once
	slowWrite = 10 * time.Second       // a client that takes nothing for so long is gone
)

// tell writes events until the client is gone, may hear no more, or the server ends. A
// client that knows nothing is told at once how far the log is.
func (t *telling) tell(ctx context.Context, known bool) {
	if !t.write("retry: 2000\n\n") || !known && !t.changed(ctx, 0) {
		return
	}
	for pinged := time.Now(); ctx.Err() == nil; {
		switch {
		case live.Closing(ctx):
			t.write("event: end\ndata: {\"why\":\"closing\"}\n\n")
			return
		case t.s.Still != nil && !t.s.Still(ctx):
			t.write("event: end\ndata: {\"why\":\"not-allowed\"}\n\n")
			return
		}

		n, err := t.listen(ctx)
		if err != nil {
			return // the client comes again, and hears then
		}
		if n > 0 {
			if !t.changed(ctx, n) {
				return
			}
			pinged = time.Now()
			rest(ctx, pause)
		}
		if time.Since(pinged) >= pingEvery {
			// An id alone is no event: the client only knows how far it is.
			if !t.write(": still here\nid: " + wire.FormatPosition(t.at) + "\n\n") {
				return
			}
			pinged = time.Now()
		}
	}
}

// listen waits a moment for records, and returns how many came of the app.
func (t *telling) listen(ctx context.Context) (n int, err error) {
	until, stop := context.WithTimeout(ctx, lookEvery)
	defer stop()
	for entries, err := range t.s.Newest.Follow(until, t.at) {
		if until.Err() != nil {
			return n, ctx.Err()
		}
		if err != nil {
			return n, err
		}
		for _, e := range entries {
			if e.Stream.App == t.app {
				n++
			}
		}
		t.at = entries[len(entries)-1].Position
		if n > 0 {
			return n, nil
		}
	}
	return n, ctx.Err()
}

// changed tells that something was recorded, once lists have it. A projection that stands
// still holds up no page: it says so itself.
func (t *telling) changed(ctx context.Context, n int) bool {
	if t.s.Wait != nil {
		_ = t.s.waitFor(ctx, t.at)
	}
	return t.write(fmt.Sprintf("event: changed\nid: %s\ndata: {\"position\":%[1]q,\"records\":%d}\n\n",
		wire.FormatPosition(t.at), n))
}

// write writes to the client, and reports whether it took it.
func (t *telling) write(text string) bool {
	_ = t.rc.SetWriteDeadline(time.Now().Add(slowWrite)) // a writer that knows no deadline has none
	if _, err := t.w.Write([]byte(text)); err != nil {
		return false
	}
	err := t.rc.Flush()
	return err == nil || errors.Is(err, http.ErrNotSupported)
}

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
