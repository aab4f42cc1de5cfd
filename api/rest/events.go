package rest

import (
	"bytes"
	"context"
	"hash/maphash"
	"net/http"
	"strconv"
	"sync"

	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/tracing"

	"github.com/danielgtaylor/huma/v2"
	"go.opentelemetry.io/otel/trace"
)

type eventsIn struct {
	App       string `path:"app"`
	Key       string `header:"Idempotency-Key" doc:"the id of a single event that has none; in a batch, with a slash and the row's number from 1, that of each event. Sent again with the same events it gets the same receipts, at once or years later; with other events for the same person and source, 422. A grant that has an id of its own is refused beside it; an opt-out is taken by its own id"`
	Signature string `header:"Consent-Signature" doc:"a registered signer's name, a semicolon, and its Ed25519 signature over the bytes of the body, in base64; for a single event"`
	RawBody   []byte `contentType:"application/json"`

	headers http.Header
}

// Resolve keeps the headers: in binary mode they are the event.
func (in *eventsIn) Resolve(ctx huma.Context) []error {
	in.headers = http.Header{}
	ctx.EachHeader(in.headers.Add)
	return nil
}

// Row is what became of one event of several.
type Row struct {
	Line    int           `json:"line,omitzero" doc:"of events that came as lines: its number, from 1"`
	Status  int           `json:"status"`
	Receipt *wire.Receipt `json:"receipt,omitempty"`
	Problem *wire.Problem `json:"problem,omitempty"`
}

// Rows is the answer to a batch, in its order.
type Rows struct {
	Results []Row `json:"results"`
}

// An endpoint takes events.
type endpoint struct {
	server *server
	parse  func(app ident.AppName, structured []byte) (ledger.Request, error)
	binary func(app ident.AppName, header map[string][]string, data []byte, id string) (ledger.Request, error)
}

func (s *server) eventRoutes(api huma.API) {
	s.eventRoute(api, "record-events", "/v1/apps/{app}/events",
		"Record one CloudEvent about a person, or a JSON array of up to 1000 with a result for each",
		"The endpoint for apps. What only operators record is refused here. "+binaryMode, parse.Event,
		parse.BinaryEvent)
	s.eventRoute(api, "record-operator-events", "/v1/apps/{app}/operator/events",
		"Record what operators record: one CloudEvent, or a JSON array of up to 1000",
		"The endpoint for operators: voids, holds, restrictions, exemptions, signers, and everything about the app "+
			"as a whole, which names no subject. "+
			"The actor is operator unless the event says another. Where serve has no --authenticate, whoever reaches "+
			"this route may use it: "+
			"so let nobody reach it but operators. "+binaryMode, parse.OperatorEvent, parse.OperatorBinaryEvent)
	s.bulkRoute(api)
}

const binaryMode = "A CloudEvent in binary mode has its attributes in ce- headers and its data as the body, of any " +
	"JSON type; the content type alone tells the mode. Escapes in ce- headers are undone if every byte of the header " +
	"looks like an encoder's work; the answer shows subject and id as they were understood."

func (s *server) eventRoute(api huma.API, id, path, summary, description string,
	parse func(ident.AppName, []byte) (ledger.Request, error),
	binary func(ident.AppName, map[string][]string, []byte, string) (ledger.Request, error)) {
	bodied[map[string]any](s, api, id, http.MethodPost, path, summary, maxBody, endpoint{s, parse, binary}.record)
	op := api.OpenAPI().Paths[path].Post
	op.Metadata = map[string]any{takesOptOuts: true}
	op.Description = description
	one := eventSchema(api)         // which names every type; /v1/schemas says what the data of each holds
	op.RequestBody.Required = false // in binary mode an event may need no data
	many := &huma.Schema{Type: huma.TypeArray, Items: one}
	op.RequestBody.Content = map[string]*huma.MediaType{
		"application/cloudevents+json":       {Schema: one},
		"application/cloudevents-batch+json": {Schema: many},
		"application/json":                   {Schema: &huma.Schema{OneOf: []*huma.Schema{one, many}}},
	}
	schemas := api.OpenAPI().Components.Schemas
	receipt, rows := schemas.Schema(typeFor[wire.Receipt](), true, ""), schemas.Schema(typeFor[Rows](), true, "")
	answers(op, "of one event its receipt, of an array a result for each", "application/json",
		&huma.Schema{OneOf: []*huma.Schema{receipt, rows}})
	op.Responses[strconv.Itoa(http.StatusTooManyRequests)] = &huma.Response{
		Description: "Other batches are being recorded, and nothing of this one was: send it again after Retry-After " +
			"seconds",
		Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schemas.Schema(typeFor[wire.Problem](), true, "")}},
	}
}

func (d endpoint) record(ctx context.Context, in *eventsIn) (*out[any], error) {
	app, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	sent := bytes.Clone(in.RawBody) // Huma uses the bytes again
	body := bytes.TrimSpace(parse.WithoutMark(sent))
	mode, err := modeOf(in.headers, body)
	if err != nil {
		return nil, err
	}

	with := besidesOf(in.headers, sent)
	if mode == parse.Batch {
		return d.recordBatch(ctx, app, body, with)
	}

	req, key, err := d.read(app, mode, in.headers, body, with)
	if err != nil {
		return nil, err
	}

	r, err := d.server.execute(ctx, req)
	if err != nil {
		return nil, keyReused(key, err)
	}
	return ok[any](wire.RecordedOf(r))
}

// read reads one event, and returns by which key it is known; empty: by its own id.
func (d endpoint) read(
	app ident.AppName, mode parse.Mode, headers http.Header, body []byte, with besides,
) (ledger.Request, string, error) {
	if mode == parse.Structured {
		return with.read(0, nil, func(key string) (ledger.Request, error) { return d.named(app, body, key) })
	}
	return with.read(0, parse.ErrSignedForm, func(key string) (ledger.Request, error) {
		if key != "" && len(headers.Values("ce-id")) > 0 {
			return ledger.Request{}, errKeyAndID
		}
		req, err := d.binary(app, headers, body, key)
		return req, d.server.orProposed(app, headers.Get("ce-type"), err)
	})
}

// named reads a structured event, which gets the key as its id if there is one.
func (d endpoint) named(app ident.AppName, event []byte, key string) (ledger.Request, error) {
	event, err := withID(event, key)
	if err != nil {
		return ledger.Request{}, err
	}
	req, err := d.parse(app, event)
	return req, d.server.orProposed(app, typeIn(event), err)
}

// signature reads the header of a signature over what was sent.
func signature(header string, sent []byte) (*ledger.Signature, error) {
	if header == "" {
		return nil, nil
	}
	return parse.Signature([]string{header}, sent)
}

// modeOf tells how the request carries events, and refuses what the content type
// does not announce.
func modeOf(headers http.Header, body []byte) (parse.Mode, error) {
	array := len(body) > 0 && body[0] == '['
	mode, err := parse.ModeOf(headers)
	switch {
	case err != nil:
		return 0, failure{plain(http.StatusUnsupportedMediaType,
			"events come as application/cloudevents+json, application/cloudevents-batch+json or application/json")}
	case mode == parse.Structured && array:
		return 0, bad("a batch has the content type application/cloudevents-batch+json")
	case mode == parse.Batch && !array:
		return 0, bad("a batch is a JSON array of events")
	case mode == parse.Plain && array:
		return parse.Batch, nil
	case mode == parse.Plain:
		return parse.Structured, nil
	}
	return mode, nil
}

func (s *server) execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error) {
	if err := maySay(ctx, req); err != nil {
		return ledger.Receipt{}, err
	}
	ctx, span := s.eventSpan(ctx, req)
	req.RecordedBy = s.principal(ctx)
	receipt, err := s.Ledger.Execute(ctx, parse.Arrived(ctx, req, s.Ledger.Now()))
	endSpan(span, err)
	return receipt, err
}

func endSpan(span trace.Span, err error) {
	if err != nil {
		tracing.Fail(span, wire.ProblemOf(err).Code)
	}
	span.End()
}

// executeTogether executes the first of several requests of one person, and returns what
// became of those that it took: of one at least.
func (s *server) executeTogether(ctx context.Context, requests []ledger.Request) []ledger.Result {
	by, now := s.principal(ctx), s.Ledger.Now()
	wishes, spans := make([]ledger.Wish, 0, len(requests)), make([]trace.Span, 0, len(requests))
	for i, req := range requests {
		if err := maySay(ctx, req); err != nil {
			if i == 0 {
				return []ledger.Result{{Err: err}}
			}
			break
		}
		own, span := s.eventSpan(ctx, req)
		req.RecordedBy = by
		wishes = append(wishes, ledger.Wish{Context: own, Request: parse.Arrived(own, req, now)})
		spans = append(spans, span)
	}

	results := s.Ledger.ExecuteTogether(ctx, wishes)
	for i, result := range results { // the spans of the others are begun again
		endSpan(spans[i], result.Err)
	}
	return results
}

// lanes is how many persons' rows of one batch are recorded at once, so that
// they share disk syncs. One person's rows keep their order.
const lanes = 64

func (d endpoint) recordBatch(ctx context.Context, app ident.AppName, body []byte, with besides) (*out[any], error) {
	events, err := split(body)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 || len(events) > maxRows {
		return nil, bad("a batch holds 1 to 1000 events")
	}

	leave, err := d.server.batches.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()

	lines := make([]line, len(events))
	for i, e := range events {
		lines[i] = line{i + 1, e}
	}
	return ok[any](Rows{newRecorder(d, app, with).record(ctx, lines)})
}

// A line is an event of several, as it was sent, and its number from 1.
type line struct {
	number int
	event  []byte
}

// A recorder records events, many persons' at once.
type recorder struct {
	endpoint
	app    ident.AppName
	with   besides
	seed   maphash.Seed
	broken [lanes]map[ident.PersonKey]error // why a person's row could not be recorded now
}

func newRecorder(d endpoint, app ident.AppName, with besides) *recorder {
	return &recorder{endpoint: d, app: app, with: with, seed: maphash.MakeSeed()}
}

// A readEvent is one that was read, and the row in which it is answered.
type readEvent struct {
	row *Row
	req ledger.Request
	key string
}

// record records events, and returns what became of each.
func (r *recorder) record(ctx context.Context, lines []line) []Row {
	rows := make([]Row, len(lines))
	people := map[ident.PersonKey][]readEvent{}
	var come [lanes][]ident.PersonKey // in the order of their first events
	for i, l := range lines {
		req, key, err := r.with.read(l.number, parse.ErrSignedForm,
			func(key string) (ledger.Request, error) { return r.named(r.app, l.event, key) })
		if err != nil {
			rows[i] = r.server.rowOf(ctx, ledger.Receipt{}, err)
			continue
		}

		if lane := r.laneOf(req.Person); len(people[req.Person]) == 0 {
			come[lane] = append(come[lane], req.Person)
		}
		people[req.Person] = append(people[req.Person], readEvent{&rows[i], req, key})
	}

	var work [lanes][]func()
	for lane, persons := range come {
		for _, person := range persons {
			work[lane] = append(work[lane], func() { r.recordPerson(ctx, people[person]) })
		}
	}
	run(work[:])
	return rows
}

func (r *recorder) laneOf(person ident.PersonKey) uint64 {
	return maphash.Comparable(r.seed, person) % lanes
}

// recordPerson records one person's events in their order. What comes behind one that
// could not be recorded now waits with it: recorded first, it would begin a history which
// that event is too old for, or be overtaken by it. Opt-outs do not wait. Where the ledger
// takes one event only, as of those that were sent before, it is given few the next time.
func (r *recorder) recordPerson(ctx context.Context, events []readEvent) {
	person := events[0].req.Person
	broken := &r.broken[r.laneOf(person)]
	for most := ledger.MostTogether; len(events) > 0; {
		if err := (*broken)[person]; err != nil {
			r.recordBehind(ctx, events[0], err)
			events = events[1:]
			continue
		}

		requests := make([]ledger.Request, min(most, len(events)))
		for i := range requests {
			requests[i] = events[i].req
		}
		results := r.server.executeTogether(ctx, requests)
		for i, result := range results {
			if err := (*broken)[person]; err != nil { // what is appended together breaks together
				r.recordBehind(ctx, events[i], err)
				continue
			}
			err := keyReused(events[i].key, result.Err)
			*events[i].row = r.server.rowOf(ctx, result.Receipt, err)
			if events[i].row.Status >= http.StatusInternalServerError {
				if *broken == nil {
					*broken = map[ident.PersonKey]error{}
				}
				(*broken)[person] = err
			}
		}
		events, most = events[len(results):], min(ledger.MostTogether, 2*len(results))
	}
}

// recordBehind records an event behind one that could not be recorded, if it is an opt-out.
func (r *recorder) recordBehind(ctx context.Context, event readEvent, broken error) {
	if !domain.IsOptOut(event.req.Command) {
		*event.row = r.server.rowOf(ctx, ledger.Receipt{}, broken)
		return
	}
	receipt, err := r.server.execute(ctx, event.req)
	*event.row = r.server.rowOf(ctx, receipt, keyReused(event.key, err))
}

// run does the work of every lane and waits. A panic in a lane is one here.
func run(work [][]func()) {
	var wg sync.WaitGroup
	died := make([]any, len(work))
	for i, lane := range work {
		wg.Go(func() {
			defer func() { died[i] = recover() }()
			for _, do := range lane {
				do()
			}
		})
	}

	wg.Wait()
	for _, p := range died {
		if p != nil {
			panic(p)
		}
	}
}

func (s *server) rowOf(ctx context.Context, r ledger.Receipt, err error) Row {
	if err != nil {
		p := s.problem(ctx, "record-events", err)
		return Row{Status: p.Status, Problem: &p}
	}
	answer := wire.RecordedOf(r)
	return Row{Status: http.StatusOK, Receipt: &answer}
}
