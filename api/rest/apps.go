package rest

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a zone means the same on every machine

	"consentledger/api/wire"
	"consentledger/api/wire/tag"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
)

// AppSettings is what is known about an app.
type AppSettings struct {
	Handler      string   `json:"handler,omitempty" doc:"who answers for it; public"`
	Group        string   `json:"group,omitempty" doc:"the apps of one handler that answer together: 1 to 64 of a-z, 0-9 and hyphen"`
	Environment  string   `json:"environment" enum:"test,production"`
	Jurisdiction string   `json:"jurisdiction" example:"CN"`
	TimeZone     string   `json:"time_zone" example:"Asia/Shanghai"`
	Locales      []string `json:"locales"`

	BinaryEscapes string `json:"binary_escapes,omitempty" enum:"exact,raw" doc:"absent: exact"`
}

// AppChange is what a PUT says about an app. What it does not name stays as it
// is; a new app needs all but the handler and the group.
type AppChange struct {
	Handler      *string   `json:"handler,omitempty" doc:"who answers for it; public"`
	Group        *string   `json:"group,omitempty" doc:"the apps of one handler that answer together: 1 to 64 of a-z, 0-9 and hyphen; empty: none"`
	Environment  *string   `json:"environment,omitempty" enum:"test,production" doc:"of a new app; a known one is moved by a POST to its environment"`
	Jurisdiction *string   `json:"jurisdiction,omitempty" example:"CN" doc:"a country or a region, as ISO 3166 has it, or EU"`
	TimeZone     *string   `json:"time_zone,omitempty" example:"Asia/Shanghai"`
	Locales      *[]string `json:"locales,omitempty" doc:"language tags, as in zh-CN"`

	BinaryEscapes *string `json:"binary_escapes,omitempty" enum:"exact,raw" doc:"raw: senders of CloudEvents in binary mode escape nothing in ce- headers, as the SDKs for Go and JavaScript do; exact: what looks like an encoder's work in every byte is one's"`
}

// EnvironmentChange moves an app to an environment.
type EnvironmentChange struct {
	Environment string `json:"environment" enum:"test,production"`
}

// AppAnswer is an app as the ledger knows it.
type AppAnswer struct {
	App string `json:"app"`
	AppSettings
	Policies int           `json:"policies" doc:"how many versions are published"`
	Receipt  *wire.Receipt `json:"receipt,omitempty" doc:"absent: nothing changed"`
	Notes    []string      `json:"notes,omitempty" doc:"what changing it did not do"`
}

type appIn struct {
	App string `path:"app"`
}

type appBody struct {
	App     string `path:"app"`
	Key     string `header:"Idempotency-Key" doc:"names the request: sent again with the same body it gets the receipt that it got before; with another body, 422. Absent: each request is a new one"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) appRoutes(api huma.API) {
	if s.Policies != nil {
		route(s, api, "list-apps", http.MethodGet, "/v1/apps", "The apps that have recorded something", s.listApps)
	}

	route(s, api, "get-app", http.MethodGet, "/v1/apps/{app}", "An app",
		func(ctx context.Context, in *appIn) (*out[AppAnswer], error) {
			name, err := ident.ParseAppName(in.App)
			if err != nil {
				return nil, bad(err.Error())
			}
			ref, err := s.Ledger.App(ctx, name)
			if err != nil {
				return nil, err
			}
			return ok(appAnswer(ref))
		})
	bodied[AppChange](s, api, "put-app", http.MethodPut, "/v1/apps/{app}",
		"Register an app, or change what is named about it", maxBody, s.putApp)
	bodied[EnvironmentChange](s, api, "move-app", http.MethodPost, "/v1/apps/{app}/environment",
		"Move an app to another environment: which consents count from now on depends on it", maxBody, s.moveApp)
}

func appAnswer(ref domain.Reference) AppAnswer {
	a := ref.Service.App
	return AppAnswer{
		App: string(a.Name),
		AppSettings: AppSettings{a.Handler, a.Group, a.Environment.String(), a.Jurisdiction, a.TimeZone, a.Locales,
			string(a.Escapes)},
		Policies: len(ref.Policies.Versions()),
	}
}

func (s *server) putApp(ctx context.Context, in *appBody) (*out[AppAnswer], error) {
	register, err := parseApp(in.App, in.RawBody)
	if err != nil {
		return nil, err
	}
	return s.registerApp(ctx, in, register)
}

func (s *server) moveApp(ctx context.Context, in *appBody) (*out[AppAnswer], error) {
	name, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}
	var b EnvironmentChange
	if err := strict(in.RawBody, &b); err != nil {
		return nil, err
	}
	env, err := domain.ParseEnvironment(b.Environment)
	if err != nil {
		return nil, bad(err.Error())
	}

	// Nobody registers an app by moving it.
	if _, err := s.Ledger.App(ctx, name); err != nil {
		return nil, err
	}
	return s.registerApp(ctx, in, domain.RegisterApp{
		App:    domain.App{Name: name, Environment: env},
		Unsaid: domain.AppHandler | domain.AppGroup | domain.AppJurisdiction | domain.AppTimeZone | domain.AppLocales | domain.AppEscapes,
		Moves:  true,
	})
}

// registerApp records what a request says about an app, if it says anything new.
func (s *server) registerApp(ctx context.Context, in *appBody, register domain.RegisterApp) (*out[AppAnswer], error) {
	name := register.App.Name
	ref, err := s.Ledger.App(ctx, name)
	// A key is to be known afterwards: what has one is recorded also if it is no news.
	if err == nil && in.Key == "" && sameApp(ref.Service.App, register.Onto(ref.Service.App)) {
		answer := appAnswer(ref)
		answer.Notes = []string{"all of this was known of the app before: " + nothingRecorded}
		return ok(answer)
	}

	r, err := s.executeKeyed(ctx, in.Key, ledger.Request{
		App: name, Body: bytes.Clone(in.RawBody), Actor: string(ident.Operator), Command: register,
	})
	if err != nil {
		return nil, err
	}

	if s.Registered != nil {
		s.Registered(ctx, name)
	}
	if ref, err = s.Ledger.App(ctx, name); err != nil {
		return nil, err
	}
	answer, got := appAnswer(ref), wire.ReceiptOf(r)
	answer.Receipt = &got
	return ok(answer)
}

func parseApp(name string, body []byte) (domain.RegisterApp, error) {
	var cmd domain.RegisterApp
	n, err := ident.ParseAppName(name)
	if err != nil {
		return cmd, bad(err.Error())
	}
	var b AppChange
	if err := strict(body, &b); err != nil {
		return cmd, err
	}

	cmd.App.Name = n
	said(&cmd, domain.AppHandler, b.Handler, &cmd.App.Handler)
	said(&cmd, domain.AppGroup, b.Group, &cmd.App.Group)
	said(&cmd, domain.AppJurisdiction, b.Jurisdiction, &cmd.App.Jurisdiction)
	said(&cmd, domain.AppTimeZone, b.TimeZone, &cmd.App.TimeZone)
	said(&cmd, domain.AppLocales, b.Locales, &cmd.App.Locales)
	var env string
	said(&cmd, domain.AppEnvironment, b.Environment, &env)
	var escapes string
	said(&cmd, domain.AppEscapes, b.BinaryEscapes, &escapes)

	if b.Environment != nil {
		if cmd.App.Environment, err = domain.ParseEnvironment(env); err != nil {
			return cmd, bad(err.Error())
		}
	}
	if b.BinaryEscapes != nil {
		if cmd.App.Escapes, err = domain.ParseEscapes(escapes); err != nil {
			return cmd, bad("binary_escapes: " + err.Error())
		}
	}
	if b.TimeZone != nil {
		if zone, err := time.LoadLocation(cmd.App.TimeZone); err != nil || zone == time.Local ||
			cmd.App.TimeZone == "" {
			return cmd, bad("time_zone is a name like Asia/Shanghai")
		}
	}
	if cmd.App.Group != "" {
		if _, err := groupName(cmd.App.Group); err != nil {
			return cmd, err
		}
	}
	for i, l := range cmd.App.Locales {
		if !tag.IsLocale(l) {
			return cmd, bad("locales are language tags, as in zh-CN and en")
		}
		if slices.ContainsFunc(cmd.App.Locales[:i], func(before string) bool { return strings.EqualFold(before, l) }) {
			return cmd, bad("locales names a language twice: name it once")
		}
	}
	return cmd, nil
}

// said takes a member that a request names, and notes one that it does not.
func said[T any](cmd *domain.RegisterApp, member domain.AppMembers, value *T, into *T) {
	if value == nil {
		cmd.Unsaid |= member
		return
	}
	*into = *value
}

func sameApp(a, b domain.App) bool {
	return a.Name == b.Name && a.Handler == b.Handler && a.Group == b.Group && a.Environment == b.Environment &&
		a.Jurisdiction == b.Jurisdiction && a.TimeZone == b.TimeZone && slices.Equal(a.Locales, b.Locales) &&
		a.Escapes == b.Escapes
}
