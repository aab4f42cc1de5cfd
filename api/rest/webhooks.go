package rest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"consentledger/api/webhook"
	"consentledger/api/wire"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"

	"github.com/danielgtaylor/huma/v2"
)

// Webhooks are where apps are told; see [webhook.Hooks].
type Webhooks interface {
	List(ctx context.Context, app ident.AppName) ([]webhook.Hook, error)
	Add(ctx context.Context, app ident.AppName, w webhook.Wish) (webhook.Hook, string, error)
	Rotate(ctx context.Context, app ident.AppName, id string, overlap time.Duration) (webhook.Hook, string, error)
	Pause(ctx context.Context, app ident.AppName, id string) (webhook.Hook, error)
	Resume(ctx context.Context, app ident.AppName, id string) (webhook.Hook, error)
	Replay(ctx context.Context, app ident.AppName, id string, after eventstore.Position) (webhook.Hook, error)
	Remove(ctx context.Context, app ident.AppName, id string) error

	// Rehearse returns webhooks of which what is done with them is not kept.
	Rehearse() *webhook.Hooks
}

// A NewWebhook is a webhook that is to be added.
type NewWebhook struct {
	URL   string   `json:"url" example:"https://shop.example.com/consents" doc:"where events are sent: https, on the internet"`
	Types []string `json:"types,omitempty" doc:"of the events that are sent; absent: consent.given, consent.refused and consent.withdrawn"`
	From  string   `json:"from,omitempty" doc:"a position behind which it begins; 0: the beginning of the log. Absent: with what is recorded from now on"`
}

// A WebhookRotation asks for another secret.
type WebhookRotation struct {
	OverlapHours int `json:"overlap_hours" minimum:"0" maximum:"720" doc:"for how long the older secrets sign as well"`
}

// A WebhookReplay sets a webhook back.
type WebhookReplay struct {
	From string `json:"from" doc:"what was recorded behind this position is sent again; 0: from the beginning of the log"`
}

// A WebhookAnswer is a webhook, as it is set and as it does.
type WebhookAnswer struct {
	ID       string   `json:"id"`
	URL      string   `json:"url"`
	Types    []string `json:"types"`
	State    string   `json:"state" enum:"well,failing,paused"`
	Why      string   `json:"why,omitempty" enum:"asked,failing,gone" doc:"of a paused one"`
	Since    string   `json:"since,omitempty" format:"date-time" doc:"when it was paused"`
	Position string   `json:"position" doc:"up to which all was taken"`
	Failures int      `json:"failures" doc:"in a row"`
	Last     string   `json:"last,omitempty" doc:"what the last failure was"`
	Created  string   `json:"created" format:"date-time"`
	By       string   `json:"by,omitempty" doc:"the pseudonym of who added it"`
	Secret   string   `json:"secret,omitempty" doc:"whsec_..., by which the receiver checks signatures; shown this once"`
}

// WebhookList is the webhooks of an app.
type WebhookList struct {
	Webhooks []WebhookAnswer `json:"webhooks"`
}

// WebhookRemoved says that a webhook is no more.
type WebhookRemoved struct {
	Removed string `json:"removed" doc:"its id"`
}

type webhookIn struct {
	App string `path:"app"`
	ID  string `path:"webhook" doc:"its id, as the list shows it"`
}

type webhookBody struct {
	App     string `path:"app"`
	ID      string `path:"webhook" doc:"its id, as the list shows it"`
	RawBody []byte `contentType:"application/json"`
}

type newWebhookBody struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) webhookRoutes(api huma.API) {
	const all, one = "/v1/apps/{app}/webhooks", "/v1/apps/{app}/webhooks/{webhook}"
	route(s, api, "list-webhooks", http.MethodGet, all,
		"Where an app is told what becomes of consents, and how that goes", s.listWebhooks)
	bodied[NewWebhook](s, api, "add-webhook", http.MethodPost, all, "Add a webhook; its secret is shown this once",
		maxBody, s.addWebhook)
	bodied[WebhookRotation](s, api, "rotate-webhook", http.MethodPost, one+"/rotate",
		"Make another secret, which is shown this once; the older ones sign as well for a while", maxBody,
		s.rotateWebhook)
	bodied[WebhookReplay](s, api, "replay-webhook", http.MethodPost, one+"/replay",
		"Send again what was recorded behind a position", maxBody, s.replayWebhook)
	route(s, api, "pause-webhook", http.MethodPost, one+"/pause", "Send nothing until it is resumed",
		s.changeWebhook(Webhooks.Pause))
	route(s, api, "resume-webhook", http.MethodPost, one+"/resume", "Go on where it stopped",
		s.changeWebhook(Webhooks.Resume))
	route(s, api, "remove-webhook", http.MethodPost, one+"/remove", "Remove a webhook and its secrets", s.removeWebhook)
}

func webhookAnswer(h webhook.Hook, secret string) WebhookAnswer {
	a := WebhookAnswer{
		ID: h.ID, URL: h.URL, Types: h.Types, State: h.State(), Why: h.Why, Position: wire.FormatPosition(h.Position),
		Failures: h.Failures, Last: h.Last, Created: deadline.At(h.Created).String(), By: h.By, Secret: secret,
	}
	if !h.Paused.IsZero() {
		a.Since = deadline.At(h.Paused).String()
	}
	return a
}

// hooked is the answer of what was done with a webhook.
func hooked(h webhook.Hook, secret string, err error) (*out[WebhookAnswer], error) {
	if err != nil {
		return nil, unhooked(err)
	}
	return ok(webhookAnswer(h, secret))
}

// unhooked names what is not there.
func unhooked(err error) error {
	if errors.Is(err, webhook.ErrNone) {
		return failure{plain(http.StatusNotFound, err.Error())}
	}
	return err
}

func (s *server) listWebhooks(ctx context.Context, in *appIn) (*out[WebhookList], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	list, err := s.Webhooks.List(ctx, app)
	if err != nil {
		return nil, err
	}
	a := WebhookList{Webhooks: []WebhookAnswer{}}
	for _, h := range list {
		a.Webhooks = append(a.Webhooks, webhookAnswer(h, ""))
	}
	return ok(a)
}

func (s *server) addWebhook(ctx context.Context, in *newWebhookBody) (*out[WebhookAnswer], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}

	var b NewWebhook
	if err := strict(in.RawBody, &b); err != nil {
		return nil, err
	}

	w := webhook.Wish{URL: b.URL, Types: b.Types, By: s.principal(ctx)}
	if b.From != "" {
		after, err := s.place(b.From)
		if err != nil {
			return nil, err
		}
		w.After = &after
	}

	h, secret, err := s.webhooks(ctx).Add(ctx, app, w)
	if rehearsalOf(ctx) != nil {
		return hooked(h, "", err) // no receiver checks by a secret that is not kept
	}
	if err == nil {
		s.Log.InfoContext(ctx, "a webhook was added", "app", app, "webhook", h.ID, "by", s.principal(ctx))
	}
	return hooked(h, secret, err)
}

func (s *server) rotateWebhook(ctx context.Context, in *webhookBody) (*out[WebhookAnswer], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	var b WebhookRotation
	if err := strict(in.RawBody, &b); err != nil {
		return nil, err
	}

	h, secret, err := s.webhooks(ctx).Rotate(ctx, app, in.ID, time.Duration(b.OverlapHours)*time.Hour)
	if rehearsalOf(ctx) != nil {
		secret = ""
	}
	return hooked(h, secret, err)
}

func (s *server) replayWebhook(ctx context.Context, in *webhookBody) (*out[WebhookAnswer], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}

	var b WebhookReplay
	if err := strict(in.RawBody, &b); err != nil {
		return nil, err
	}

	after, err := s.place(b.From)
	if err != nil {
		return nil, err
	}

	h, err := s.webhooks(ctx).Replay(ctx, app, in.ID, after)
	return hooked(h, "", err)
}

func (s *server) changeWebhook(
	do func(Webhooks, context.Context, ident.AppName, string) (webhook.Hook, error),
) func(context.Context, *webhookIn) (*out[WebhookAnswer], error) {
	return func(ctx context.Context, in *webhookIn) (*out[WebhookAnswer], error) {
		app, err := s.app(ctx, in.App)
		if err != nil {
			return nil, err
		}
		h, err := do(s.webhooks(ctx), ctx, app, in.ID)
		return hooked(h, "", err)
	}
}

func (s *server) removeWebhook(ctx context.Context, in *webhookIn) (*out[WebhookRemoved], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	if err := s.webhooks(ctx).Remove(ctx, app, in.ID); err != nil {
		return nil, unhooked(err)
	}
	if rehearsalOf(ctx) == nil {
		s.Log.InfoContext(ctx, "a webhook was removed", "app", app, "webhook", in.ID, "by", s.principal(ctx))
	}
	return ok(WebhookRemoved{Removed: in.ID})
}
