package rest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"consentledger/api/approval"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/projections/projectiontest"

	"github.com/go-json-experiment/json"
)

// restUntil lets time pass until what is told next is recorded in the last millisecond of a day.
func (d *timedServer) restUntil() (last deadline.Instant) {
	day := deadline.Instant(deadline.Day)
	last = (d.Time()/day+1)*day - 1
	d.Rest(deadline.Span(last-d.Time()) - deadline.Second)
	return last
}

// A request is answered as of a day as it was answered on that day, whatever was recorded since: a step in
// the last millisecond of the day is in it, and one of the next millisecond is not, nor is the erasure of
// who asks. What was not there yet is not found.
func TestARequestIsAnsweredAsItWasOnThatDay(t *testing.T) {
	d, open, _ := openTimed(t)
	path := "/v1/apps/smartkey/requests/" + open.ID
	last := d.restUntil()
	d.Step(open, "identity.requested elements=IDE-4")
	if d.Time() != last {
		t.Fatalf("the step was taken at %s, want %s", d.Time(), last)
	}
	if err := d.Wait(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	was := d.want(200, `"kind":"identity.requested"`, "GET", path, "")

	d.Rest(1 - deadline.Second)
	d.Step(open, "identity.passed elements=IDE-4 checked_by=desk")
	if d.Time() != last+1 {
		t.Fatalf("the next step was taken at %s", d.Time())
	}
	d.Rest(deadline.Day)
	d.Step(open, "request.answered outcome=full channel=app")
	later := d.Ask("cleo", request.Access)
	d.want(200, `"event_id"`, "POST", "/v1/apps/smartkey/subjects/erase", `{"id":"o1","subject":"ann","reason":"asked","by":["ann","bo"]}`)
	if err := d.Wait(t.Context(), 0); err != nil {
		t.Fatal(err)
	}

	if is := d.want(200, "", "GET", path+"?known_at="+last.String(), ""); is != was {
		t.Errorf("as of that day it is answered\n%s\nand on it\n%s", is, was)
	}
	next := d.want(200, `"kind":"identity.passed"`, "GET", path+"?known_at="+(last+1).String(), "")
	if strings.Contains(next, "request.answered") {
		t.Errorf("a millisecond later: %s", next)
	}
	d.want(404, "no request of that id was known at "+last.String(), "GET", "/v1/apps/smartkey/requests/"+later.ID+"?known_at="+last.String(), "")
	d.want(400, "known_at: ", "GET", path+"?known_at=2999-01-31T00:00:00Z", "")
}

// What is opened of a request as of a moment is what was written by then; that somebody opened it is
// recorded as of now.
func TestARequestIsRevealedAsItWasKnown(t *testing.T) {
	d, open, _ := openTimed(t)
	path := "/v1/apps/smartkey/requests/" + open.ID + "/reveal"
	const asked = `{"specversion":"1.0","id":"c1","source":"test","type":"clarification.requested","data":{"request":"%s","question":"which","details":{"reasons":"which of them?"}}}`
	before := d.Time()
	d.Rest(deadline.Second)
	d.want(200, `"outcome":"recorded"`, "POST", "/v1/apps/smartkey/operator/events", strings.Replace(asked, "%s", open.ID, 1))

	for at, texts := range map[deadline.Instant]int{before: 1, d.Time(): 2} {
		var a RevealedRequest
		body := fmt.Sprintf(`{"reason":"dispute","why":"she called","by":"bob","known_at":%q}`, at)
		if err := json.Unmarshal([]byte(d.want(200, `"subject":"account:ann"`, "POST", path, body)), &a); err != nil || len(a.Texts) != texts {
			t.Errorf("as known at %s there are %+v, %v", at, a.Texts, err)
		}
	}
	d.want(404, "no request of that id was known at", "POST", path, `{"reason":"dispute","why":"she called","by":"bob","known_at":"2020-01-31T00:00:00Z"}`)
	d.want(400, "known_at: ", "POST", path, `{"reason":"dispute","why":"she called","by":"bob","known_at":"2999-01-31T00:00:00Z"}`)

	accesses := 0
	for _, err := range d.Ledger.Stream(t.Context(), ident.AccessStream(projectiontest.App, d.Pseudonym("ann"))) {
		if err != nil {
			t.Fatal(err)
		}
		accesses++
	}
	if accesses != 2 {
		t.Errorf("%d accesses are recorded, want one for each that was answered", accesses)
	}
}

// Proposals are answered as of a moment as they were answered then, but for what whoever asks may do.
func TestProposalsAreAnsweredAsTheyWereKnown(t *testing.T) {
	d, _, _ := openTimed(t)
	needs := func(_ ident.AppName, kind string) bool { return kind == "record.voided" }
	d.Ledger.AskTwo(needs, nil)
	d.conf.Approvals = &approval.Approvals{Ledger: d.Ledger, Needs: needs}
	d.conf.Principal = func(context.Context) string { return "p-first" }
	d.h = Handler(d.conf)
	given := d.Tell("ann", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location"}})

	const list = "/v1/apps/smartkey/proposals"
	last := d.restUntil()
	d.Rest(deadline.Second)
	void := fmt.Sprintf(`{"event":{"specversion":"1.0","id":"v1","source":"test","type":"record.voided","subject":"ann","data":{"records":[%q],"reason":"never-agreed","evidence":"sha256:%s"}}}`,
		given.Event, strings.Repeat("0f", 32))
	var p ProposalAnswer
	if err := json.Unmarshal([]byte(d.want(200, `"state":"open"`, "POST", list, void)), &p); err != nil {
		t.Fatal(err)
	}
	was := d.want(200, `"may":["withdraw"]`, "GET", list, "")
	was = strings.Replace(was, `,"may":["withdraw"]`, "", 1)
	was = strings.Replace(was, `{"authenticated"`, `{"known_at":"`+last.String()+`","authenticated"`, 1)

	d.Rest(1)
	d.want(200, `"state":"withdrawn"`, "POST", list+"/"+p.ID+"/withdraw", `{}`)
	d.want(200, `"event_id"`, "POST", "/v1/apps/smartkey/subjects/erase", `{"id":"o1","subject":"ann","reason":"asked","by":["ann","bo"]}`)

	if is := d.want(200, "", "GET", list+"?known_at="+last.String(), ""); is != was {
		t.Errorf("as of then it is answered\n%s\nand then\n%s", is, was)
	}
	d.want(200, `"id":"`+p.ID, "GET", list+"?state=open&known_at="+last.String(), "")
	d.want(200, `"proposals":[]`, "GET", list+"?state=open&known_at="+(last+1).String(), "")
	d.want(200, `"state":"withdrawn"`, "GET", list+"?known_at="+(last+1).String(), "")
	d.want(200, `"proposals":[]`, "GET", list+"?known_at="+(last-1).String(), "")
	d.want(400, "known_at: ", "GET", list+"?known_at=2999-01-31T00:00:00Z", "")

	one := d.want(200, `"state":"open"`, "GET", list+"/"+p.ID+"?known_at="+last.String(), "")
	if strings.Contains(one, `"may"`) || strings.Contains(one, `"proposed"`) {
		t.Errorf("of who is erased, one that is past says %s", one)
	}
	d.want(404, "unknown-proposal", "GET", list+"/"+p.ID+"?known_at="+(last-1).String(), "")
	d.want(400, "known_at: ", "GET", list+"/"+p.ID+"?known_at=soon", "")
}
