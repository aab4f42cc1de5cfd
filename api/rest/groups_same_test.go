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
	body, _ := published(t)
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
