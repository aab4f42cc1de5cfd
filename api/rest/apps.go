package rest

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"time"
	_ "time/tzdata" // a zone means the same on every machine

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
)

// AppSettings is what a PUT says about an app.
type AppSettings struct {
	Handler      string   `json:"handler,omitempty" doc:"who answers for it; public"`
	Group        string   `json:"group,omitempty" doc:"the apps of one handler that answer together: 1 to 64 of a-z, 0-9 and hyphen"`
	Environment  string   `json:"environment" enum:"test,production"`
	Jurisdiction string   `json:"jurisdiction" example:"CN"`
	TimeZone     string   `json:"time_zone" example:"Asia/Shanghai"`
	Locales      []string `json:"locales"`
}

// AppAnswer is an app as the ledger knows it.
type AppAnswer struct {
	App string `json:"app"`
	AppSettings
	Policies int           `json:"policies" doc:"how many versions are published"`
	Receipt  *wire.Receipt `json:"receipt,omitempty" doc:"absent: nothing changed"`
}

type appIn struct {
	App string `path:"app"`
}

type appBody struct {
	App     string `path:"app"`
	Key     string `header:"Idempotency-Key"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) appRoutes(api huma.API) {
	if s.Policies != nil {
		route(s, api, "list-apps", http.MethodGet, "/v1/apps", "The apps that have recorded something", s.listApps)
	}
	route(s, api, "get-app", http.MethodGet, "/v1/apps/{app}", "An app",
		func(ctx context.Context, in *appIn) (*out[AppAnswer], error) {
			name, err := domain.ParseAppName(in.App)
			if err != nil {
				return nil, bad(err.Error())
			}
			ref, err := s.Ledger.App(ctx, name)
			if err != nil {
				return nil, err
			}
			return ok(appAnswer(ref))
		})
	bodied[AppSettings](s, api, "put-app", http.MethodPut, "/v1/apps/{app}", "Register an app, or change what is known about it", maxBody, s.putApp)
}

func appAnswer(ref domain.Reference) AppAnswer {
	a := ref.Service.App
	return AppAnswer{
		App:         string(a.Name),
		AppSettings: AppSettings{a.Handler, a.Group, a.Environment.String(), a.Jurisdiction, a.TimeZone, a.Locales},
		Policies:    len(ref.Policies.Versions()),
	}
}

func (s *server) putApp(ctx context.Context, in *appBody) (*out[AppAnswer], error) {
	app, err := parseApp(in.App, in.RawBody)
	if err != nil {
		return nil, err
	}
	ref, err := s.Ledger.App(ctx, app.Name)
	if err == nil && sameApp(ref.Service.App, app) {
		return ok(appAnswer(ref))
	}
	r, err := s.execute(ctx, ledger.Request{
		App: app.Name, Source: "rest", ID: keyOr(in.Key), Body: bytes.Clone(in.RawBody),
		Actor: "operator", Command: domain.RegisterApp{App: app},
	})
	if err != nil {
		return nil, err
	}
	if ref, err = s.Ledger.App(ctx, app.Name); err != nil {
		return nil, err
	}
	answer, got := appAnswer(ref), wire.ReceiptOf(r)
	answer.Receipt = &got
	return ok(answer)
}

// keyOr returns the caller's name for a request, or a new one: then the same
// request again is another request.
func keyOr(key string) string {
	if key != "" {
		return key
	}
	return rand.Text()
}

func parseApp(name string, body []byte) (domain.App, error) {
	n, err := domain.ParseAppName(name)
	if err != nil {
		return domain.App{}, bad(err.Error())
	}
	var b AppSettings
	if err := strict(body, &b); err != nil {
		return domain.App{}, err
	}
	env, err := domain.ParseEnvironment(b.Environment)
	if err != nil {
		return domain.App{}, bad(err.Error())
	}
	if zone, err := time.LoadLocation(b.TimeZone); err != nil || zone == time.Local || b.TimeZone == "" {
		return domain.App{}, bad("time_zone is a name like Asia/Shanghai")
	}
	if b.Group != "" {
		if _, err := groupName(b.Group); err != nil {
			return domain.App{}, err
		}
	}
	return domain.App{Name: n, Handler: b.Handler, Group: b.Group, Environment: env, Jurisdiction: b.Jurisdiction, TimeZone: b.TimeZone, Locales: b.Locales}, nil
}

func sameApp(a, b domain.App) bool {
	return a.Name == b.Name && a.Handler == b.Handler && a.Group == b.Group && a.Environment == b.Environment &&
		a.Jurisdiction == b.Jurisdiction && a.TimeZone == b.TimeZone && slices.Equal(a.Locales, b.Locales)
}
