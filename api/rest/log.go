package rest

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"net/http"
	"time"
	"unicode/utf8"

	"consentledger/api/auth"
	"consentledger/api/picture"
	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/eventstore/blobs"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json"
)

type replayIn struct {
	App     string `query:"app"`
	From    string `query:"from" doc:"RFC 3339; begins with the first record of this time or later"`
	To      string `query:"to" doc:"RFC 3339; ends before the first record of this time or later"`
	Type    string `query:"type" doc:"as in consent.given; several are separated by commas"`
	Person  string `query:"person" doc:"account:ID, device:ID or ID; needs app"`
	After   string `query:"after" doc:"only entries after this position"`
	Access  string `query:"access" doc:"of data.accessed: only accesses of this kind, as in export, or of several, separated by commas"`
	Last    string `query:"last" doc:"only the newest so many, 1 to 1000; of several types or kinds of accesses so many of each"`
	Before  string `query:"before" doc:"only entries before this position: with last, the page before"`
	Hashes  string `query:"hashes" doc:"true: also the hash that each record has in the log of its app"`
	Replays string `query:"replays" doc:"true: also the records of who replayed, which are left out unless type asks for them"`
	AccessorIn
}

type replayBody struct {
	RawBody []byte `contentType:"application/json"`
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

	api.OpenAPI().Components.Schemas.Schema(typeFor[wire.HistoryEntry](), true, "")
	if h := api.OpenAPI().Components.Schemas.Map()["HistoryEntry"]; h != nil {
		h.Properties["data"] = &huma.Schema{Description: "the event's own members, as JSON"}
	}

	replay := func(id, method, summary string) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: "/v1/replay", Summary: summary,
			MaxBodyBytes: maxBody, SkipValidateParams: true, SkipValidateBody: true,
			Description: `Who replays, why, and how many entries of which app they get is recorded first, unless there is nothing to show. A replay ends with what was recorded before that.
A replay that breaks off ends with a line {"error": {...}}. Ask again after the last position.`,
			Responses: map[string]*huma.Response{"200": {
				Description: "Entries, one a line, each a HistoryEntry",
				Content:     map[string]*huma.MediaType{"application/x-ndjson": {Schema: aText}},
			}},
		}
	}

	huma.Register(api, replay("replay", http.MethodGet, "The log, oldest first, a JSON object a line"), s.replay)
	isRecorded(api, "/v1/replay")
	huma.Register(api, replay("query-replay", http.MethodPost, "The same, with no id in the URL"), s.queryReplay)
	documentBody[wire.ReplayRequest](api, http.MethodPost, "/v1/replay")
	huma.Register(api, huma.Operation{
		OperationID: "get-blob",
		Method:      http.MethodGet,
		Path:        "/v1/blobs/{hash}",
		Summary:     "A public text, document or picture of a screen by its hash",
		Responses: map[string]*huma.Response{"200": {
			Description: "The text",
			Content: map[string]*huma.MediaType{"text/plain": {Schema: aText},
				"application/octet-stream": {Schema: aFile}, "image/png": {Schema: aFile}, "image/jpeg": {Schema: aFile},
				"image/webp": {Schema: aFile}},
		}},
	}, s.blob)
}

func (s *server) replay(ctx context.Context, in *replayIn) (*huma.StreamResponse, error) {
	who, err := in.accessor()
	if err != nil {
		return nil, s.fail(ctx, "replay", err)
	}
	for name, text := range map[string]string{"replays": in.Replays, "hashes": in.Hashes} {
		if text != "" && text != "true" && text != "false" {
			return nil, s.fail(ctx, "replay", bad(name+": is true or false"))
		}
	}

	return s.replayOf(ctx, wire.ReplayRequest{
		App:      in.App,
		Subject:  in.Person,
		Type:     in.Type,
		From:     in.From,
		To:       in.To,
		After:    in.After,
		Access:   in.Access,
		Last:     in.Last,
		Before:   in.Before,
		Hashes:   in.Hashes == "true",
		Replays:  in.Replays == "true",
		Accessor: who,
	})
}

func (s *server) queryReplay(ctx context.Context, in *replayBody) (*huma.StreamResponse, error) {
	r, err := parse.Replay(bytes.Clone(in.RawBody))
	if err != nil {
		return nil, s.fail(ctx, "replay", err)
	}
	return s.replayOf(ctx, r)
}

func (s *server) replayOf(ctx context.Context, r wire.ReplayRequest) (*huma.StreamResponse, error) {
	selection, err := query.AskedSelection(r, s.Ledger.Now())
	if err != nil {
		return nil, s.fail(ctx, "replay", err)
	}

	if !auth.Sees(ctx, selection.App) { // without one it is of all
		return nil, s.fail(ctx, "replay", failure{plain(http.StatusForbidden,
			"app: there is no such app, or it is none of this key's; without app every one is replayed")})
	}

	if selection, err = s.recordReplay(ctx, r.Accessor, selection); err != nil {
		return nil, s.fail(ctx, "replay", err)
	}

	entries, err := s.Ledger.SelectBy(ctx, selection, s.Places)
	if err != nil {
		return nil, s.fail(ctx, "replay", err)
	}

	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/x-ndjson")
		_, w := humago.Unwrap(c)
		s.stream(ctx, w, query.Lines(ctx, s.Ledger, r, entries))
	}}, nil
}

// stream writes lines until they end or nobody reads them, and flushes often.
func (s *server) stream(ctx context.Context, w http.ResponseWriter, lines iter.Seq2[[]byte, error]) {
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
	for line, err := range lines {
		if err != nil {
			s.breakOff(ctx, w, err)
			return
		}
		if _, err := w.Write(line); err != nil {
			return
		}
		if pending++; pending >= 100 || time.Since(flushed) > time.Second {
			if !flush() {
				return
			}
		}
	}
}

// breakOff ends a replay that cannot go on. If nobody hears it, nobody reads.
func (s *server) breakOff(ctx context.Context, w http.ResponseWriter, err error) {
	b, err := json.Marshal(map[string]wire.Problem{"error": s.problem(ctx, "replay", err)})
	if err == nil {
		_, _ = w.Write(append(b, '\n'))
	}
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
	if is, err := picture.Of(b); err == nil {
		o.ContentType = is.Type
	} else if utf8.Valid(b) {
		o.ContentType = "text/plain; charset=utf-8"
	}
	return o, nil
}
