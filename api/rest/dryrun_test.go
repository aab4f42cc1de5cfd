package rest

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/approval"
	"consentledger/api/erasing"
	"consentledger/api/policyfile"
	"consentledger/api/webhook"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A witness sees which commands reach the ledger.
type witness struct {
	*ledger.Ledger
	saw map[reflect.Type]bool
}

func (w witness) Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error) {
	w.saw[reflect.TypeOf(req.Command)] = true
	return w.Ledger.Execute(ctx, req)
}

func (w witness) Erase(ctx context.Context, req ledger.Request) (ledger.Receipt, error) {
	w.saw[reflect.TypeOf(req.Command)] = true
	return w.Ledger.Erase(ctx, req)
}

// kept is all that the store and the rows hold.
func (h *testServer) kept() (all []string) {
	h.t.Helper()
	for r, err := range h.store.ReadAll(h.t.Context(), 0) {
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%d %s %d %s %s", r.Position, r.Stream, r.Revision, r.ID, r.Data))
	}
	for row, err := range h.rows.Scan(h.t.Context(), nil) {
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, hex.EncodeToString(row.Key)+" "+hex.EncodeToString(row.Value))
	}
	return all
}

// recordedSince returns the records after a position, as a dry run tells them.
func (h *testServer) recordedSince(at eventstore.Position) (all []wire.DryRecord) {
	h.t.Helper()
	for r, err := range h.store.ReadAll(h.t.Context(), at) {
		if err != nil {
			h.t.Fatal(err)
		}
		e, err := codec.Decode(r)
		if err != nil {
			h.t.Fatal(err)
		}
		d, err := wire.DryRecordOf(e)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// chance is what differs between two runs of one command: times, ids, positions and
// pseudonyms.
var chance = regexp.MustCompile(`"(position|event_id|request|incident|stream)":"[^"]*"|` +
	`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z|[0-9a-f]{8}-[0-9a-f-]{27}|wh-[0-9a-f]{16}|\b[0-9a-f]{32}\b|\b[0-9a-z]{20,26}\b`)

// secret is what a dry run does not show.
var secret = regexp.MustCompile(`,"secret":"[^"]*"`)

func sure(t *testing.T, v any) string {
	t.Helper()
	b, ok := v.(jsontext.Value)
	if !ok {
		var err error
		if b, err = json.Marshal(v, json.Deterministic(true)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Canonicalize(); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return chance.ReplaceAllString(string(b), "?")
}

// foretold asks what a command would do, holds that nothing is kept of that, sends the
// command, and holds that it does so.
func (h *testServer) foretold(method, path, body string, headers ...string) (status int, answer string) {
	h.t.Helper()
	before := h.kept()
	foreseen, told, header := h.ask(method, path+"?dry_run", body, headers...)
	onNATS, toldOnNATS, overNATS := h.dryOnNATS(method, path, body, headers)
	if after := h.kept(); !slices.Equal(before, after) {
		h.t.Errorf("%s %s %.200s: a dry run left %d things where there were %d", method, path, body, len(after), len(before))
	}

	head, err := h.store.Head(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	status, answer = h.do(method, path, body, headers...)
	if foreseen != status {
		h.t.Errorf("%s %s %.300s: %d %s is foretold, and answered is %d %s", method, path, body, foreseen, told, status, answer)
		return status, answer
	}
	if overNATS && onNATS != strconv.Itoa(status) {
		h.t.Errorf("%s %s %.300s: over NATS %s %s is foretold, and answered is %d %s", method, path, body, onNATS,
			toldOnNATS, status, answer)
		return status, answer
	}
	if status != 200 {
		if overNATS && refusalOf(h.t, toldOnNATS) != refusalOf(h.t, answer) {
			h.t.Errorf("%s %s %.300s: over NATS %s is foretold, and answered is %s", method, path, body, toldOnNATS, answer)
		}
		if told != answer || header.Get("Content-Type") != "application/problem+json" {
			h.t.Errorf("%s %s %.300s: %s is foretold, and answered is %s", method, path, body, told, answer)
		}
		return status, answer
	}

	kept := secret.ReplaceAllString(answer, "")
	var dry wire.DryRun
	if err := json.Unmarshal([]byte(told), &dry); err != nil {
		h.t.Fatalf("%s %s: %s: %v", method, path, told, err)
	}
	if !dry.DryRun || sure(h.t, dry.Answer) != sure(h.t, jsontext.Value(kept)) {
		h.t.Errorf("%s %s %.300s:\nforetold %s\nanswered %s", method, path, body, sure(h.t, dry.Answer), sure(h.t, jsontext.Value(answer)))
	}
	if overNATS {
		var same wire.DryRun
		if err := json.Unmarshal([]byte(toldOnNATS), &same); err != nil || !same.DryRun ||
			sure(h.t, same.Answer) != sure(h.t, dry.Answer) || sure(h.t, same.Records) != sure(h.t, dry.Records) {
			h.t.Errorf("%s %s %.300s:\nforetold over NATS %s\nover HTTP          %s, %v", method, path, body, toldOnNATS, told, err)
		}
	}
	if is := h.recordedSince(head); sure(h.t, dry.Records) != sure(h.t, slices.Concat([]wire.DryRecord{}, is)) {
		h.t.Errorf("%s %s %.300s:\nforetold %s\nrecorded %s", method, path, body, sure(h.t, dry.Records), sure(h.t, is))
	}
	return status, answer
}

// refusalOf returns what a problem says, but for where it is explained.
func refusalOf(t *testing.T, text string) string {
	t.Helper()
	var p wire.Problem
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return fmt.Sprint(p.Code, p.Path, p.Detail)
}

// sampleApp publishes the sample app's policy, which the examples of events are of.
func (h *testServer) sampleApp() {
	h.t.Helper()
	const dir = "../../cmd/consentledger/smartkey/"
	file, err := os.ReadFile(dir + "policy.yaml")
	if err != nil {
		h.t.Fatal(err)
	}
	doc, texts, err := policyfile.Parse("policy.yaml", file, func(path string) ([]byte, error) { return os.ReadFile(dir + path) })
	if err != nil {
		h.t.Fatal(err)
	}
	document, err := policydoc.Marshal(doc)
	if err != nil {
		h.t.Fatal(err)
	}
	byHash := map[string]string{}
	for hash, text := range texts {
		byHash[hash.String()] = string(text)
	}
	body, err := json.Marshal(map[string]any{"document": jsontext.Value(document), "texts": byHash})
	if err != nil {
		h.t.Fatal(err)
	}

	h.foretold("PUT", "/v1/apps/smartkey", appJSON)
	if status, answer := h.foretold("POST", "/v1/apps/smartkey/policies", string(body)); status != 200 {
		h.t.Fatalf("the sample app's policy: %d %s", status, answer)
	}
}

// Every command that somebody outside may send, and every type of event, is asked about
// first: nothing is kept of that, and then it does what was said.
func TestADryRunForetellsEveryCommandAndKeepsNothing(t *testing.T) {
	h := open(t)
	h.openNATS()
	w := witness{h.ledg, map[reflect.Type]bool{}}
	h.conf.Ledger = w
	h.h = Handler(h.conf)
	h.sampleApp()

	taken := 0
	for _, e := range parse.Examples(deadline.At(time.Now())) {
		path := "/v1/apps/smartkey/events"
		if e.Operator {
			path = "/v1/apps/smartkey/operator/events"
		}
		if e.Type == "service.ceased" {
			continue // it is the last below
		}
		if status, _ := h.foretold("POST", path, string(e.Event)); status == 200 {
			taken++
		}
		h.foretold("POST", path, string(e.Event)) // again: the same receipt, and nothing new
	}
	if taken < 20 {
		t.Errorf("%d examples were taken: the others say what is refused, and not what is recorded", taken)
	}

	version := func() content.Hash {
		body, version := publishedIn(t)
		h.foretold("PUT", "/v1/apps/demo", appJSON)
		h.foretold("PUT", "/v1/apps/demo", appJSON) // no news
		h.foretold("PUT", "/v1/apps/demo", strings.Replace(appJSON, "{", `{"group":"acme",`, 1))
		h.foretold("POST", "/v1/apps/demo/policies", body)
		h.foretold("POST", "/v1/apps/demo/policies", body)
		return version
	}()
	h.foretold("POST", "/v1/apps/demo/surfaces", fmt.Sprintf(surfaceJSON, version, doc.Texts[0].Hash, content.Hash{8}))
	h.foretold("POST", "/v1/apps/demo/calendars", `{"jurisdiction":"CN","year":2031,"notice":"2030-1","issued":"2030-11-01","off":["2031-01-01"],"makeup":[],"partial":true}`)
	h.foretold("POST", "/v1/apps/demo/environment", `{"environment":"production"}`)

	// A person who is not known gets no entry by a dry run, and one who is refused gets none at all.
	h.foretold("POST", appEndpoint, event("e1", "ann", "consent.given", yes))
	h.foretold("POST", appEndpoint, event("e1", "ann", "consent.refused", `{"purposes":["mail"]}`)) // the id is used
	h.foretold("POST", appEndpoint, event("", "ann", "consent.withdrawn", `{"purposes":["mail"]}`), "Idempotency-Key: k1")
	h.foretold("POST", appEndpoint, event("", "bo", "consent.given", yes), "Idempotency-Key: k2")
	for _, refused := range []string{
		event("e2", "cy", "consent.given", strings.Replace(yes, "mail", "nothing", 1)), `{"specversion":"1.0"}`,
		event("e3", "cy", "hold.placed", `{"reason":"court"}`), event("e4", "cy", "nosuch.type", `{}`),
	} {
		if status, answer := h.foretold("POST", appEndpoint, refused); status < 400 {
			t.Errorf("%s: %d %s", refused, status, answer)
		}
	}
	h.foretold("POST", "/v1/apps/nosuch/events", event("e5", "ann", "consent.given", yes))
	h.foretold("POST", appEndpoint, "["+event("b1", "dan", "consent.given", yes)+","+event("b2", "eve", "consent.given", `{}`)+","+event("b3", "dan", "consent.withdrawn", `{"all":true}`)+"]")
	h.foretold("POST", "/v1/apps/demo/subjects/erase", `{"id":"x1","subject":"dan","reason":"asked","by":["ann","bo"]}`)
	h.foretold("POST", "/v1/apps/demo/subjects/erase", `{"id":"x2","subject":"nobody","reason":"asked","by":["ann","bo"]}`)
	h.foretold("POST", operatorEndpoint, aboutApp("s1", "service.ceased", `{"reason":"over"}`))

	for _, rule := range domain.Commands {
		switch rule.Command.(type) {
		case domain.DiscloseProof, domain.DestroyProof:
			continue // of these there is none, see TestADryRunIsOfCommandsAlone
		}
		if kind := reflect.TypeOf(rule.Command); rule.By != domain.ByLedger && !w.saw[kind] {
			t.Errorf("%s was not sent, so that nobody knows what a dry run of it does", kind)
		}
	}
}

// What takes two is foretold in each of its steps, and nothing is proposed or decided by a
// dry run.
func TestADryRunOfAProposalProposesNothing(t *testing.T) {
	h := open(t)
	h.openNATS()
	h.furnish()
	who := "p-ann"
	needs := func(_ ident.AppName, kind string) bool {
		return kind == "record.voided" || kind == approval.ErasureKind
	}
	h.ledg.AskTwo(needs, nil)
	h.conf.Approvals = &approval.Approvals{Ledger: h.ledg, Needs: needs}
	h.conf.Principal = func(context.Context) string { return who }
	h.h = Handler(h.conf)

	const path = "/v1/apps/demo/proposals"
	proposed := func(id string) string {
		t.Helper()
		given := h.receipt(appEndpoint, event(id, "user-"+id, "consent.given", yes))
		void := event("v-"+id, "user-"+id, "record.voided", fmt.Sprintf(`{"records":[%q],"reason":"mistake","evidence":"sha256:40529c2085aed8cc8bba5ce6c83994a217ed98daf51490f12fa8afce3cf3366d"}`, given.EventID))
		if status, _ := h.foretold("POST", operatorEndpoint, void); status != 409 {
			t.Errorf("what takes two is answered with %d", status)
		}
		_, answer := h.foretold("POST", path, `{"event":`+void+`}`)
		h.foretold("POST", path, `{"event":`+void+`}`) // again: it is the same one
		var p ProposalAnswer
		if err := json.Unmarshal([]byte(answer), &p); err != nil || p.ID == "" {
			t.Fatalf("%s, %v", answer, err)
		}
		return path + "/" + p.ID
	}

	first, second, third := proposed("e1"), proposed("e2"), proposed("e3")
	h.foretold("POST", first+"/approve", `{}`) // refused: it is one's own
	h.foretold("POST", third+"/withdraw", `{}`)
	who = "p-bo"
	h.foretold("POST", second+"/decline", `{"reason":"not so"}`)
	if status, answer := h.foretold("POST", first+"/approve", `{}`); status != 200 {
		t.Errorf("approved: %d %s", status, answer)
	}
	h.foretold("POST", first+"/approve", `{}`)
}

// Questions have no dry run, and neither has what keeps no record of a person or an app.
func TestADryRunIsOfCommandsAlone(t *testing.T) {
	h := open(t)
	h.furnish()
	for _, path := range []string{"/v1/apps", "/v1/apps/demo", "/v1/replay"} {
		h.want(400, "it is a question", "GET", path+"?dry_run", "")
	}
	for _, do := range []string{"disclose", "destroy"} {
		h.want(400, "it would say whether a proof is kept", "POST", "/v1/apps/demo/proofs/"+do+"?dry_run", `{"subject":"ann","reason":"claim","by":["ann","bo"]}`)
	}
	h.want(400, "needs no value", "POST", appEndpoint+"?dry_run=perhaps", event("e1", "ann", "consent.given", yes))
	h.want(200, `"event_id"`, "POST", appEndpoint+"?dry_run=false", event("e1", "ann", "consent.given", yes))
	h.want(200, `"dry_run":true`, "POST", appEndpoint+"?dry_run=true", event("e2", "ann", "consent.given", yes))
}

// TestADryRunDoesNotTellWhomTheLedgerKnows: whoever may record may not read persons, and nobody
// sees that they asked.
func TestADryRunDoesNotTellWhomTheLedgerKnows(t *testing.T) {
	h := open(t)
	h.furnish()
	h.receipt(appEndpoint, event("e1", "ann", "consent.given", yes))
	name, known, err := h.ledg.Pseudonym(t.Context(), "demo", ident.PersonKey{Kind: "account", ID: "ann"})
	if err != nil || !known {
		t.Fatal(known, err)
	}

	for _, ask := range [][2]string{{"consent.withdrawn", `{"all":true}`}, {"request.received", `{"types":["access"],"channel":"app"}`}} {
		records := func(who string) []wire.DryRecord {
			status, told := h.do("POST", appEndpoint+"?dry_run", event("d1", who, ask[0], ask[1]))
			var dry wire.DryRun
			if err := json.Unmarshal([]byte(told), &dry); err != nil || status != 200 || len(dry.Records) == 0 {
				t.Fatalf("%s: %d %s", ask[0], status, told)
			}
			if strings.Contains(told, name) {
				t.Errorf("%s of %s tells the pseudonym: %s", ask[0], who, told)
			}
			for i := range dry.Records {
				dry.Records[i].At = ""
			}
			return dry.Records
		}
		known, met := records("ann"), records("somebody-new")
		for i := range known {
			if !slices.Equal(known[i].Parts, met[i].Parts) {
				t.Errorf("%s: of whom is known %s seals %v, of whom is not %v", ask[0], known[i].Type, known[i].Parts, met[i].Parts)
			}
		}
	}
}

// TestADryRunNamesNoRecordToWhoMayReadNone: one of what was said before answers as the record
// that is there already, and that names somebody's history.
func TestADryRunNamesNoRecordToWhoMayReadNone(t *testing.T) {
	h := open(t)
	h.furnish()
	r := h.receipt(appEndpoint, event("e1", "Ann", "consent.withdrawn", `{"all":true}`))
	ask := event("e3", "Ann", "request.received", `{"types":["access"],"channel":"app"}`)
	opened := h.receipt(appEndpoint, ask).Request
	var may atomic.Bool
	h.conf.Reads = func(_ context.Context, app string) bool {
		if app != "demo" {
			t.Errorf("who reads %q is asked", app)
		}
		return may.Load()
	}
	h.h = Handler(h.conf)
	h.openNATS()

	for _, reads := range []bool{true, false} {
		may.Store(reads)
		again := h.want(200, `"dry_run":true`, "POST", appEndpoint+"?dry_run", event("e1", "Ann", "consent.withdrawn", `{"all":true}`))
		alike := h.want(200, `"dry_run":true`, "POST", appEndpoint+"?dry_run", event("e2", "ann", "consent.withdrawn", `{"all":true}`))
		_, onNATS, _ := h.dryOnNATS("POST", appEndpoint, event("e1", "Ann", "consent.withdrawn", `{"all":true}`), nil)
		rows := h.want(200, `"dry_run":true`, "POST", appEndpoint+"?dry_run", "["+event("e1", "Ann", "consent.withdrawn", `{"all":true}`)+"]")
		for _, told := range []string{again, onNATS, rows} {
			if strings.Contains(told, r.EventID) != reads || !strings.Contains(told, `"dry_run":true`) {
				t.Errorf("who may read, %v, is told %s", reads, told)
			}
		}
		asked := h.want(200, `"dry_run":true`, "POST", appEndpoint+"?dry_run", ask)
		if strings.Contains(asked, opened) != reads {
			t.Errorf("who may read, %v, is told %s", reads, asked)
		}
		if strings.Contains(alike, `"near":"account case"`) != reads {
			t.Errorf("who may read, %v, is told %s", reads, alike)
		}
		var dry wire.DryRun
		if err := json.Unmarshal([]byte(alike), &dry); err != nil || len(dry.Records) == 0 {
			t.Errorf("%v %s", err, alike)
		}
	}
}

// What apps are told by HTTP, and jobs that erase many, are foretold as well. A dry run of a
// webhook shows no secret, since none would be kept.
func TestADryRunForetellsWebhooksAndErasuresOfMany(t *testing.T) {
	h := open(t)
	h.furnish()
	h.receipt(appEndpoint, event("e1", "ann", "consent.given", yes))
	seal := func(_ context.Context, _, _ string, text []byte) ([]byte, error) { return text, nil }
	h.conf.Webhooks = &webhook.Hooks{Ledger: h.ledg, Rows: h.rows, Seal: seal, Unseal: seal, Private: true}
	h.conf.Erasures = uncertified{&erasing.Jobs{Ledger: h.ledg, Rows: h.rows, Log: slog.New(slog.DiscardHandler)}}
	h.h = Handler(h.conf)

	const hooks = "/v1/apps/demo/webhooks"
	h.foretold("POST", hooks, `{"url":"ftp://shop.example.com"}`)
	if status, told := h.do("POST", hooks+"?dry_run", `{"url":"https://shop.example.com/a"}`); status != 200 || strings.Contains(told, "whsec_") {
		t.Errorf("a secret that nobody keeps is shown: %d %s", status, told)
	}
	var hook WebhookAnswer
	if _, answer := h.foretold("POST", hooks, `{"url":"https://shop.example.com/a"}`); json.Unmarshal([]byte(answer), &hook) != nil || hook.ID == "" {
		t.Fatal(answer)
	}
	h.foretold("POST", hooks+"/"+hook.ID+"/pause", "")
	h.foretold("POST", hooks+"/"+hook.ID+"/resume", "")
	h.foretold("POST", hooks+"/"+hook.ID+"/replay", `{"from":"0"}`)
	h.foretold("POST", hooks+"/"+hook.ID+"/rotate", `{"overlap_hours":1}`)
	h.foretold("POST", hooks+"/"+hook.ID+"/rotate", `{"overlap_hours":-1}`)
	h.foretold("POST", hooks+"/"+hook.ID+"/remove", "")
	h.foretold("POST", hooks+"/"+hook.ID+"/remove", "") // there is none any more

	const jobs = "/v1/apps/demo/erasures"
	h.foretold("POST", jobs, `{"id":"spring","of":"ids","reason":"inactive","by":["ann","ann"]}`)
	h.foretold("POST", jobs, `{"id":"spring","of":"ids","reason":"inactive","by":["ann","bo"]}`)
	h.foretold("POST", jobs, `{"id":"spring","of":"everybody","reason":"inactive","by":["ann","bo"]}`) // the id is used
	h.foretold("POST", jobs+"/spring/start", "")                                                       // nobody is meant yet
	h.want(400, "it would say whom the ledger knows", "POST", jobs+"/spring/subjects?dry_run", `{"part":1,"subjects":["ann"]}`)
	h.want(200, `"persons":1`, "POST", jobs+"/spring/subjects", `{"part":1,"subjects":["ann"]}`)
	h.foretold("POST", jobs+"/spring/start", "")
	h.foretold("POST", jobs+"/spring/cancel", "")
	h.foretold("POST", jobs+"/nosuch/cancel", "")
}

// uncertified are jobs without a log that proves what they did.
type uncertified struct{ *erasing.Jobs }

func (uncertified) Certify(context.Context, ident.AppName, string, io.Writer) error {
	panic("nobody asks for a certificate here")
}
