package rest

import (
	"strings"
	"testing"
)

// What is said to a group reaches, in every app of it, everybody whom the group
// was told to be the same person: through others too, whatever came first. What
// only one app knows of its ids stays with it.
func TestAnOptOutForAGroupReachesWhomTheGroupLinked(t *testing.T) {
	h := openWithViews(t)
	body, _ := publishedIn(t)
	apps := []string{"demo", "demo2"}
	for _, app := range apps {
		h.want(200, "", "PUT", "/v1/apps/"+app, strings.Replace(appJSON, "{", `{"group":"acme",`, 1))
		h.want(200, "", "POST", "/v1/apps/"+app+"/policies", body)
		for _, who := range []string{"tablet-c", "alone-d", "watch-e"} {
			h.receipt("/v1/apps/"+app+"/events", event("y"+who, who, "consent.given", yes))
		}
	}
	h.receipt("/v1/apps/demo/events", event("own", "watch-e", "subject.linked", `{"other":"user-b","proof":"login"}`))
	const path = "/v1/groups/acme/events"
	for _, told := range []string{
		event("l1", "phone-a", "subject.linked", `{"other":"user-b","proof":"login"}`),
		event("w1", "phone-a", "consent.withdrawn", `{"all":true}`),
		event("l2", "tablet-c", "subject.linked", `{"other":"user-b","proof":"login"}`),
	} {
		if answer := h.want(200, "", "POST", path, told); strings.Count(answer, `"status":200`) != len(apps) {
			t.Fatal(answer)
		}
	}
	for _, app := range apps {
		check := func(want, who string) {
			h.want(200, want, "POST", "/v1/apps/"+app+"/check", `{"subject":"`+who+`","purpose":"mail"}`)
		}
		check(`"status":"withdrawn"`, "tablet-c")
		check(`"allowed":true`, "alone-d")
		if app == "demo" {
			check(`"status":"withdrawn"`, "watch-e")
		} else {
			check(`"allowed":true`, "watch-e")
		}
	}
}

// The SDKs send binary mode unless they are told otherwise: what a group is told and
// what operators record come in it as well, and are the same event as in structured
// mode.
func TestBinaryModeIsReadByEveryRouteForEvents(t *testing.T) {
	h := openWithViews(t)
	body, _ := publishedIn(t)
	for _, app := range []string{"demo", "demo2"} {
		h.want(200, "", "PUT", "/v1/apps/"+app, strings.Replace(appJSON, "{", `{"group":"acme",`, 1))
		h.want(200, "", "POST", "/v1/apps/"+app+"/policies", body)
		h.receipt("/v1/apps/"+app+"/events", event("y", "ann", "consent.given", yes))
	}
	headers := func(id, kind, subject string, more ...string) []string {
		return append(more, "Ce-Specversion: 1.0", "Ce-Id: "+id, "Ce-Source: /test", "Ce-Type: "+kind, "Ce-Subject: "+subject)
	}
	const group = "/v1/groups/acme/events"
	for _, c := range []struct {
		path, kind, binary, structured string // the data
	}{
		{group, "consent.withdrawn", `{"all":true}`, `{"all":true}`},
		{group, "consent.refused", `{"purposes":["mail"],"act":"gpc"}`, `{"act":"gpc","purposes":["mail"]}`},
		{group, "subject.linked", `{"other":"device:x","proof":"login"}`, `{"other":"device:x","proof":"login"}`},
		{operatorEndpoint, "hold.placed", `{"reason":"litigation"}`, `{"reason":"litigation"}`},
		{appEndpoint, "consent.withdrawn", `{"all":true}`, `{"all":true}`},
	} {
		first := h.want(200, "", "POST", c.path, c.binary, headers(c.kind+c.path, c.kind, "ann")...)
		again := h.want(200, "", "POST", c.path, event(c.kind+c.path, "ann", c.kind, c.structured))
		if first != again {
			t.Errorf("%s to %s\nin binary mode %s\nin structured mode %s", c.kind, c.path, first, again)
		}
	}
	for _, app := range []string{"demo", "demo2"} {
		h.want(200, `"allowed":false`, "POST", "/v1/apps/"+app+"/check", `{"subject":"ann","purpose":"mail"}`)
	}

	// What is wrong beside an opt-out refuses it here no more than in an app.
	h.want(200, `"not_understood":"data.surface,foo_bar,time"`, "POST", group, `{"all":true,"surface":1}`,
		headers("odd", "consent.withdrawn", "bo", "Ce-Foo_bar: 1", "Ce-Time: today")...)
	h.want(200, `"not_understood":"(a name)"`, "POST", group, `{"all":true}`, headers("odd2", "consent.withdrawn", "bo", "Ce-Data: {}")...)
	h.want(400, "data must be a JSON object", "POST", group, `ann says no`, headers("odd3", "consent.withdrawn", "bo")...)
	h.want(200, `"code":"nothing-named"`, "POST", group, ``, headers("none", "consent.withdrawn", "bo")...)
	h.want(400, "foo_bar", "POST", group, `{"other":"device:x","proof":"login"}`, headers("odd4", "subject.linked", "bo", "Ce-Foo_bar: 1")...)
	h.want(400, "one event at a time", "POST", group, `[`+event("b", "bo", "consent.withdrawn", `{"all":true}`)+`]`)
	h.want(200, `"id":"k-1"`, "POST", operatorEndpoint, `{"reason":"litigation"}`,
		"Ce-Specversion: 1.0", "Ce-Source: test", "Ce-Type: hold.placed", "Ce-Subject: cleo", "Idempotency-Key: k-1")
	h.want(200, `"id":"k-2"`, "POST", group, `{"all":true}`,
		"Ce-Specversion: 1.0", "Ce-Source: test", "Ce-Type: consent.withdrawn", "Ce-Subject: cleo", "Idempotency-Key: k-2")
}
