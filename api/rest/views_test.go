package rest

import (
	"context"
	"testing"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections"
	"consentledger/projections/activity"
	"consentledger/projections/consents"
	"consentledger/projections/policies"
	"consentledger/projections/readmodel"

	"github.com/go-json-experiment/json"
)

// realViews are the projections themselves, brought up to date when they are
// waited for.
type realViews struct {
	*consents.View
	policies *policies.View
	activity realActivity
	h        *testServer
}

func (v *realViews) Wait(ctx context.Context, _ eventstore.Position) error {
	for _, p := range []projections.Projection{v.View, v.policies, v.activity.View} {
		at, err := p.Checkpoint(ctx)
		if err != nil {
			return err
		}
		var batch []codec.Entry
		for e, err := range v.h.ledg.Replay(ctx, at) {
			if err != nil {
				return err
			}
			batch = append(batch, e)
		}
		if len(batch) > 0 {
			if err := p.Apply(ctx, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *realViews) Apps(ctx context.Context) ([]AppCount, eventstore.Position, error) {
	apps, at, err := v.policies.Apps(ctx)
	var out []AppCount
	for _, a := range apps {
		out = append(out, AppCount{App: string(a.Name)})
	}
	return out, at, err
}

func (v *realViews) AppsBy(ctx context.Context, by deadline.Instant) ([]AppCount, eventstore.Position, error) {
	apps, at, err := v.policies.Apps(ctx)
	out := []AppCount{}
	for _, a := range apps {
		if a.Since <= by {
			out = append(out, AppCount{App: string(a.Name)})
		}
	}
	return out, at, err
}

// realActivity counts answers; what its views say of days is not asked here.
type realActivity struct {
	*activity.View
	views
}

func (v realActivity) Answers(ctx context.Context, app ident.AppName, counts ...activity.Count) (eventstore.Position, error) {
	return v.View.Answers(ctx, app, counts...)
}

func (v realActivity) Days(ctx context.Context, app ident.AppName, from, until string) ([]Day, int64, eventstore.Position, error) {
	return v.views.Days(ctx, app, from, until)
}

func (v realActivity) Hours(ctx context.Context, app ident.AppName, from, until string) ([]Day, int64, eventstore.Position, error) {
	return v.views.Hours(ctx, app, from, until)
}

// openWithViews is open with projections behind the routes.
func openWithViews(t *testing.T) *testServer {
	t.Helper()
	h := open(t)
	dir := t.TempDir()
	c, err := consents.Open(t.Context(), readmodel.Dir(dir), h.ledg)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policies.Open(t.Context(), readmodel.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	a, err := activity.Open(t.Context(), readmodel.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); p.Close(); a.Close() })
	v := &realViews{c, p, realActivity{a, views{h}}, h}
	h.conf.Consents, h.conf.Policies, h.conf.Activity, h.conf.Wait = v, v, v.activity, v
	h.h = Handler(h.conf)
	return h
}

func TestPeopleAreCountedAndTestsAreNot(t *testing.T) {
	h := openWithViews(t)
	h.furnish()
	for _, who := range []string{"ann", "bo", "robot"} {
		h.want(200, "", "POST", "/v1/apps/demo/events", event(who, who, "consent.given", yes))
	}
	h.want(200, "", "POST", "/v1/apps/demo/events", event("no", "bo", "consent.withdrawn", `{"all":true}`))
	h.want(200, "", "POST", "/v1/apps/demo/events", event("t", "robot", "subject.test", `{"reason":"load-test"}`))
	h.want(200, `{"app":"demo","counts":[{"purpose":"mail","status":"given","people":1},{"purpose":"mail","status":"withdrawn","people":1}],"voided":[],"opposed":[],"tests":1,"as_of":"8"}`,
		"GET", "/v1/apps/demo/consents/counts?min_position=8", "")
	h.want(404, "unknown-app", "GET", "/v1/apps/nosuch/consents/counts", "")
	h.want(200, `"app":"demo"`, "GET", "/v1/apps?known_at="+h.ledg.Now().String(), "")
	h.want(200, `"known_at":"2020-01-31T00:00:00Z","apps":[]`, "GET", "/v1/apps?known_at=2020-01-31T00:00:00Z", "")
	h.want(400, "known_at: ", "GET", "/v1/apps?known_at=2999-01-31T00:00:00Z", "")
	h.want(200, `"calendars":[],"as_of":"0"`, "GET", "/v1/apps/demo/calendars?known_at=2020-01-31T00:00:00Z", "")
	h.want(400, "known_at: ", "GET", "/v1/apps/demo/calendars?known_at=soon", "")

	h.want(200, `"day":"2020-01-31","counts":[],`, "GET", "/v1/apps/demo/consents/counts?day=2020-01-31", "")
	h.want(200, `"people":1},{"purpose":"mail","status":"withdrawn"`, "GET", "/v1/apps/demo/consents/counts?day="+h.ledg.Now().String()[:10], "")
	h.want(400, "day: a day is written as in", "GET", "/v1/apps/demo/consents/counts?day=soon", "")
}

func TestWhomASignalOpposesIsListedByPages(t *testing.T) {
	h := openWithViews(t)
	h.furnish()
	for _, who := range []string{"ann", "bo"} {
		h.want(200, "", "POST", "/v1/apps/demo/events", event(who, who, "consent.given", yes))
		h.want(200, "", "POST", "/v1/apps/demo/events", event("s"+who, who, "consent.refused", `{"act":"gpc","all":true}`))
	}
	h.want(200, `"opposed":[{"purpose":"mail","status":"refused","opposed_by":"gpc","people":2}]`, "GET", "/v1/apps/demo/consents/counts?min_position=7", "")

	const path = "/v1/apps/demo/consents/opposed"
	var persons []string
	for query := "?limit=1"; query != ""; {
		_, b := h.do("GET", path+query, "")
		var a OpposedAnswer
		if err := json.Unmarshal([]byte(b), &a); err != nil || len(persons) > 2 {
			t.Fatal(err, b)
		}
		for _, o := range a.Opposed {
			persons = append(persons, o.Person)
			if o.Purpose != "mail" || o.Status != "refused" || o.Signal != "gpc" || len(o.Because) != 1 || o.Because[0] != o.Event {
				t.Errorf("%+v", o)
			}
		}
		query = ""
		if a.Next != "" {
			query = "?limit=1&cursor=" + a.Next
		}
	}
	if len(persons) != 2 || persons[0] == persons[1] {
		t.Errorf("listed %v", persons)
	}
	for _, cursor := range []string{"mail", "0-mail", "-mail", "x-mail", "1"} {
		h.want(400, "a cursor is next of the page before", "GET", path+"?cursor="+cursor, "")
	}
	h.want(404, "unknown-app", "GET", "/v1/apps/nosuch/consents/opposed", "")
}

// grown is doc with a new way of use and a new purpose.
func grown() policy.Document {
	d := doc
	d.Purposes = append([]policy.Purpose(nil), doc.Purposes...)
	d.Purposes[0].Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide}
	d.Purposes = append(d.Purposes, policy.Purpose{ID: "ads", Title: "Ads", Section: "I", Actions: []policy.Action{policy.Use}, Basis: policy.BasisConsent})
	return d
}

func TestMinorsAreListedToWhoeverSaysWhy(t *testing.T) {
	h := openWithViews(t)
	h.furnish()
	for _, who := range []string{"kid", "teen", "lad"} {
		band := map[string]string{"kid": "under-14", "teen": "15-17", "lad": "15-17"}[who]
		h.want(200, "", "POST", "/v1/apps/demo/events", event("age"+who, who, "age.recorded", `{"band":"`+band+`","basis":"declared"}`))
	}
	last := h.receipt(appEndpoint, event("grown", "lad", "age.recorded", `{"band":"adult","basis":"identity-check"}`))

	const path = "/v1/apps/demo/minors"
	var first MinorsAnswer
	body := h.want(200, `"bands":[{"band":"15-17","people":1},{"band":"under-14","people":1}]`, "POST", path,
		`{"reason":"audit","by":"ann","limit":"1","min_position":"`+last.Position+`"}`)
	if err := json.Unmarshal([]byte(body), &first); err != nil || len(first.Minors) != 1 || first.Minors[0].Band != "15-17" || first.Next == "" {
		t.Fatal(err, body)
	}
	h.want(200, `"band":"under-14"`, "POST", path, `{"reason":"audit","by":"ann","cursor":"`+first.Next+`"}`)
	h.want(200, `"minors":[],"as_of"`, "POST", path, `{"reason":"audit","by":"ann","cursor":"`+"9999999999999-9"+`"}`)
	h.want(200, `"reason":"audit","records":1`, "POST", "/v1/replay", `{"app":"demo","type":"data.accessed","last":"1","reason":"audit"}`)

	h.want(400, "a cursor is next of the page before", "POST", path, `{"reason":"audit","cursor":"x"}`)
	h.want(400, "malformed", "POST", path, `{"reason":"audit","nobody":1}`)
	h.want(200, `"day":"2020-01-31","bands":[],"minors":[]`, "POST", path, `{"reason":"audit","day":"2020-01-31"}`)
	h.want(200, `"people":1},{"band":"under-14"`, "POST", path, `{"reason":"audit","day":"`+h.ledg.Now().String()[:10]+`"}`)
	h.want(400, "day: a day is written as in", "POST", path, `{"reason":"audit","day":"soon"}`)
	h.want(400, "day: ", "POST", path, `{"reason":"audit","day":"2999-01-01"}`)
	h.want(404, "unknown-app", "POST", "/v1/apps/nosuch/minors", `{"reason":"audit"}`)
	h.want(400, "last: is a number", "POST", "/v1/replay", `{"app":"demo","last":"0"}`)
	h.want(400, "access: is for the type data.accessed", "POST", "/v1/replay", `{"app":"demo","access":"export"}`)
}
