package rest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"
	"time"

	"consentledger/api/picture"
	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/policydoc"

	"github.com/go-json-experiment/json"
)

func document(t *testing.T, d policy.Document) (body string, version content.Hash) {
	t.Helper()
	b, err := policydoc.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	version, err = policydoc.Hash(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), version
}

func TestADiffSaysWhatFollowsAndWhomItTouches(t *testing.T) {
	h := openWithViews(t)
	old := h.furnish()
	before := h.ledg.Now()
	for h.ledg.Now() == before {
		time.Sleep(time.Millisecond)
	}
	for _, who := range []string{"ann", "bo"} {
		h.want(200, "", "POST", "/v1/apps/demo/events", event(who, who, "consent.given", yes))
	}
	h.want(200, "", "GET", "/v1/apps/demo/consents/counts?min_position=5", "")
	body, version := document(t, grown())
	const path = "/v1/apps/demo/policies/diff"
	var a DiffAnswer
	if err := json.Unmarshal([]byte(h.want(200, "", "POST", path, `{"document":`+body+`}`)), &a); err != nil {
		t.Fatal(err)
	}
	if a.Old != old.String() || a.New != version.String() || fmt.Sprint(a.Material, a.Stale, a.Scopes, a.Touched) != "[MAT-1] [] [{mail [provide] []}] [{mail 2}]" || a.RightsReduced {
		t.Errorf("%+v", a)
	}
	added := Difference{Section: "methods", Name: "mail", New: "provide", Material: "MAT-1"}
	if len(a.Differences) != 2 || a.Differences[1] != added {
		t.Errorf("%+v", a.Differences)
	}

	// What a diff calls material must be declared.
	h.want(422, "material-change-dropped", "POST", "/v1/apps/demo/policies", `{"document":`+body+`}`)
	h.want(400, "material[1]: a kind of material change is a code as in MAT-1", "POST", "/v1/apps/demo/policies", `{"document":`+body+`,"material":["MAT-1","mat-2"]}`)
	h.want(400, "scopes[0].actions[0]", "POST", "/v1/apps/demo/policies", `{"document":`+body+`,"scopes":[{"purpose":"mail","actions":["x"]}]}`)
	h.want(422, "unknown-purpose", "POST", "/v1/apps/demo/policies", `{"document":`+body+`,"material":["MAT-1"],"scopes":[{"purpose":"none"}]}`)
	h.want(200, `"scopes":[{"purpose":"mail","actions":["provide"]}]`, "POST", "/v1/apps/demo/policies", `{"document":`+body+`,"material":["MAT-1","MAT-6"]}`)
	h.want(200, `"material":["MAT-1","MAT-6"]`, "GET", "/v1/apps/demo/policies/"+version.String(), "")
	h.want(200, `"why":"consent-given-to-the-old-scope"`, "POST", "/v1/apps/demo/check", `{"subject":"ann","purpose":"mail","action":"use"}`)
	h.want(200, `"allowed":false`, "POST", "/v1/apps/demo/check", `{"subject":"ann","purpose":"mail","action":"provide"}`)

	// As was known before, there is the older version alone, and it is in force.
	h.want(200, `"in_force":false},{"policy":"privacy","version":"`+version.String(), "GET", "/v1/apps/demo/policies", "")
	then := h.want(200, `"known_at":"`+before.String()+`","policies":[{"policy":"privacy","version":"`+old.String(), "GET", "/v1/apps/demo/policies?known_at="+before.String(), "")
	if strings.Contains(then, version.String()) || !strings.Contains(then, `"in_force":true`) {
		t.Error(then)
	}
	h.want(200, `"policies":[],"as_of":"0"`, "GET", "/v1/apps/demo/policies?known_at=2020-01-31T00:00:00Z", "")
	h.want(400, "known_at: ", "GET", "/v1/apps/demo/policies?known_at=2999-01-31T00:00:00Z", "")

	h.want(200, `"material":["MAT-1"]`, "POST", path, fmt.Sprintf(`{"old":%q,"new":%q}`, old, version))
	h.want(200, `"differences":[],"material":[],"stale":[],"scopes":[]`, "POST", path, fmt.Sprintf(`{"old":%q,"new":%q}`, old, old))
	h.want(422, "unknown-version", "POST", path, fmt.Sprintf(`{"old":%q,"new":%q}`, old, content.Hash{9}))
	h.want(422, "unknown-policy", "POST", path, `{"document":`+strings.Replace(body, `"name":"privacy"`, `"name":"other"`, 1)+`}`)
	for _, b := range []string{`{}`, `{"old":"x"}`, `{"document":{},"old":"x"}`, `{"older":"x"}`} {
		if code, _ := h.do("POST", path, b); code != 400 {
			t.Errorf("%s: %d", b, code)
		}
	}
}

// A purpose that is declared again after it was given up is not allowed by what
// was said before, and a diff counts those who said it.
func TestADiffCountsWhoAgreedBeforeAPurposeWasGivenUp(t *testing.T) {
	h := openWithViews(t)
	h.furnish()
	for _, who := range []string{"ann", "bo"} {
		h.want(200, "", "POST", "/v1/apps/demo/events", event(who, who, "consent.given", yes))
	}
	h.want(200, "", "GET", "/v1/apps/demo/consents/counts?min_position=5", "")
	gone := doc
	gone.Permissions = nil
	gone.Purposes = []policy.Purpose{{ID: "post", Title: "Letters", Actions: []policy.Action{policy.Use}, Basis: policy.BasisConsent}}
	gone.Acts = []policy.Act{{ID: "click", Title: "Click", Counts: policy.GeneralConsent}}
	body, given := document(t, gone)
	h.want(200, "receipt", "POST", "/v1/apps/demo/policies", `{"document":`+body+`,"material":["MAT-1","MAT-4","MAT-5"]}`)
	again := doc
	again.Title = []policy.LocalText{{Locale: "en", Text: "Privacy, once more"}}
	body, version := document(t, again)
	const path = "/v1/apps/demo/policies/diff"
	h.want(200, `"stale":["mail"],"scopes":[],"rights_reduced":false,"touched":[{"purpose":"mail","people":2}]`, "POST", path, `{"document":`+body+`}`)
	h.want(200, `{"section":"purposes declared again","name":"mail"`, "POST", path, `{"document":`+body+`}`)
	h.want(200, `"stale":["mail"]`, "POST", "/v1/apps/demo/policies", `{"document":`+body+`,"material":["MAT-1","MAT-4"]}`)
	h.want(200, `"touched":[{"purpose":"mail","people":2}]`, "POST", path, fmt.Sprintf(`{"old":%q,"new":%q}`, given, version))
	h.want(200, `"allowed":false,"status":"stale"`, "POST", "/v1/apps/demo/check", `{"subject":"ann","purpose":"mail"}`)
}

// A specific policy is compared with the general one over which it prevails,
// and counted are those whose grant is by the old one.
func TestASpecificPolicyIsComparedWithTheGeneralOne(t *testing.T) {
	h := openWithViews(t)
	general := h.furnish()
	for _, who := range []string{"ann", "bo", "cy"} {
		h.want(200, "", "POST", "/v1/apps/demo/events", event(who, who, "consent.given", yes))
	}
	special := doc
	special.Name, special.Over = "mail-rules", "privacy"
	special.Purposes = append([]policy.Purpose(nil), doc.Purposes...)
	special.Purposes[0].Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide}
	body, version := document(t, special)
	const path = "/v1/apps/demo/policies/diff"
	touched := func(want, body string) { // whoever is counted is counted by views that have read the whole log
		t.Helper()
		if err := h.conf.Wait.Wait(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		h.want(200, want, "POST", path, body)
	}
	h.want(200, `"policy":"mail-rules","over":"privacy","old":"`+general.String(), "POST", path, `{"document":`+body+`}`)
	touched(`"material":[],"stale":[],"scopes":[{"purpose":"mail","actions":["provide"]}],"rights_reduced":false,"touched":[{"purpose":"mail","people":3}]`, `{"document":`+body+`}`)

	h.want(200, `"receipt"`, "POST", "/v1/apps/demo/policies", `{"document":`+body+`}`) // nothing need be declared
	h.receipt(appEndpoint, event("s", "ann", "consent.given", `{"act":"click","policy":"mail-rules","purposes":["mail"]}`))
	touched(`"touched":[{"purpose":"mail","people":2}]`, fmt.Sprintf(`{"old":%q,"new":%q}`, general, version))
	more := special
	more.Purposes = append([]policy.Purpose(nil), special.Purposes...)
	more.Purposes[0].Title = "Mail of everybody"
	next, _ := document(t, more)
	touched(`"touched":[{"purpose":"mail","people":1}]`, `{"document":`+next+`}`) // against its own version in force
	grown, newer := document(t, grown())
	// The general one's own are stale already, since the specific one prevails: this makes nobody's so.
	touched(`"touched":[{"purpose":"mail","people":0}]`, `{"document":`+grown+`}`)
	h.want(200, "", "POST", "/v1/apps/demo/policies", `{"document":`+grown+`,"material":["MAT-1"]}`)

	// A purpose that the specific one gives up touches who consented to that one, if the
	// general one asks for more.
	wider := doc
	wider.Purposes = append([]policy.Purpose(nil), doc.Purposes...)
	wider.Purposes[0].Actions = []policy.Action{policy.Collect, policy.Use, policy.Provide, policy.Publish}
	widest, _ := document(t, wider)
	h.want(200, "", "POST", "/v1/apps/demo/policies", `{"document":`+widest+`,"material":["MAT-1"]}`)
	back := special
	back.Permissions = nil
	back.Purposes = []policy.Purpose{{ID: "post", Title: "Letters", Section: "I", Actions: []policy.Action{policy.Use}, Basis: policy.BasisConsent}}
	body, _ = document(t, back)
	touched(`"touched":[{"purpose":"mail","people":1}]`, `{"document":`+body+`}`)

	alone := doc
	alone.Name = "another"
	body, other := document(t, alone)
	h.want(422, "nothing to compare with", "POST", path, `{"document":`+body+`}`)
	h.want(200, "", "POST", "/v1/apps/demo/policies", `{"document":`+body+`}`)
	h.want(400, `new: this is a version of \"another\" and the old one of \"privacy\"`, "POST", path, fmt.Sprintf(`{"old":%q,"new":%q}`, newer, other))
	h.want(400, `neither prevails`, "POST", path, fmt.Sprintf(`{"old":%q,"new":%q}`, version, other))
	h.want(400, `the general policy first`, "POST", path, fmt.Sprintf(`{"old":%q,"new":%q}`, version, newer))
}

const surfaceJSON = `{"schema":"surface/1","build":"1.0","screen":"welcome","policy":"privacy","version":%q,"approver":"counsel",
	"signing":"sha256:0a00000000000000000000000000000000000000000000000000000000000000",
	"locales":[{"locale":"en","text":%q,"screenshot":%q,"strings":{"yes":"Yes","no":"No"}}],
	"controls":[{"id":"yes","label":"yes","act":"click","initial":"button","purposes":["mail"]},{"id":"no","label":"no","initial":"button","refuses":true}]}`

// surface publishes a screen and returns its id.
func (h *testServer) surface(version content.Hash) string {
	h.t.Helper()
	body := fmt.Sprintf(surfaceJSON, version, doc.Texts[0].Hash, content.Hash{8})
	var a SurfaceAnswer
	if err := json.Unmarshal([]byte(h.want(200, `"receipt"`, "POST", "/v1/apps/demo/surfaces", body)), &a); err != nil {
		h.t.Fatal(err)
	}
	return a.ID
}

func TestASurfaceIsPublishedOnceAndShown(t *testing.T) {
	h := open(t)
	version := h.furnish()
	id := h.surface(version)
	body := fmt.Sprintf(surfaceJSON, version, doc.Texts[0].Hash, content.Hash{8})
	if b := h.want(200, id, "POST", "/v1/apps/demo/surfaces", body); strings.Contains(b, "receipt") {
		t.Errorf("published again: %s", b)
	}
	h.want(200, `"publisher":"unauthenticated"`, "GET", "/v1/apps/demo/surfaces", "")
	h.want(200, `"schema":"surface/1"`, "GET", "/v1/apps/demo/surfaces/"+id, "")
	h.want(404, "no such surface", "GET", "/v1/apps/demo/surfaces/"+version.String(), "")
	h.want(404, "unknown-app", "GET", "/v1/apps/nosuch/surfaces", "")
	h.want(422, "unknown-version", "POST", "/v1/apps/demo/surfaces", strings.Replace(body, version.String(), content.Hash{9}.String(), 1))
	for part, bad := range map[string][2]string{
		"surface/1":           {"surface/1", "SECRET"},
		"at byte":             {`"build"`, `"SECRET"`},
		"controls[0].initial": {`"initial":"button"`, `"initial":"SECRET"`},
		"locales[0].text":     {doc.Texts[0].Hash.String(), "SECRET"},
	} {
		if b := h.want(400, part, "POST", "/v1/apps/demo/surfaces", strings.Replace(body, bad[0], bad[1], 1)); strings.Contains(b, "SECRET") {
			t.Error(b)
		}
	}
}

func TestAPromptComesByBothRoads(t *testing.T) {
	h := open(t)
	h.furnish()
	first := h.want(200, `"reason":"never-asked"`, "GET", "/v1/apps/demo/subjects/ann/prompt?locale=en", "")
	for _, part := range []string{`"title":"Mail"`, `"url":"/v1/blobs/` + doc.Texts[0].Hash.String(), `"standing":"authoritative"`} {
		if !strings.Contains(first, part) {
			t.Errorf("%s has no %s", first, part)
		}
	}
	h.want(200, `"reason":"never-asked"`, "POST", "/v1/apps/demo/subjects/prompt", `{"subject":"ann"}`)
	h.want(200, "", "POST", "/v1/apps/demo/events", event("n", "ann", "consent.refused", `{"purposes":["mail"]}`))
	h.want(200, `"not_before"`, "POST", "/v1/apps/demo/subjects/prompt", `{"subject":"ann"}`)
	h.want(200, "", "POST", "/v1/apps/demo/events", event("y", "bo", "consent.given", yes))
	h.want(200, `"items":[]`, "GET", "/v1/apps/demo/subjects/bo/prompt", "")
	h.want(400, "subject", "POST", "/v1/apps/demo/subjects/prompt", `{"subject":"13800138000"}`)
	h.want(404, "unknown-app", "GET", "/v1/apps/nosuch/subjects/bo/prompt", "")
}

// The picture of a screen is kept once a surface names it, and comes back as what it is.
func TestAPictureOfAScreenIsKept(t *testing.T) {
	h := open(t)
	version := h.furnish()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	shot := b.String()
	hash := content.Hash(sha256.Sum256(b.Bytes()))
	const path = "/v1/apps/demo/pictures"
	send := func(status int, part, body, kind string) {
		t.Helper()
		if code, text := h.do("POST", path, body, "Content-Type: "+kind); code != status || !strings.Contains(text, part) {
			t.Errorf("%s: %d %s, want %d %s", kind, code, text, status, part)
		}
	}

	h.openNATS()
	foretold := func(status int, part, body, kind string) {
		t.Helper()
		if code, text := h.foretold("POST", path, body, "Content-Type: "+kind); code != status || !strings.Contains(text, part) {
			t.Errorf("%s: %d %s, want %d %s", kind, code, text, status, part)
		}
	}

	foretold(409, "publish the surface with this hash", shot, "image/png")
	h.want(404, "", "GET", "/v1/blobs/"+hash.String(), "")
	surface := fmt.Sprintf(surfaceJSON, version, doc.Texts[0].Hash, hash)
	var a SurfaceAnswer
	if err := json.Unmarshal([]byte(h.want(200, `"receipt"`, "POST", "/v1/apps/demo/surfaces", surface)), &a); err != nil {
		t.Fatal(err)
	}
	if text := h.want(200, "", "GET", "/v1/apps/demo/surfaces/"+a.ID, ""); strings.Contains(text, `"pictures"`) {
		t.Errorf("it has a picture that nobody sent: %s", text)
	}

	foretold(400, "no picture", "<!doctype html><script>", "image/png")
	foretold(400, "the picture is image/png", shot, "image/webp")
	send(415, "", shot, "text/plain")
	send(413, "", shot+strings.Repeat("x", picture.MaxSize), "image/png")
	head := h.want(200, "", "GET", "/v1/apps/demo/surfaces", "")
	for range 2 { // and sent again, it is the same
		foretold(200, `"surfaces":["`+a.ID+`"]`, shot, "image/png")
	}
	if now := h.want(200, "", "GET", "/v1/apps/demo/surfaces", ""); now != head {
		t.Errorf("something was recorded: %s, then %s", head, now)
	}
	h.want(200, `"pictures":[{"hash":"`+hash.String()+`","type":"image/png","width":3,"height":2`, "GET",
		"/v1/apps/demo/surfaces/"+a.ID, "")

	code, kept, header := h.ask("GET", "/v1/blobs/"+hash.String(), "")
	if code != 200 || kept != shot || header.Get("Content-Type") != "image/png" ||
		header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v %q", code, header, kept)
	}
}
