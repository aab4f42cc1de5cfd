package rest

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json"
)

type replayIn struct {
	App    string `query:"app"`
	From   string `query:"from" doc:"RFC 3339; recorded at this time or later"`
	To     string `query:"to" doc:"RFC 3339; recorded before this time"`
	Type   string `query:"type" doc:"as in consent.given"`
	Person string `query:"person" doc:"account:ID, device:ID or ID; needs app"`
	After  string `query:"after" doc:"only entries after this position"`
}

// A filter says which entries a replay shows. Zero fields let all through.
type filter struct {
	app      domain.AppName
	from, to domain.Instant
	kind     string
	after    eventstore.Position
	person   *domain.PersonKey
}

func (f filter) lets(e codec.Entry) bool {
	return e.Position > f.after && (f.app == "" || e.Stream.App == f.app) && e.Recorded >= f.from &&
		(f.to == 0 || e.Recorded < f.to) && (f.kind == "" || strings.TrimSuffix(e.Type, ".v1") == f.kind)
}

type hashIn struct {
	Hash string `path:"hash" doc:"sha256:..."`
}

type blobOut struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	ETag         string `header:"ETag"`
	Body         []byte
}

func (s *server) logRoutes(api huma.API) {
	if s.Activity != nil {
		s.activityRoute(api)
	}
	entry := huma.SchemaFromType(api.OpenAPI().Components.Schemas, typeFor[wire.HistoryEntry]())
	if h := api.OpenAPI().Components.Schemas.Map()["HistoryEntry"]; h != nil {
		h.Properties["data"] = &huma.Schema{Description: "the event's own members, as JSON"}
	}
	huma.Register(api, huma.Operation{
		OperationID: "replay", Method: http.MethodGet, Path: "/v1/replay",
		Summary:     "The log, oldest first, a JSON object a line",
		Description: `A replay that breaks off ends with a line {"error": {...}}. Ask again after the last position.`,
		Responses: map[string]*huma.Response{"200": {
			Description: "Entries, one a line", Content: map[string]*huma.MediaType{"application/x-ndjson": {Schema: entry}},
		}},
	}, s.replay)
	huma.Register(api, huma.Operation{
		OperationID: "get-blob", Method: http.MethodGet, Path: "/v1/blobs/{hash}", Summary: "A public text or document by its hash",
	}, s.blob)
}

func (s *server) replay(ctx context.Context, in *replayIn) (*huma.StreamResponse, error) {
	f, err := parseFilter(in)
	if err != nil {
		return nil, s.fail(ctx, "replay", err)
	}
	if f.app != "" {
		if _, err := s.Ledger.App(ctx, f.app); err != nil {
			return nil, s.fail(ctx, "replay", err)
		}
	}
	entries := s.Ledger.Replay(ctx, f.after)
	if f.person != nil {
		entries = s.Ledger.History(ctx, f.app, *f.person)
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/x-ndjson")
		_, w := humago.Unwrap(c)
		s.stream(ctx, w, f, entries)
	}}, nil
}

// stream writes entries until they end or nobody reads them, and flushes
// often.
func (s *server) stream(ctx context.Context, w http.ResponseWriter, f filter, entries iter.Seq2[codec.Entry, error]) {
	rc := http.NewResponseController(w)
	flushed, pending := time.Now(), 0
	flush := func() bool {
		// A writer that knows no deadline has none.
		_ = rc.SetWriteDeadline(time.Now().Add(time.Minute))
		flushed, pending = time.Now(), 0
		err := rc.Flush()
		return err == nil || errors.Is(err, http.ErrNotSupported)
	}
	if !flush() {
		return
	}
	defer flush()
	for e, err := range entries {
		var h wire.HistoryEntry
		if err == nil && f.lets(e) {
			h, err = wire.EntryOf(e)
		}
		if err != nil {
			writeLine(w, map[string]wire.Problem{"error": s.problem(ctx, "replay", err)})
			return
		}
		if h.EventID != "" {
			if writeLine(w, h) != nil {
				return
			}
			pending++
		}
		if pending >= 100 || time.Since(flushed) > time.Second {
			if !flush() {
				return
			}
		}
	}
}

func writeLine(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

func parseFilter(in *replayIn) (f filter, err error) {
	if f.after, err = position(in.After); err != nil {
		return f, err
	}
	if f.from, err = instant("from", in.From); err != nil {
		return f, err
	}
	if f.to, err = instant("to", in.To); err != nil {
		return f, err
	}
	if in.App != "" {
		if f.app, err = domain.ParseAppName(in.App); err != nil {
			return f, bad(err.Error())
		}
	}
	if f.kind = in.Type; f.kind != "" && !isType(f.kind) {
		return f, bad("type is the type of an event, as in consent.given")
	}
	if in.Person != "" {
		who, err := domain.ParsePersonKey(in.Person)
		if err != nil {
			return f, bad(err.Error())
		}
		if f.app == "" {
			return f, bad("a person belongs to an app: name it too")
		}
		f.person = &who
	}
	return f, nil
}

func isType(s string) bool {
	for _, t := range codec.Types() {
		if strings.TrimSuffix(t, ".v1") == s {
			return true
		}
	}
	return false
}

func instant(name, text string) (domain.Instant, error) {
	if text == "" {
		return 0, nil
	}
	t, err := domain.ParseInstant(text)
	if err != nil {
		return 0, bad(name + ": " + err.Error())
	}
	return t, nil
}

func (s *server) blob(ctx context.Context, in *hashIn) (*blobOut, error) {
	h, err := blobs.ParseHash(in.Hash)
	if err != nil {
		return nil, s.fail(ctx, "get-blob", bad("a hash is written sha256: and 64 lower-case hex digits"))
	}
	b, found, err := s.Blobs.Get(ctx, h)
	if err != nil {
		return nil, s.fail(ctx, "get-blob", err)
	}
	if !found {
		return nil, failure{plain(http.StatusNotFound, "there is no text with this hash")}
	}
	o := &blobOut{"application/octet-stream", "public, max-age=31536000, immutable", `"` + h.String() + `"`, b}
	if utf8.Valid(b) {
		o.ContentType = "text/plain; charset=utf-8"
	}
	return o, nil
}
