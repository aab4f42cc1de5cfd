package rest

import (
	"bytes"
	"context"
	"encoding/csv"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"consentledger/api/report"
	"consentledger/api/wire/wiretest"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/projections/projectiontest"
	"consentledger/projections/readmodel"
	"consentledger/projections/requests"

	"github.com/go-json-experiment/json"
)

// A timedServer is one whose ledger is told things at times that the test chooses.
type timedServer struct {
	*testServer
	*projectiontest.Teller
	view *requests.View
}

// Wait brings the projection up to date.
func (d *timedServer) Wait(ctx context.Context, _ eventstore.Position) error {
	at, err := d.view.Checkpoint(ctx)
	if err != nil {
		return err
	}
	for e, err := range d.Replay(ctx, at) {
		if err != nil {
			return err
		}
		if err := d.view.Apply(ctx, append(d.Entries()[:0:0], e)); err != nil {
			return err
		}
	}
	return nil
}

// openTimed returns one with two requests, of which one is answered, and an
// incident.
func openTimed(t *testing.T) (d *timedServer, open, answered ident.StreamID) {
	t.Helper()
	d = &timedServer{testServer: &testServer{t: t}, Teller: projectiontest.NewTeller(t)}
	var err error
	if d.view, err = requests.Open(t.Context(), readmodel.Dir(t.TempDir())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.view.Close() })
	v := views{d.testServer}
	d.testServer.ledg = d.Teller.Ledger
	d.testServer.conf = Config{Ledger: d.Teller.Ledger, Consents: v, Policies: v, Activity: v, Requests: d.view, FeedKey: []byte("key"), Wait: d,
		Status: func(context.Context) StatusReport { return StatusReport{} }, Ready: func(context.Context) []Check { return nil },
		Version: "test", Log: slog.New(slog.NewTextHandler(&d.testServer.log, nil))}
	d.testServer.h = Handler(d.testServer.conf)
	d.Register()
	doc := projectiontest.Document("one")
	doc.DeadlineRules[0].Source = "=1+1" // as a spreadsheet would take it
	d.Publish(doc)
	open = d.Ask("ann", request.Access, request.Complaint)
	d.Rest(3 * deadline.Day)
	answered = d.Ask("bo", request.Complaint)
	d.Step(answered, "request.answered outcome=full channel=email")
	d.Step(d.Incident(), "incident.contained measures=off")
	if err := d.Wait(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	return d, open, answered
}

const reports = "/v1/apps/smartkey/reports/deadlines"

func (d *timedServer) page(method, path, body string) Obligations {
	d.t.Helper()
	var a Obligations
	if err := json.Unmarshal([]byte(d.want(200, `"as_of"`, method, path, body)), &a); err != nil {
		d.t.Fatal(err)
	}
	return a
}

func TestTheReportIsReadInPagesThatStayAsTheyBegan(t *testing.T) {
	d, open, _ := openTimed(t)
	whole := d.page("GET", "/v1/apps/smartkey/obligations", "")
	if len(whole.Obligations) != 6 || whole.Next != "" || whole.Summary != nil || whole.KnownAt != "" {
		t.Fatalf("%+v", whole)
	}
	first := whole.Obligations[0]
	if first.Stream != open.String() || first.State != "open" || !first.Binding || first.Left == nil || *first.Left != 14 || first.Person != d.Pseudonym("ann") || first.Basis != "promise" || !first.Provisional {
		t.Errorf("the first is %+v", first)
	}
	var paged []report.Obligation
	path := "/v1/apps/smartkey/obligations?limit=4&sort=opened"
	a := d.page("GET", path, "")
	paged = append(paged, a.Obligations...)
	d.Ask("cleo", request.Access) // after the first page
	a = d.page("GET", path+"&cursor="+url.QueryEscape(a.Next)+"&min_position=1", "")
	if paged = append(paged, a.Obligations...); len(paged) != 6 || a.Next != "" || a.At != whole.At {
		t.Errorf("%d in pages, then %q, at %s", len(paged), a.Next, a.At)
	}
	d.want(400, "a cursor goes with", "GET", "/v1/apps/smartkey/obligations?state=open&cursor="+url.QueryEscape(d.page("GET", path, "").Next), "")
	d.want(400, "a cursor goes with", "GET", "/v1/apps/smartkey/obligations?cursor=bad", "")
}

func TestTheReportOfAPastDayIsWhatWasAnsweredThen(t *testing.T) {
	d, open, _ := openTimed(t)
	then := d.Time().String()
	was := d.want(200, `"summary"`, "GET", reports+"?known_at="+then, "")
	if live := d.want(200, "", "GET", reports, ""); live != strings.Replace(was, `"known_at":"`+then+`",`, "", 1) {
		t.Errorf("live  %s\nknown %s", live, was)
	}
	d.Rest(10 * deadline.Day)
	d.Step(open, "identity.passed elements=IDE-4 checked_by=desk")
	d.Step(open, "request.answered outcome=full channel=email")
	if is := d.want(200, "", "GET", reports+"?known_at="+then, ""); is != was {
		t.Errorf("is  %s\nwas %s", is, was)
	}
	if now := d.want(200, `"on_time_percent":"100.0"`, "GET", reports+"?min_position=20", ""); now == was {
		t.Error("nothing changed")
	}
	// As of then, with what is known now: it was open, and is known to have been met later.
	if a := d.page("GET", reports+"?state=open&as_of="+then, ""); len(a.Obligations) != 3 {
		t.Errorf("%d open as of then", len(a.Obligations))
	}
}

func TestQueriesOfAPersonHaveABodyForm(t *testing.T) {
	d, open, _ := openTimed(t)
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/v1/apps/smartkey/obligations?subject=ann", "", 4},
		{"POST", "/v1/apps/smartkey/obligations/query", `{"subject":"account:ann"}`, 4},
		{"POST", "/v1/apps/smartkey/obligations/query", `{"person":"` + d.Pseudonym("bo") + `","binding":"true"}`, 1},
		{"POST", "/v1/apps/smartkey/obligations/query", `{"subject":"nobody-known"}`, 0},
		{"POST", "/v1/apps/smartkey/obligations/query", `{"stream":"` + open.String() + `","id":"reply.d30"}`, 1},
		{"POST", reports, `{"subject":"ann","type":"access"}`, 2},
		{"POST", reports, `{"state":"met,met-late"}`, 2},
		{"POST", reports, `{"due_before":"2026-06-20"}`, 1},
		{"POST", reports, `{"provisional":"false"}`, 2}, // those that have no date yet
	} {
		if a := d.page(c.method, c.path, c.body); len(a.Obligations) != c.want {
			t.Errorf("%s %s %s: %d, want %d", c.method, c.path, c.body, len(a.Obligations), c.want)
		}
	}
	for _, body := range []string{`{"state":"late"}`, `{"type":"x"}`, `{"due_after":"soon"}`, `{"binding":"1"}`, `{"sort":"x"}`, `{"limit":"0"}`, `{"subject":"13800138000"}`,
		`{"subject":"a","person":"b"}`, `{"as_of":"now"}`, `{"known_at":"now"}`, `{"format":"pdf"}`, `{"other":1}`} {
		d.want(400, "", "POST", reports, body)
	}
	d.want(404, "unknown-app", "GET", "/v1/apps/nosuch/obligations", "")
}

func TestRequestsAndIncidentsAreListedAndShown(t *testing.T) {
	d, open, answered := openTimed(t)
	list := "/v1/apps/smartkey/requests"
	b := d.want(200, `"next":"`, "GET", list+"?limit=1", "")
	var a Cases
	if err := json.Unmarshal([]byte(b), &a); err != nil || len(a.Cases) != 1 || a.Cases[0].ID != open.ID {
		t.Fatalf("%s, %v", b, err)
	}
	d.want(200, `"id":"`+answered.ID, "GET", list+"?limit=1&cursor="+a.Next, "")
	d.want(200, `"id":"`+answered.ID, "GET", list+"?state=answered", "")
	d.want(200, `"id":"`+open.ID, "POST", list+"/query", `{"subject":"ann","type":"access"}`)
	d.want(200, `"cases":[]`, "POST", list+"/query", `{"subject":"nobody-known"}`)
	whole := d.want(200, `"kind":"request.answered"`, "GET", list+"/"+answered.ID, "")
	if !strings.Contains(whole, `"obligations":[{`) || !wiretest.Holds(whole, `"fields":{"channel":"email","outcome":"full"}`) || strings.Contains(whole, "my words") {
		t.Errorf("%s", whole)
	}
	d.want(200, `"steps":[]`, "GET", list+"/"+open.ID+"?known_at="+d.Time().String(), "")
	d.want(404, "there is no request", "GET", list+"/nosuch", "")
	d.want(404, "there is no incident", "GET", "/v1/apps/smartkey/incidents/"+open.ID, "")
	d.want(200, `"state":"contained"`, "GET", "/v1/apps/smartkey/incidents", "")
	d.want(200, `"state":"contained"`, "GET", "/v1/apps/smartkey/incidents?state=open", "")
	d.want(200, `"id":"`+answered.ID, "POST", list+"/query", `{"state":"over"}`)
}

// TestARequestIsRevealedToWhoSaysWhy: that they read it is recorded before, and of who is erased
// there is nothing.
func TestARequestIsRevealedToWhoSaysWhy(t *testing.T) {
	d, open, _ := openTimed(t)
	path, why := "/v1/apps/smartkey/requests/"+open.ID+"/reveal", `{"reason":"dispute","why":"she called","by":"bob"}`
	ann := d.Pseudonym("ann")
	accesses := func(of string) (all []domain.DataAccessed) {
		for e, err := range d.Ledger.Stream(t.Context(), ident.AccessStream("smartkey", of)) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e.Event.(domain.DataAccessed))
		}
		return all
	}
	const asked = `{"specversion":"1.0","id":"c1","source":"test","type":"clarification.requested","data":{"request":"%s","question":"which","details":{"reasons":"which of them?"}}}`
	d.want(200, `"outcome":"recorded"`, "POST", "/v1/apps/smartkey/operator/events", strings.Replace(asked, "%s", open.ID, 1))

	d.want(404, "there is no request", "POST", "/v1/apps/smartkey/requests/nosuch/reveal", why)
	d.want(422, "reason-missing", "POST", path, `{"reason":"dispute","by":"bob"}`)
	d.want(422, "reason-missing", "POST", path, `{"reason":"dispute","why":"she called"}`)
	if all := accesses(ann); len(all) > 0 {
		t.Fatalf("what was refused is recorded: %v", all)
	}

	var a RevealedRequest
	if err := json.Unmarshal([]byte(d.want(200, `"subject":"account:ann"`, "POST", path, why)), &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Texts) != 2 || a.Texts[0].Text != "my words" || a.Texts[1].Text != `{"reasons":"which of them?"}` || a.Texts[1].Type != "clarification.requested" || a.Person != ann {
		t.Errorf("it says %+v", a)
	}
	all := accesses(ann)
	if len(all) != 1 || all[0].Kind != domain.AccessRequest || all[0].Reason != "dispute" || all[0].Parts != 3 || all[0].Records != 3 {
		t.Errorf("recorded is %+v", all)
	}

	d.want(200, `"event_id"`, "POST", "/v1/apps/smartkey/subjects/erase", `{"id":"o1","subject":"ann","reason":"asked","by":["ann","bo"]}`)
	if text := d.want(422, "unknown-person", "POST", path, why); strings.Contains(text, "my words") {
		t.Errorf("of who is erased it says %s", text)
	}
}

func TestTheReportIsTakenAwayAsAFile(t *testing.T) {
	d, open, _ := openTimed(t)
	code, text, header := d.ask("GET", reports+"?format=csv", "")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
	if err != nil || code != 200 || len(rows) != 7 || strings.Join(rows[0], ",") != strings.Join(report.Columns, ",") || header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Fatalf("%d %v %v %s", code, header, err, text)
	}
	if rows[1][1] != open.String() || rows[1][8] != "'=1+1" || rows[1][11] != "14" {
		t.Errorf("%q", rows[1])
	}
	_, book, header := d.ask("GET", reports, "", "Accept: application/vnd.openxmlformats-officedocument.spreadsheetml.sheet;q=0.9, */*")
	if again, _, _ := d.ask("POST", reports, `{"format":"xlsx"}`); !strings.HasPrefix(book, "PK") || again != 200 || header.Get("Content-Disposition") != `attachment; filename="deadlines-smartkey.xlsx"` {
		t.Errorf("%.10q %v", book, header)
	}
	_, cal, _ := d.ask("GET", reports+"?format=ics", "")
	if n := strings.Count(cal, "BEGIN:VEVENT"); n != 4 { // facts15 has no date
		t.Errorf("%d events in\n%s", n, cal)
	}
}

func TestTheFeedOpensByItsTokenAlone(t *testing.T) {
	d, _, _ := openTimed(t)
	var f Feed
	if err := json.Unmarshal([]byte(d.want(200, `"path"`, "GET", "/v1/apps/smartkey/reports/feed", "")), &f); err != nil {
		t.Fatal(err)
	}
	// What follows from withdrawals is in the feed of everything alone.
	d.TellOn(ident.ObligationStream(projectiontest.App, "stop1"), domain.OpenDuties{
		Cause: obligation.Cause{Event: ident.EventID{1}, Kind: "consent.withdrawn", Stream: "subject-smartkey-1"},
		Rule:  policy.DutyRule{ID: "stop", Kind: policy.DutyStop, Each: policy.DutyEachSystem}, Target: []string{"ads"}, Start: d.Time(),
		Rules: []deadline.Rule{{ID: "h24", Source: "law", Unit: deadline.UnitHour, Length: 24, TimeZone: "Asia/Shanghai", Law: true}},
	})
	if err := d.Wait(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	all := d.want(200, "BEGIN:VCALENDAR", "GET", f.All, "")
	d.want(400, "all: want true or false", "GET", f.Path+"?all=some", "")
	feed := d.want(200, "BEGIN:VCALENDAR", "GET", f.Path, "")
	if few, many := strings.Count(feed, "BEGIN:VEVENT"), strings.Count(all, "BEGIN:VEVENT"); many != few+1 {
		t.Errorf("%d events of replies and incidents, %d of all", few, many)
	}
	if n := strings.Count(feed, "BEGIN:VEVENT"); n != 4 || strings.Contains(feed, d.Pseudonym("ann")) || strings.Count(feed, "STATUS:CANCELLED") != 1 {
		t.Errorf("%d events in\n%s", n, feed)
	}
	code, again, header := d.ask("GET", f.Path, "")
	tag := header.Get("ETag")
	if code != 200 || again != feed || len(tag) < 10 || tag[0] != '"' {
		t.Errorf("again: %d, tag %s", code, tag)
	}
	for match, want := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, "": 200} {
		code, body, _ := d.ask("GET", f.Path, "", "If-None-Match: "+match)
		if code != want || (want == 304) != (body == "") {
			t.Errorf("If-None-Match %s: %d, %d bytes", match, code, len(body))
		}
	}
	for _, path := range []string{strings.Replace(f.Path, "smartkey", "demo", 1), strings.Replace(f.Path, "/feeds/", "/feeds/0", 1), "/v1/apps/smartkey/feeds/x/deadlines.ics", "/v1/apps/no-app/feeds/x/deadlines.ics"} {
		d.want(404, "not-found", "GET", path, "")
	}
	if bytes.Contains(d.log.Bytes(), []byte("feed")) {
		t.Errorf("the log says %s", d.log.String())
	}
}

// A filter by which nothing can be found is no empty report.
func TestAFilterNamesWhatThereCanBe(t *testing.T) {
	d, _, _ := openTimed(t)
	for query, part := range map[string]string{
		"reports/deadlines?kind=bananas":        "kind: nothing of that kind is owed",
		"obligations?kind=Reply":                "kind: nothing of that kind is owed",
		"obligations?rule=nosuch":               "rule: no policy of the app has that rule",
		"obligations?state=late":                "a state is one of",
		"obligations?state=open,":               "a state is one of",
		"obligations?group=bananas":             "group: a group is one of requests, other",
		"reports/deadlines?group=Requests":      "group: a group is one of requests, other",
		"obligations?type=bananas":              "type",
		"requests?state=bananas":                "state: want one of open",
		"requests?type=bananas":                 "type: ",
		"incidents?state=answered":              "state: want one of open, suspected, detected, contained, over, closed, dismissed",
		"incidents?type=access":                 "type: an incident has none",
		"incidents?subject=user-1":              "an incident is of no one person",
		"obligations?provisional=perhaps":       "provisional is true or false",
		"reports/deadlines?due_before=soon":     "due_before",
		"obligations?person=user-1":             "person: is a pseudonym",
		"requests?person=0000":                  "person: is a pseudonym",
		"obligations?format=pdf":                "a report has the format",
		"obligations?format=csv":                "format: this list is JSON",
		"obligations?stream=nix":                "stream: no stream of the app is named so",
		"obligations?stream=request-other-0123": "stream: no stream of the app is named so",
		"obligations?limit=01":                  "without a sign or zeros",
		"obligations?limit=%2B1":                "without a sign or zeros",

		// A span that ends before it begins holds nothing, whatever there is.
		"obligations?due_after=2026-12-01&due_before=2026-06-01":       "due_before: is not after due_after",
		"reports/deadlines?due_after=2026-12-01&due_before=2026-12-01": "due_before: is not after due_after",
	} {
		d.want(400, part, "GET", "/v1/apps/smartkey/"+query, "")
	}
	for _, query := range []string{"obligations?id=nix", "obligations?id=reply.nix", "reports/deadlines?id=reply", "obligations?id=nix.cn.policy.d2"} {
		d.want(404, "id: no obligation of the app can have that id", "GET", "/v1/apps/smartkey/"+query, "")
	}
	d.want(404, "stream: the app has no stream of that name", "GET", "/v1/apps/smartkey/obligations?stream=request-smartkey-0123456789abcdef", "")
	for _, query := range []string{"obligations?kind=keep", "obligations?id=reply.law.cn.gbt35273.request_reply", "obligations?id=reply.law.cn.gbt35273.request_reply.2", "obligations?format=json&kind=keep", "requests?person=0123456789abcdef0123456789abcdef", "obligations?rule=law.cn.gbt35273.request_reply", "requests?state=duplicate", "incidents?state=dismissed", "incidents?state=over"} {
		d.want(200, "[]", "GET", "/v1/apps/smartkey/"+query, "")
	}
}
