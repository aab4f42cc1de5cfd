package rest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
)

type groupIn struct {
	Group     string `path:"group" doc:"as the apps are registered with"`
	Key       string `header:"Idempotency-Key" doc:"the event's id, for an event that has none"`
	Signature string `header:"Consent-Signature" doc:"a signer's name, a semicolon, and its Ed25519 signature over the bytes of the body, in base64; registered for every app"`
	RawBody   []byte `contentType:"application/json"`

	headers http.Header
}

// Resolve keeps the headers.
func (in *groupIn) Resolve(ctx huma.Context) []error {
	in.headers = http.Header{}
	ctx.EachHeader(in.headers.Add)
	return nil
}

// GroupRow is what became of an event in one app.
type GroupRow struct {
	App string `json:"app"`
	Row
}

// GroupRows is the answer to an event for a group, by app.
type GroupRows struct {
	Group   string     `json:"group"`
	Results []GroupRow `json:"results"`
}

func (s *server) groupRoute(api huma.API) {
	const path = "/v1/groups/{group}/events"
	bodied[map[string]any](s, api, "record-group-event", http.MethodPost, path,
		"Record one CloudEvent for the person in every app of a handler's group", maxBody, s.recordGroup)
	op := api.OpenAPI().Paths[path].Post
	op.Metadata = map[string]any{takesOptOuts: true}
	op.RequestBody.Content = map[string]*huma.MediaType{"application/json": {Schema: eventSchema(api)},
		"application/cloudevents+json": {Schema: eventSchema(api)}}
	op.RequestBody.Required = false // in binary mode an event may need no data
	op.Description = "Refusals, withdrawals, and what is about the person's account. What gives consent is refused: " +
		"the apps' consents stay apart. A result that is not 200 says that this app has not recorded it: send the " +
		"event again, with the same id; where it is recorded, the receipt is the same. " + binaryMode
}

// groupName returns the name of a group.
func groupName(text string) (string, error) {
	if _, err := policy.ParsePurposeID(text); err != nil {
		return "", bad(`a group is named by 1 to 64 of a-z, 0-9 and "-"`)
	}
	return text, nil
}

func (s *server) recordGroup(ctx context.Context, in *groupIn) (*out[GroupRows], error) {
	group, err := groupName(in.Group)
	if err != nil {
		return nil, err
	}

	sent := bytes.Clone(in.RawBody)
	event := parse.GroupEvent{Group: group, By: s.principal(ctx)}
	body := bytes.TrimSpace(parse.WithoutMark(sent))
	mode, err := modeOf(in.headers, body)
	if err == nil && mode == parse.Batch {
		err = bad("a group is told one event at a time")
	}

	var form error // why it cannot be signed
	if err == nil && mode == parse.Binary {
		form = parse.ErrSignedForm
		body, err = parse.StructuredOf(in.headers, body)
	}
	if err != nil {
		return nil, err
	}

	req, key, err := besidesOf(in.headers, sent).read(0, form, func(key string) (ledger.Request, error) {
		if event.Event, err = withID(body, key); err != nil {
			return ledger.Request{}, err
		}
		return event.Request()
	})
	if err != nil {
		return nil, err
	}
	if req, err = event.Keep(req); err != nil {
		return nil, err
	}

	apps, err := s.appsOf(ctx, group)
	if err != nil {
		return nil, err
	}
	return ok(s.tellGroup(ctx, group, apps, req, key))
}

// tellGroup asks one app after the other. The first that records what was said
// keeps with it what the others are to be told: who dies after that, or meets a
// broken ledger, leaves the rest to whoever follows the log.
func (s *server) tellGroup(
	ctx context.Context, group string, apps []ident.AppName, req ledger.Request, key string,
) GroupRows {
	a := GroupRows{Group: group}
	var first ledger.Receipt
	var in ident.AppName
	answered := true
	for _, app := range apps {
		req.App = app
		r, err := s.execute(ctx, req)
		if err == nil && in == "" && r.Event != first.Event && !r.Repeats {
			first, in, req.Group = r, app, nil
		}
		r.ID = strings.TrimPrefix(r.ID, "group/"+group+"/") // as it was sent
		_, refused := errors.AsType[refusal.Refusal](err)
		answered = answered && (err == nil || refused)
		a.Results = append(a.Results, GroupRow{string(app), s.rowOf(ctx, r, keyReused(key, err))})
	}

	if answered && in != "" {
		if _, err := s.Ledger.Execute(ctx, ledger.ToldGroup(in, group, first.Event)); err != nil {
			s.Log.WarnContext(ctx, "a group of apps was told, and that could not be recorded: it will be told again",
				"err", err)
		}
	}
	return a
}

// appsOf returns the apps of a group, as of the ledger's head: an app that was
// registered a moment ago is not left out.
func (s *server) appsOf(ctx context.Context, group string) ([]ident.AppName, error) {
	head, err := s.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx, wire.FormatPosition(head)); err != nil {
		return nil, err
	}

	rows, _, err := s.Policies.Apps(ctx)
	if err != nil {
		return nil, err
	}

	var apps []ident.AppName
	for _, row := range rows {
		ref, err := s.Ledger.App(ctx, ident.AppName(row.App))
		if err != nil {
			return nil, err
		}
		if ref.Service.App.Group == group {
			apps = append(apps, ref.Service.App.Name)
		}
	}

	slices.Sort(apps)
	if len(apps) == 0 {
		return nil, failure{plain(http.StatusNotFound, "no app is registered with this group")}
	}
	return apps, nil
}
