package domain

import (
	"errors"
	"slices"
	"testing"

	"consentledger/domain/internal/form"
	"consentledger/domain/refusal"
)

func TestWhatARequestDoesNotNameOfAnAppStaysAsItIs(t *testing.T) {
	shop := App{Name: "shop", Handler: "Shop Ltd", Group: "shops", Environment: Production, Jurisdiction: "DE", TimeZone: "Europe/Berlin", Locales: []string{"de", "en"}}
	const all = AppHandler | AppGroup | AppEnvironment | AppJurisdiction | AppTimeZone | AppLocales

	for name, c := range map[string]struct {
		known App
		cmd   RegisterApp
		want  App
		code  refusal.Code
	}{
		"a new app, whole":                          {cmd: RegisterApp{App: shop}, want: shop},
		"a new app without an environment":          {cmd: RegisterApp{App: shop, Unsaid: AppEnvironment}, code: refusal.AppIncomplete},
		"nothing named":                             {known: shop, cmd: RegisterApp{Unsaid: all}, want: shop},
		"the handler alone":                         {known: shop, cmd: RegisterApp{App: App{Handler: "Shop GmbH"}, Unsaid: all &^ AppHandler}, want: with(shop, func(a *App) { a.Handler = "Shop GmbH" })},
		"no group any more":                         {known: shop, cmd: RegisterApp{Unsaid: all &^ AppGroup}, want: with(shop, func(a *App) { a.Group = "" })},
		"another environment, by the way":           {known: shop, cmd: RegisterApp{App: App{Environment: Test}, Unsaid: all &^ AppEnvironment}, code: refusal.EnvironmentFixed},
		"another environment, as part of the whole": {known: shop, cmd: RegisterApp{App: with(shop, func(a *App) { a.Environment = Test })}, code: refusal.EnvironmentFixed},
		"another environment, on purpose":           {known: shop, cmd: RegisterApp{App: App{Environment: Test}, Unsaid: all &^ AppEnvironment, Moves: true}, want: with(shop, func(a *App) { a.Environment = Test })},
		"a country that does not exist":             {known: shop, cmd: RegisterApp{App: App{Jurisdiction: "XX"}, Unsaid: all &^ AppJurisdiction}, code: refusal.AppIncomplete},
		"an app that was registered in none, and does not say where it is": {
			known: with(shop, func(a *App) { a.Jurisdiction = "XX" }), cmd: RegisterApp{App: App{Group: "g"}, Unsaid: all &^ AppGroup},
			want: with(shop, func(a *App) { a.Jurisdiction, a.Group = "XX", "g" }),
		},
	} {
		c.cmd.App.Name = "shop"
		events, err := Service{App: c.known}.Decide(c.cmd, Reference{}, 1, 1)
		if r, _ := errors.AsType[refusal.Refusal](err); r.Code != c.code {
			t.Errorf("%s: %v, want %q", name, err, c.code)
			continue
		}
		if c.code == "" && (len(events) != 1 || !sameApp(events[0].(AppRegistered).App, c.want)) {
			t.Errorf("%s: %+v, want %+v", name, events, c.want)
		}
	}
}

func with(a App, change func(*App)) App {
	change(&a)
	return a
}

func sameApp(a, b App) bool {
	return a.Name == b.Name && a.Handler == b.Handler && a.Group == b.Group && a.Environment == b.Environment &&
		a.Jurisdiction == b.Jurisdiction && a.TimeZone == b.TimeZone && slices.Equal(a.Locales, b.Locales)
}

func TestAJurisdictionExists(t *testing.T) {
	for s, want := range map[string]bool{
		"CN": true, "DE": true, "EU": true, "CN-GX": true, "US-CA": true, "GB-ENG": true,
		"": false, "XX": false, "ZZ": false, "UK": false, "cn": false, "CHN": false, "C": false, "CN-": false, "CN-gx": false, "XX-GX": false, "DE AT": false, " ": false,
	} {
		if got := form.IsJurisdiction(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}
