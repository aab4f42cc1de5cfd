package rest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"consentledger/api/wire/parse"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json"
)

const (
	ndjson = "application/x-ndjson"

	// maxBulk and maxLines bound what is taken at once: all of it is in memory, and what
	// follows comes with the next request.
	maxBulk  = 8 << 20
	maxLines = 10_000
)

// bulkRoute takes lines. They are recorded a batch at a time, each in its turn with other
// batches, and what became of them is told as it comes: who breaks off knows how far it
// is, and sends everything again, for the same id is never recorded twice.
func (s *server) bulkRoute(api huma.API) {
	op := huma.Operation{
		OperationID: "record-bulk", Method: http.MethodPost, Path: "/v1/apps/{app}/events/bulk",
		Summary: "Record up to 10000 CloudEvents, one a line, with a line for each",
		Description: "A body of up to 8 MiB, a CloudEvent in structured mode on each line. Every line is answered by " +
			"one, in their order, as soon as its batch of 1000 is recorded; empty lines by none. One person's lines " +
			"keep their order. 429: nothing was recorded, send it again after Retry-After seconds; where other " +
			"batches come in between, the lines that are left are answered with 429 each. An answer with fewer " +
			"lines than were sent broke off: send all of it again, for the same id is never recorded twice.",
		MaxBodyBytes: maxBulk, SkipValidateParams: true, SkipValidateBody: true,
		Metadata: map[string]any{takesOptOuts: true},
		Responses: map[string]*huma.Response{"200": {
			Description: "What became of each line, each a Row",
			Content:     map[string]*huma.MediaType{ndjson: {Schema: aText}},
		}},
	}
	huma.Register(api, op, func(ctx context.Context, in *eventsIn) (*huma.StreamResponse, error) {
		answer, err := endpoint{s, parse.Event, parse.BinaryEvent}.recordBulk(ctx, in)
		return answer, s.fail(ctx, op.OperationID, err)
	})

	doc := api.OpenAPI().Paths[op.Path].Post
	doc.RequestBody.Required = true
	doc.RequestBody.Content = map[string]*huma.MediaType{ndjson: {Schema: aText}}
}

func (d endpoint) recordBulk(ctx context.Context, in *eventsIn) (*huma.StreamResponse, error) {
	app, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	sent := bytes.Clone(in.RawBody) // Huma uses the bytes again
	lines, err := linesOf(parse.WithoutMark(sent))
	if err != nil {
		return nil, err
	}

	leave, err := d.server.batches.enter(ctx)
	if err != nil {
		return nil, err
	}
	r := newRecorder(d, app, besidesOf(in.headers, sent))
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", ndjson)
		_, w := humago.Unwrap(c)
		r.recordLines(ctx, w, lines, leave)
	}}, nil
}

// linesOf returns the lines of a body that are not empty.
func linesOf(body []byte) (lines []line, err error) {
	number := 0
	for text := range bytes.Lines(body) {
		number++
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if len(lines) == maxLines {
			return nil, refusal.Refusal{Code: refusal.TooLarge,
				Text: "a body holds at most " + strconv.Itoa(maxLines) + " lines: send the rest in another one"}
		}
		lines = append(lines, line{number, text})
	}
	if len(lines) == 0 {
		return nil, bad("the body holds a CloudEvent on each line, and there is none")
	}
	return lines, nil
}

// recordLines records lines, a batch at a time, and writes what became of them. It has a
// turn when it begins, and leaves it.
func (r *recorder) recordLines(ctx context.Context, w http.ResponseWriter, lines []line, leave func()) {
	rc := http.NewResponseController(w)
	for len(lines) > 0 {
		batch := lines[:min(maxRows, len(lines))]
		rows := r.recordTurn(ctx, batch, leave)
		for i, row := range rows {
			if err := writeRow(w, batch[i], row); err != nil {
				return // whoever went away sends it again
			}
		}

		// A writer that knows no deadline has none.
		_ = rc.SetWriteDeadline(time.Now().Add(time.Minute))
		if err := rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return
		}

		if lines = lines[len(batch):]; len(lines) == 0 {
			return
		}
		var err error
		if leave, err = r.server.batches.enter(ctx); err != nil {
			r.turnAway(ctx, w, lines, err)
			return
		}
	}
}

// recordTurn records a batch and ends the turn.
func (r *recorder) recordTurn(ctx context.Context, batch []line, leave func()) []Row {
	defer leave()
	return r.record(ctx, batch)
}

// turnAway answers lines that got no turn.
func (r *recorder) turnAway(ctx context.Context, w http.ResponseWriter, lines []line, err error) {
	row := r.server.rowOf(ctx, ledger.Receipt{}, err)
	if busy, is := busyOf(err); is {
		p := busy.problem()
		row = Row{Status: p.Status, Problem: &p}
	}
	for _, l := range lines {
		if err := writeRow(w, l, row); err != nil {
			return
		}
	}
}

func writeRow(w http.ResponseWriter, l line, row Row) error {
	row.Line = l.number
	b, err := json.Marshal(row, json.Deterministic(true))
	if err != nil {
		panic(unwritable("a row that cannot be written down"))
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
