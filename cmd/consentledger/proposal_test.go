package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"consentledger/api/auth"
	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/server"

	"github.com/oauth2-proxy/mockoidc"
)

// A desk is a ledger that authenticates, with a policy, and with officers and approvers who
// are different persons.
type desk struct {
	*guarded
	officer, second, third, auditor auth.KeyAnswer
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	return newDeskWith(t, server.Ways{})
}

// newDeskWith is newDesk of a ledger that lets in by more ways than keys.
func newDeskWith(t *testing.T, more server.Ways) *desk {
	t.Helper()
	g := guardWith(t, more)
	d := &desk{
		guarded: g,
		officer: g.issue("--name", "Ann", "--role", "privacy-officer,approver", "--app", "shop", "--days", "30"),
		second:  g.issue("--name", "Bo", "--role", "approver", "--app", "shop", "--days", "30"),
		third:   g.issue("--name", "Cy", "--role", "approver,privacy-officer", "--app", "shop", "--days", "30"),
		auditor: g.issue("--name", "Di", "--role", "auditor", "--all-apps", "--days", "7"),
	}
	d.run(d.officer, "policy", "publish", "--app", "shop", "smartkey/policy.yaml")
	return d
}

// run runs a verb that must do.
func (d *desk) run(key auth.KeyAnswer, args ...string) string {
	d.Helper()
	out, err := d.as(key.Key, args...)
	if err != nil {
		d.Fatalf("%v: %s %v", args, out, err)
	}
	return out
}

// refused runs a verb that must be refused with a code.
func (d *desk) refused(code string, key auth.KeyAnswer, args ...string) {
	d.Helper()
	if out, err := d.as(key.Key, args...); err == nil || !strings.HasPrefix(err.Error(), code+": ") {
		d.Errorf("%v: %s %v, want %s", args, out, err, code)
	}
}

// agree records that somebody agrees, and returns the event.
func (d *desk) agree(who string) string {
	d.Helper()
	out := d.run(d.keys[auth.Writer], "record", "--app", "shop", "--type", "consent.given", "--subject", who, "--data", `{"act":"agree-popup","purposes":["personalisation"]}`, "-o", "jsonl")
	return field(d.T, out, "event_id")
}

func field(t *testing.T, row, name string) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(row), &members); err != nil {
		t.Fatalf("%s: %v", row, err)
	}
	text, _ := members[name].(string)
	return text
}

// void proposes to void a record, and returns the proposal.
func (d *desk) void(who, record string) string {
	d.Helper()
	out := d.run(d.officer, "void", "records", "--app", "shop", "--subject", who, "--reason", "never-agreed", "--evidence", "sha256:"+strings.Repeat("0f", 32), record, "-o", "jsonl")
	if state := field(d.T, out, "state"); state != "open" {
		d.Fatalf("proposed: %s", out)
	}
	return field(d.T, out, "id")
}

// count returns how many records of a type there are.
func (d *desk) count(kind string) int {
	d.Helper()
	return strings.Count(d.run(d.auditor, "replay", "--app", "shop", "--type", kind), "\n")
}

func TestAVoidTakesTwoPrincipals(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	record := d.agree("wilhelmina")

	// Nobody gives two names instead, and nothing is recorded by one.
	d.refused("names-not-taken", d.officer, "void", "records", "--app", "shop", "--subject", "wilhelmina", "--reason", "never-agreed",
		"--evidence", "sha256:"+strings.Repeat("0f", 32), record, "--by", "ann", "--by", "bo")
	id := d.void("wilhelmina", record)
	if d.count("record.voided") != 0 {
		t.Error("it is recorded before anybody approved")
	}
	if again := d.count("proposal.made"); again != 1 {
		t.Errorf("%d proposals are made", again)
	}

	// Who proposed it, and who has another key of theirs, or under their name, may not approve it.
	d.refused("same-principal", d.officer, "proposal", "approve", "--app", "shop", id)
	other := d.issue("--name", "Ann, again", "--principal", d.officer.Principal, "--role", "approver", "--app", "shop", "--days", "30")
	d.refused("same-principal", other, "proposal", "approve", "--app", "shop", id)
	named := d.issue("--name", " ANN", "--role", "approver", "--app", "shop", "--days", "30")
	d.refused("same-principal", named, "proposal", "approve", "--app", "shop", id)
	d.refused("forbidden", d.keys[auth.Officer], "proposal", "approve", "--app", "shop", id)
	d.refused("not-the-proposer", d.third, "proposal", "withdraw", "--app", "shop", id)

	// The second sees what was proposed, which is recorded, and approves it.
	shown := d.run(d.second, "proposal", "show", "--app", "shop", id, "-o", "json")
	if !strings.Contains(shown, record) || !strings.Contains(shown, `"wilhelmina"`) || !strings.Contains(shown, `"approve"`) {
		t.Errorf("shown: %s", shown)
	}
	if log := d.run(d.auditor, "replay", "--app", "shop", "--type", "data.accessed"); !wiretest.Holds(log, `"kind":"proposal"`) || !strings.Contains(log, d.second.Principal) {
		t.Errorf("that somebody looked: %s", log)
	}
	done := d.run(d.second, "proposal", "approve", "--app", "shop", "--reason", "seen", id, "-o", "jsonl")
	voided := d.run(d.auditor, "replay", "--app", "shop", "--type", "record.voided")
	both := fmt.Sprintf(`"by":[%q,%q]`, d.officer.Principal, d.second.Principal)
	if field(t, done, "state") != "done" || !strings.Contains(voided, both) || !strings.Contains(voided, field(t, done, "record")) ||
		!wiretest.Holds(voided, `"recorded_by":"`+d.officer.Principal+`"`) {
		t.Errorf("%s\n%s", done, voided)
	}
	if out, err := d.as(d.keys[auth.AppReader].Key, "check", "--app", "shop", "--subject", "wilhelmina", "--purpose", "personalisation", "-o", "jsonl"); err == nil || !strings.Contains(out, "never-asked") {
		t.Errorf("%s %v", out, err)
	}

	// Once more does nothing more; another one comes too late.
	if again := d.run(d.second, "proposal", "approve", "--app", "shop", id, "-o", "jsonl"); field(t, again, "record") != field(t, done, "record") {
		t.Errorf("again: %s", again)
	}
	d.refused("already-decided", d.third, "proposal", "approve", "--app", "shop", id)
	d.refused("already-decided", d.third, "proposal", "decline", "--reason", "no", "--app", "shop", id)
	if d.count("record.voided") != 1 || d.count("proposal.approved") != 1 || d.count("proposal.done") != 1 {
		t.Error("it was recorded more than once")
	}
	if log := d.run(d.auditor, "replay", "--app", "shop", "--type", "proposal.made"); strings.Contains(log, "wilhelmina") || strings.Contains(log, record) {
		t.Errorf("the log says whom a proposal is about: %s", log)
	}
}

func TestAProposalEndsInOtherWays(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ask := func(id, verb, key, body string) (int, string) {
		return d.ask(key, "POST", "/v1/apps/shop/proposals/"+id+"/"+verb, body)
	}

	// Declined, for a reason; withdrawn by who made it.
	declined := d.void("wilhelmina", d.agree("wilhelmina"))
	if status, text := ask(declined, "decline", d.second.Key, `{}`); status != 422 || !strings.Contains(text, "reason-missing") {
		t.Errorf("declined for no reason: %d %s", status, text)
	}
	if status, text := ask(declined, "decline", d.second.Key, `{"reason":"no proof"}`); status != 200 || !wiretest.Holds(text, `"answer":"no proof"`) {
		t.Errorf("declined: %d %s", status, text)
	}
	withdrawn := d.void("bea", d.agree("bea"))
	d.run(d.officer, "proposal", "withdraw", "--app", "shop", withdrawn)
	for _, id := range []string{declined, withdrawn} {
		d.refused("already-decided", d.second, "proposal", "approve", "--app", "shop", id)
	}

	// What it is about changed: the person took the consent back, and the void would do
	// something else than what was proposed.
	record := d.agree("cyd")
	lapsed := d.void("cyd", record)
	d.run(d.keys[auth.Writer], "record", "--app", "shop", "--type", "consent.withdrawn", "--subject", "cyd", "--data", `{"all":true}`)
	d.refused("proposal-outdated", d.second, "proposal", "approve", "--app", "shop", lapsed)
	d.refused("already-decided", d.second, "proposal", "approve", "--app", "shop", lapsed)
	if out := d.run(d.auditor, "proposal", "list", "--app", "shop", "--state", "lapsed", "-o", "jsonl"); field(t, out, "id") != lapsed {
		t.Errorf("lapsed: %s", out)
	}
	d.run(d.second, "proposal", "approve", "--app", "shop", d.void("cyd", record)) // proposed anew

	// Something else happened to the person, which changes nothing of it.
	same := d.void("dot", d.agree("dot"))
	d.run(d.keys[auth.Writer], "record", "--app", "shop", "--type", "notice.presented", "--subject", "dot", "--data", `{}`)
	d.run(d.second, "proposal", "approve", "--app", "shop", same)

	// Proposals of other apps are nobody's to see, nor to decide on.
	stranger := d.issue("--name", "Eve", "--role", "approver,privacy-officer", "--app", "bank", "--days", "30")
	if status, text := d.ask(stranger.Key, "GET", "/v1/apps/shop/proposals", ""); status != 404 {
		t.Errorf("another app's: %d %s", status, text)
	}
	open := d.void("eli", d.agree("eli"))
	for _, path := range []string{"/v1/apps/bank/proposals/" + open + "/approve", "/v1/apps/bank/proposals/" + open + "/decline"} {
		if status, text := d.ask(stranger.Key, "POST", path, `{"reason":"no"}`); status != 404 || !strings.Contains(text, "unknown-proposal") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, text := d.ask(stranger.Key, "GET", "/v1/apps/bank/proposals", ""); status != 200 || !wiretest.Holds(text, `"proposals":[]`) {
		t.Errorf("the bank's: %d %s", status, text)
	}
}

// All that takes two by the table does, by each of the ways in which it comes.
func TestEveryCommandOfTheTableIsProposed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.agree("wilhelmina")
	d.agree("kid")
	d.run(d.keys[auth.Officer], "record", "--operator", "--app", "shop", "--type", "age.recorded", "--subject", "kid", "--data", `{"band":"under-14","basis":"declared"}`)
	opened := d.run(d.keys[auth.Officer], "request", "open", "--app", "shop", "--subject", "wilhelmina", "--types", "copy", "--channel", "email", "-o", "jsonl")
	request := field(t, opened, "request")
	evidence := `"evidence":"sha256:` + strings.Repeat("0f", 32) + `"`
	for kind, event := range map[string]string{
		"build.voided":      `"data":{"build":"5.2","from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z","reason":"ticked-before",` + evidence + `}`,
		"exemption.invoked": `"subject":"wilhelmina","data":{"list":"collect","code":"EXC-C4","purposes":["personalisation"],"reason":"life-in-danger","until":"2100-01-01T00:00:00Z"}`,
		"disclosure.made":   `"data":{"ground":"DIS-1","what":"the winners"}`,
		"access.approved":   `"subject":"kid","data":{"reason":"a complaint of the parents"}`,
		"request.rejected":  `"data":{"request":"` + request + `","codes":"REJ-1","remedies_told":"yes","details":{"text":"no"}}`,
	} {
		whole := fmt.Sprintf(`{"specversion":"1.0","id":"%s-1","source":"test","type":"%[1]s",%s}`, kind, event)
		if status, text := d.ask(d.officer.Key, "POST", "/v1/apps/shop/operator/events", whole); status != 409 && status != 422 || !strings.Contains(text, `"approval-needed"`) {
			t.Errorf("%s at once: %d %s", kind, status, text)
		}
		status, text := d.ask(d.officer.Key, "POST", "/v1/apps/shop/proposals", `{"event":`+whole+`}`)
		if status != 200 {
			t.Errorf("%s is proposed: %d %s", kind, status, text)
			continue
		}
		status, text = d.ask(d.second.Key, "POST", "/v1/apps/shop/proposals/"+field(t, text, "id")+"/approve", `{}`)
		if status != 200 || field(t, text, "state") != "done" {
			t.Errorf("%s is approved: %d %s", kind, status, text)
			continue
		}
		record := d.run(d.auditor, "replay", "--app", "shop", "--type", kind)
		if !strings.Contains(record, d.second.Principal) || !wiretest.Holds(record, `"recorded_by":"`+d.officer.Principal+`"`) {
			t.Errorf("%s does not name both: %s", kind, record)
		}
	}

	// An erasure: with the person goes what was proposed.
	out := d.run(d.officer, "subject", "erase", "--app", "shop", "--subject", "wilhelmina", "--reason", "subject-request")
	id := field(t, out, "id")
	d.refused("same-principal", d.officer, "proposal", "approve", "--app", "shop", id)
	if done := d.run(d.second, "proposal", "approve", "--app", "shop", id, "-o", "jsonl"); field(t, done, "state") != "done" {
		t.Errorf("erased: %s", done)
	}
	if shown := d.run(d.second, "proposal", "show", "--app", "shop", id, "-o", "json"); strings.Contains(shown, "wilhelmina") {
		t.Errorf("what was proposed of who is erased: %s", shown)
	}

	// An app does not go round it by the route of apps.
	access := `{"specversion":"1.0","id":"a-2","source":"test","type":"access.approved","subject":"kid","data":{"approver":"desk","reason":"to look"}}`
	if status, text := d.ask(d.keys[auth.Writer].Key, "POST", "/v1/apps/shop/events", access); status != 409 || !strings.Contains(text, `"approval-needed"`) {
		t.Errorf("by the route of apps: %d %s", status, text)
	}
	// What takes one is not proposed.
	if status, text := d.ask(d.officer.Key, "POST", "/v1/apps/shop/proposals", `{"event":{"specversion":"1.0","id":"h","source":"test","type":"hold.placed","subject":"kid","data":{"reason":"litigation"}}}`); status != 422 || !strings.Contains(text, "takes one person here") {
		t.Errorf("a hold: %d %s", status, text)
	}
}

// TestWhoLostTheirRoleSinceIsNoneOfTheTwo: a key that was revoked, a group that the newest
// token does not name any more, a role that the file of roles does not give any more.
func TestWhoLostTheirRoleSinceIsNoneOfTheTwo(t *testing.T) {
	t.Parallel()
	idp, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = idp.Shutdown() })
	file := groupsFile(t)
	d := newDeskWith(t, server.Ways{Issuer: idp.Issuer(), Audience: "consentledger", Groups: file})
	proposed := func(who, key string) string {
		t.Helper()
		event := fmt.Sprintf(`{"event":{"specversion":"1.0","id":"void-%s","source":"test","type":"record.voided","subject":"%[1]s",
			"data":{"records":["%s"],"reason":"never-agreed","evidence":"sha256:%s"}}}`, who, d.agree(who), strings.Repeat("0f", 32))
		status, text := d.ask(key, "POST", "/v1/apps/shop/proposals", event)
		if status != 200 {
			t.Fatalf("%s: %d %s", who, status, text)
		}
		return field(t, text, "id")
	}
	lapsed := func(id string) {
		t.Helper()
		d.refused("proposal-outdated", d.second, "proposal", "approve", "--app", "shop", id)
		if out := d.run(d.auditor, "proposal", "list", "--app", "shop", "--state", "lapsed", "-o", "jsonl"); !strings.Contains(out, id) || !strings.Contains(out, "role-lost") {
			t.Errorf("lapsed: %s", out)
		}
	}

	officer := tokenOf(t, idp, string(auth.Officer))
	kept := proposed("ann", officer)
	d.run(d.second, "proposal", "approve", "--app", "shop", kept)

	leaves := proposed("bea", officer)
	if status, text := d.ask(tokenOf(t, idp, "others"), "GET", "/v1/access/me", ""); status != 403 {
		t.Fatalf("who is in no group any more: %d %s", status, text)
	}
	lapsed(leaves)

	revoked := proposed("cyd", d.third.Key)
	if _, err := d.as(d.admin, "access", "key", "revoke", d.third.ID); err != nil {
		t.Fatal(err)
	}
	lapsed(revoked)

	officer = tokenOf(t, idp, string(auth.Officer))
	changed := proposed("dot", officer)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte("group: privacy-officer"), []byte("group: former-officer"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	lapsed(changed)
	if n := d.count("record.voided"); n != 1 {
		t.Errorf("%d are voided", n)
	}
}

// TestWhoStartsAnErasureOfManyApprovesItsDigest: the list is fixed by what the approver
// names, on the command line, over HTTP and on the page.
func TestWhoStartsAnErasureOfManyApprovesItsDigest(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, who := range []string{"wilhelmina", "bea", "cyd"} {
		d.agree(who)
	}
	file := filepath.Join(t.TempDir(), "ids.txt")
	if err := os.WriteFile(file, []byte("wilhelmina\nnobody-knows\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := d.run(d.officer, "erasure", "begin", "--app", "shop", "--file", file, "--reason", "inactive", "--id", "spring", "-o", "jsonl")
	digest := field(t, begun, "digest")
	shown := d.run(d.second, "erasure", "show", "--app", "shop", "spring", "-o", "json")
	if !strings.HasPrefix(digest, "sha256:") || field(t, shown, "digest") != digest || !strings.Contains(shown, `"start"`) {
		t.Fatalf("%s\n%s", begun, shown)
	}
	d.refused("malformed", d.second, "erasure", "start", "--app", "shop", "spring")
	d.refused("same-principal", d.officer, "erasure", "start", "--app", "shop", "spring", "--digest", digest)

	// The first puts other persons in their place, after the second looked.
	if status, text := d.ask(d.officer.Key, "POST", "/v1/apps/shop/erasures/spring/subjects", `{"part":1,"subjects":["bea","cyd"]}`); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	d.refused("proposal-outdated", d.second, "erasure", "start", "--app", "shop", "spring", "--digest", digest)
	if n := d.count("erasure.ordered"); n != 0 {
		t.Errorf("%d are ordered", n)
	}

	// On the page, by the digest that it shows.
	page := d.sits(d.second)
	form := regexp.MustCompile(`name="digest" value="(sha256:[0-9a-f]{64})"`).FindStringSubmatch(page.get("/ui/approvals?app=shop"))
	if form == nil || form[1] == digest {
		t.Fatalf("the page shows %v", form)
	}
	if text := page.post("/ui/approvals?app=shop", url.Values{"form": {"start"}, "id": {"spring"}, "digest": {digest}}); !strings.Contains(text, "role=\"alert\"") {
		t.Errorf("by the digest of before: %s", text)
	}
	page.post("/ui/approvals?app=shop", url.Values{"form": {"start"}, "id": {"spring"}, "digest": {form[1]}})
	done := d.run(d.officer, "erasure", "show", "--app", "shop", "spring", "--wait", "-o", "jsonl")
	if field(t, done, "state") != "done" || !wiretest.Holds(done, `"erased":2`) || field(t, done, "digest") != form[1] {
		t.Errorf("%s", done)
	}
}

// Of many who approve at once one does, and it is recorded once.
func TestOfManyWhoApproveAtOnceOneDoes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.void("wilhelmina", d.agree("wilhelmina"))
	var keys []auth.KeyAnswer
	for i := range 6 {
		keys = append(keys, d.issue("--name", fmt.Sprint("approver ", i), "--role", "approver", "--app", "shop", "--days", "30"))
	}
	status := make([]int, len(keys))
	var all sync.WaitGroup
	for i, key := range keys {
		all.Go(func() { status[i], _ = d.ask(key.Key, "POST", "/v1/apps/shop/proposals/"+id+"/approve", `{}`) })
	}
	all.Wait()
	good := 0
	for _, s := range status {
		if s == 200 {
			good++
		} else if s != 409 {
			t.Errorf("status %d", s)
		}
	}
	if good != 1 || d.count("record.voided") != 1 || d.count("proposal.approved") != 1 {
		t.Errorf("%v: %d voids, %d approvals", status, d.count("record.voided"), d.count("proposal.approved"))
	}
}

// Who a pseudonym is, an auditor may ask, which is recorded; and it is forgotten.
func TestAPrincipalIsNamedForAnAuditorAndForgotten(t *testing.T) {
	t.Parallel()
	g := guard(t)
	key := g.issue("--name", "Wilhelmina Drost", "--role", "viewer", "--app", "shop", "--days", "30")
	auditor := g.issue("--name", "Di", "--role", "auditor", "--all-apps", "--days", "7")
	show := func(as string) (string, error) {
		return g.as(as, "access", "principal", "show", key.Principal, "-o", "json")
	}
	if out, err := show(auditor.Key); err != nil || !strings.Contains(out, "Wilhelmina Drost") {
		t.Errorf("%s %v", out, err)
	}
	if out, err := show(g.keys[auth.Officer].Key); err == nil {
		t.Errorf("an officer of one app: %s", out)
	}
	log, err := g.as(auditor.Key, "replay", "--app", "shop", "--type", "principal.named")
	if err != nil || !strings.Contains(log, key.Principal) || !strings.Contains(log, auditor.Principal) || strings.Contains(log, "Wilhelmina") {
		t.Errorf("that somebody asked: %s %v", log, err)
	}
	erase := func() (string, error) {
		return g.as(g.admin, "access", "principal", "erase", key.Principal, "-o", "json")
	}
	if out, err := erase(); err == nil {
		t.Errorf("of a key that is good: %s", out)
	}
	if out, err := g.as(g.admin, "access", "key", "revoke", key.ID); err != nil {
		t.Fatal(out, err)
	}
	for range 2 {
		if out, err := erase(); err != nil || strings.Contains(out, "Wilhelmina") {
			t.Errorf("%s %v", out, err)
		}
	}
	if out, err := show(auditor.Key); err != nil || strings.Contains(out, "Wilhelmina") || !strings.Contains(out, key.Principal) {
		t.Errorf("afterwards: %s %v", out, err)
	}
	if log, err := g.as(auditor.Key, "replay", "--app", "shop", "--type", "principal.erased"); err != nil || strings.Count(log, "\n") != 1 {
		t.Errorf("that it was erased: %s %v", log, err)
	}
}

// A seat is a browser whose person has a key, and shows it by HTTP's basic authentication.
type seat struct {
	*desk
	key     auth.KeyAnswer
	browser *http.Client
}

func (d *desk) sits(key auth.KeyAnswer) *seat {
	d.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.Fatal(err)
	}
	return &seat{d, key, &http.Client{Jar: jar}}
}

// get returns a page of the ledger.
func (s *seat) get(path string) string {
	s.Helper()
	return s.send(http.MethodGet, path, nil)
}

// post sends a form of a page, with the token that the page has.
func (s *seat) post(path string, form url.Values) string {
	s.Helper()
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(s.get(path))
	if token == nil {
		s.Fatalf("%s has no form", path)
	}
	form.Set("token", token[1])
	return s.send(http.MethodPost, path, form)
}

func (s *seat) send(method, path string, form url.Values) string {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, s.running.http+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.Fatal(err)
	}
	req.SetBasicAuth("x", s.key.Key)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := s.browser.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return string(text)
}

// What the page To approve shows and takes, in both languages.
func TestThePageToApprove(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.void("wilhelmina", d.agree("wilhelmina"))
	first, second := d.sits(d.officer), d.sits(d.second)
	const page = "/ui/approvals?app=shop"
	decide := func(who *seat, verb string) string {
		t.Helper()
		return who.post(page, url.Values{"form": {verb}, "id": {id}, "reason": {"seen"}})
	}

	if text := first.get(page); !strings.Contains(text, `value="withdraw"`) || strings.Contains(text, `value="approve"`) {
		t.Errorf("who proposed it sees: %s", text)
	}
	if text := second.get(page); !strings.Contains(text, `value="approve"`) || !strings.Contains(text, "never-agreed") || strings.Contains(text, "wilhelmina") {
		t.Errorf("who decides sees: %s", text)
	}
	if zh := second.get(page + "&lang=zh-CN"); !strings.Contains(zh, "批准并记录") || !strings.Contains(zh, "待批准") {
		t.Errorf("in Chinese: %s", zh)
	}
	second.get(page + "&lang=en") // the browser keeps the language
	if shown := second.get(page + "&show=" + id); !strings.Contains(shown, "wilhelmina") {
		t.Errorf("what exactly: %s", shown)
	}
	if text := decide(first, "approve"); !strings.Contains(text, "another principal") || d.count("record.voided") != 0 {
		t.Errorf("by who proposed it: %s", text)
	}
	if text := decide(second, "approve"); !strings.Contains(text, "It is approved, and recorded.") || d.count("record.voided") != 1 {
		t.Errorf("by another: %s", text)
	}
}

// More can be asked for in an app, and for nothing less.
func TestAnInstallationMayAskForMore(t *testing.T) {
	t.Parallel()
	g := guardIn(t, t.TempDir(), server.Access{Authenticate: true, Ways: server.Ways{TwoPersons: []string{"shop=system.removed"}}})
	removed := `{"specversion":"1.0","id":"r","source":"test","type":"system.removed","data":{"system":"crm","reason":"gone"}}`
	officer := g.issue("--name", "Ann", "--role", "privacy-officer", "--app", "shop,bank", "--days", "30")
	if status, text := g.ask(officer.Key, "POST", "/v1/apps/shop/operator/events", removed); status != 409 || !strings.Contains(text, "approval-needed") {
		t.Errorf("in the shop: %d %s", status, text)
	}
	if status, text := g.ask(officer.Key, "POST", "/v1/apps/bank/operator/events", removed); status != 200 {
		t.Errorf("in the bank: %d %s", status, text)
	}
	status, text := g.ask(officer.Key, "POST", "/v1/apps/shop/proposals", `{"event":`+removed+`}`)
	approver := g.issue("--name", "Bo", "--role", "approver", "--app", "shop", "--days", "30")
	if status == 200 {
		status, text = g.ask(approver.Key, "POST", "/v1/apps/shop/proposals/"+field(t, text, "id")+"/approve", `{}`)
	}
	if status != 200 || field(t, text, "state") != "done" {
		t.Errorf("proposed and approved: %d %s", status, text)
	}
	for _, bad := range []string{"shop", "Shop=system.removed", "shop=", "shop=consent.given", "shop=nosuch"} {
		if _, err := auth.ParseTwoPersons([]string{bad}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
