package rest

import (
	"bytes"
	"context"
	"hash/maphash"
	"mime"
	"net/http"
	"strings"
	"sync"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

type eventsIn struct {
	App         string `path:"app"`
	ContentType string `header:"Content-Type" hidden:"true"`
	Key         string `header:"Idempotency-Key" doc:"the event's id, for a single event that has none"`
	RawBody     []byte `contentType:"application/json"`
}

// Row is what became of one event of a batch.
type Row struct {
	Status  int           `json:"status"`
	Receipt *wire.Receipt `json:"receipt,omitempty"`
	Problem *wire.Problem `json:"problem,omitempty"`
}

// Rows is the answer to a batch, in its order.
type Rows struct {
	Results []Row `json:"results"`
}

func (s *server) eventRoutes(api huma.API) {
	const path = "/v1/apps/{app}/events"
	bodied[map[string]any](s, api, "record-events", http.MethodPost, path,
		"Record one CloudEvent, or a JSON array of up to 1000 with a result for each", maxBody, s.record)
	body := api.OpenAPI().Paths[path].Post.RequestBody
	one := body.Content["application/json"].Schema
	many := &huma.Schema{Type: huma.TypeArray, Items: one}
	body.Content = map[string]*huma.MediaType{
		"application/cloudevents+json":       {Schema: one},
		"application/cloudevents-batch+json": {Schema: many},
		"application/json":                   {Schema: &huma.Schema{OneOf: []*huma.Schema{one, many}}},
	}
}

func (s *server) record(ctx context.Context, in *eventsIn) (*out[any], error) {
	app, err := domain.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}
	body := bytes.Clone(bytes.TrimSpace(in.RawBody)) // Huma uses the bytes again
	batch, err := isBatch(in.ContentType, body)
	if err != nil {
		return nil, err
	}
	if batch {
		return s.recordBatch(ctx, app, body)
	}
	if body, err = withID(body, in.Key); err != nil {
		return nil, err
	}
	req, err := wire.ParseEvent(app, body)
	if err != nil {
		return nil, err
	}
	r, err := s.execute(ctx, req)
	if err != nil {
		return nil, err
	}
	return ok[any](wire.ReceiptOf(r))
}

// isBatch tells an array from an object, and refuses what the content type
// does not announce.
func isBatch(contentType string, body []byte) (bool, error) {
	array := len(body) > 0 && body[0] == '['
	kind, _, err := mime.ParseMediaType(contentType)
	if contentType == "" {
		kind, err = "application/json", nil
	}
	switch {
	case err == nil && kind == "application/json":
		return array, nil
	case err == nil && kind == "application/cloudevents+json":
		if array {
			return false, bad("a batch has the content type application/cloudevents-batch+json")
		}
		return false, nil
	case err == nil && kind == "application/cloudevents-batch+json":
		if !array {
			return false, bad("a batch is a JSON array of events")
		}
		return true, nil
	}
	return false, failure{plain(http.StatusUnsupportedMediaType, "events come as application/cloudevents+json, application/cloudevents-batch+json or application/json")}
}

// withID gives an event that has no id the one of the header. A key may be
// quoted, as the draft on Idempotency-Key wants.
func withID(body []byte, key string) ([]byte, error) {
	key = strings.Trim(strings.TrimSpace(key), `"`)
	if key == "" {
		return body, nil
	}
	var members map[string]jsontext.Value
	if json.Unmarshal(body, &members) != nil || members == nil {
		return body, nil // ParseEvent says what is wrong
	}
	if _, has := members["id"]; has {
		return body, nil
	}
	id, err := jsontext.AppendQuote(nil, key)
	if err != nil {
		return nil, bad("the Idempotency-Key is not UTF-8")
	}
	members["id"] = id
	return json.Marshal(members, json.Deterministic(true))
}

func (s *server) execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error) {
	req.RecordedBy = s.principal(ctx)
	return s.Ledger.Execute(ctx, req)
}

// lanes is how many persons' rows of one batch are recorded at once, so that
// they share disk syncs. One person's rows keep their order.
const lanes = 16

func (s *server) recordBatch(ctx context.Context, app domain.AppName, body []byte) (*out[any], error) {
	var events []jsontext.Value
	if json.Unmarshal(body, &events, jsontext.AllowDuplicateNames(true)) != nil {
		return nil, bad("the batch is not a JSON array")
	}
	if len(events) == 0 || len(events) > maxRows {
		return nil, bad("a batch holds 1 to 1000 events")
	}
	rows := make([]Row, len(events))
	var work [lanes][]func()
	seed := maphash.MakeSeed()
	for i, e := range events {
		req, err := wire.ParseEvent(app, e)
		if err != nil {
			rows[i] = s.rowOf(ctx, ledger.Receipt{}, err)
			continue
		}
		lane := maphash.Comparable(seed, req.Person) % lanes
		work[lane] = append(work[lane], func() {
			r, err := s.execute(ctx, req)
			rows[i] = s.rowOf(ctx, r, err)
		})
	}
	run(work[:])
	return ok[any](Rows{rows})
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
	answer := wire.ReceiptOf(r)
	return Row{Status: http.StatusOK, Receipt: &answer}
}
