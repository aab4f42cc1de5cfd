package rest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore/ledger"

	"golang.org/x/mod/sumdb/tlog"
)

// readings returns the accesses that are recorded, a line each, and forgets
// those that it returned before.
func readings(t *testing.T, h *testServer, seen *int) []string {
	t.Helper()
	var all []string
	for e, err := range h.ledg.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if a, is := e.Event.(domain.DataAccessed); is {
			span := fmt.Sprintf("%v to %v", a.From != 0, a.To != 0)
			all = append(all, fmt.Sprintf("%s of %s about one=%t: %d records, %s, because %s, said=%t, %s", a.Kind, e.Stream.App, a.Subject != "", a.Records, span, a.Reason, a.Accessor != "", e.RecordedBy))
		}
	}
	fresh := all[*seen:]
	*seen = len(all)
	return fresh
}

// TestWhoReplaysIsRecorded: every way in which history is shown leaves an access
// that says of which app, whose, which span, why, and how many records it showed.
func TestWhoReplaysIsRecorded(t *testing.T) {
	h := open(t)
	h.furnish()
	h.want(200, "", "POST", "/v1/apps/demo/events", event("e1", "ann", "consent.given", yes))
	h.want(200, "", "POST", "/v1/apps/demo/events", event("e2", "bo", "consent.given", yes))
	seen, now := 0, h.ledg.Now().Add(deadline.Second).String()
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		want                     []string
	}{
		{"everything", "GET", "/v1/replay", "", nil, []string{"replay of demo about one=false: 5 records, false to false, because unstated, said=false, unauthenticated"}},
		{"again: the record of the first is not shown", "GET", "/v1/replay", "", nil, []string{"replay of demo about one=false: 5 records, false to false, because unstated, said=false, unauthenticated"}},
		{"with the records of who replayed", "GET", "/v1/replay?replays=true", "", nil, []string{"replay of demo about one=false: 7 records, false to false, because unstated, said=false, unauthenticated"}},
		{"only those", "POST", "/v1/replay", `{"type":"data.accessed"}`, nil, []string{"replay of demo about one=false: 3 records, false to false, because unstated, said=false, unauthenticated"}},
		{"a person", "GET", "/v1/replay?app=demo&person=ann", "", []string{"Consent-Reason: audit", "Consent-By: Li%20Na", "Consent-Why: the%20yearly%20audit"},
			[]string{"replay of demo about one=true: 1 records, false to false, because audit, said=true, unauthenticated"}},
		{"a person, in a body", "POST", "/v1/replay", `{"app":"demo","subject":"ann","reason":"authority","by":"Li Na","why":"asked on 2 March"}`, nil,
			[]string{"replay of demo about one=true: 1 records, false to false, because authority, said=true, unauthenticated"}},
		{"a span", "GET", "/v1/replay?from=2000-01-01T00:00:00Z&to=" + now + "&type=consent.given", "", nil,
			[]string{"replay of demo about one=false: 2 records, true to true, because unstated, said=false, unauthenticated"}},
		{"a page, with hashes", "POST", "/v1/replay", `{"app":"demo","before":"6","last":"2","hashes":true,"reason":"audit"}`, nil,
			[]string{"replay of demo about one=false: 2 records, false to false, because audit, said=false, unauthenticated"}},
		{"the newest of several types and kinds", "POST", "/v1/replay",
			`{"app":"demo","type":"policy.published,consent.given,data.accessed","access":"replay,export","last":"1","reason":"audit"}`, nil,
			[]string{"replay of demo about one=false: 3 records, false to false, because audit, said=false, unauthenticated"}},
		{"nobody", "GET", "/v1/replay?app=demo&person=nobody", "", nil, nil},
		{"nothing new", "GET", "/v1/replay?after=7", "", nil, nil},
		{"what changed for a person", "POST", "/v1/apps/demo/replay/diff", `{"subject":"ann","from":"2000-01-01T00:00:00Z","to":"` + now + `","reason":"audit"}`, nil,
			[]string{"replay of demo about one=true: 2 records, true to true, because audit, said=false, unauthenticated"}},
		{"was it lawful", "GET", "/v1/apps/demo/lawful?purpose=mail&from=2000-01-01T00:00:00Z&to=" + now, "", []string{"Consent-Reason: audit"},
			[]string{"replay of demo about one=false: 2 records, true to true, because audit, said=false, unauthenticated"}},
		{"was it lawful for one", "POST", "/v1/apps/demo/lawful", `{"purpose":"mail","subject":"bo","from":"2000-01-01T00:00:00Z","to":"` + now + `","reason":"dispute"}`, nil,
			[]string{"replay of demo about one=true: 1 records, true to true, because dispute, said=false, unauthenticated"}},
	} {
		b := h.want(200, "", c.method, c.path, c.body, c.headers...)
		if got := readings(t, h, &seen); !slices.Equal(got, c.want) {
			t.Errorf("%s: recorded %q, want %q; shown %s", c.name, got, c.want, b)
		}
	}
	h.want(400, "replays: is true or false", "GET", "/v1/replay?replays=maybe", "")
	h.want(400, "hashes: is true or false", "GET", "/v1/replay?hashes=yes", "")
	var kinds []string
	for i := range 33 {
		kinds = append(kinds, fmt.Sprint("kind-", i))
	}
	h.want(400, "type: no record has this type", "GET", "/v1/replay?type=consent.given,consent.givn", "")
	h.want(400, "type: no record has this type", "GET", "/v1/replay?type=consent.given,", "")
	h.want(400, "access: is for the type data.accessed", "GET", "/v1/replay?type=consent.given&access=export", "")
	h.want(400, "access: names more than 32 kinds", "POST", "/v1/replay",
		`{"type":"data.accessed","access":"`+strings.Join(kinds, ",")+`"}`)
	h.want(400, "before: a position", "GET", "/v1/replay?before=1", "")
	h.want(400, "percent-encoded", "GET", "/v1/replay", "", "Consent-Why: %zz")
	h.want(422, "reason", "GET", "/v1/replay", "", "Consent-Reason: Because I can")
	if got := readings(t, h, &seen); len(got) != 0 {
		t.Errorf("what was refused is recorded: %q", got)
	}
	for r, err := range h.ledg.Replay(t.Context(), 0) {
		if err != nil || strings.Contains(fmt.Sprintf("%+v", r), "yearly") {
			t.Errorf("in the clear: %+v, %v", r, err)
		}
	}
}

// TestARecordComesWithItsHash: that of the bytes that the store has, as the log of its app hashes
// them, of however many records; and of none where nobody asks.
func TestARecordComesWithItsHash(t *testing.T) {
	h := open(t)
	h.furnish()
	for i := range 120 {
		h.want(200, "", "POST", "/v1/apps/demo/events", event(fmt.Sprint("e", i), "ann", "consent.given", yes))
	}

	want := map[string]string{}
	for r, err := range h.store.ReadAll(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		hash := tlog.RecordHash(r.Data)
		want[wire.FormatPosition(r.Position)] = hex.EncodeToString(hash[:])
	}
	leaves := func(query string) (all []string) {
		for line := range strings.Lines(h.want(200, "", "GET", "/v1/replay?app=demo&person=ann"+query, "")) {
			var e struct{ Position, Leaf string }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if e.Leaf != "" && e.Leaf != want[e.Position] {
				t.Errorf("record %s has the hash %s, want %s", e.Position, e.Leaf, want[e.Position])
			}
			all = append(all, e.Leaf)
		}
		return all
	}
	if got := leaves("&hashes=true"); len(got) != 120 || slices.Contains(got, "") {
		t.Errorf("%d records with the hashes %q", len(got), got)
	}
	if got := leaves(""); len(slices.Compact(got)) != 1 || got[0] != "" {
		t.Errorf("not asked for: %q", got)
	}
}

// A shut ledger records no access.
type shut struct{ *ledger.Ledger }

func (shut) Access(context.Context, ledger.Access) (ledger.Opened, error) {
	return ledger.Opened{}, errors.New("secret disk on fire")
}

// TestWhatCannotBeRecordedIsNotShown: while appends fail history stays closed.
func TestWhatCannotBeRecordedIsNotShown(t *testing.T) {
	h := open(t)
	h.furnish()
	h.want(200, "", "POST", "/v1/apps/demo/events", event("e1", "ann", "consent.given", yes))
	now := h.ledg.Now().String()
	h.conf.Ledger = shut{h.ledg}
	h.h = Handler(h.conf)
	for _, c := range [][3]string{
		{"GET", "/v1/replay", ""},
		{"POST", "/v1/replay", `{"app":"demo","subject":"ann"}`},
		{"POST", "/v1/apps/demo/replay/diff", `{"subject":"ann","from":"2000-01-01T00:00:00Z","to":"` + now + `"}`},
		{"GET", "/v1/apps/demo/lawful?purpose=mail&from=2000-01-01T00:00:00Z&to=" + now, ""},
	} {
		if b := h.want(503, `"code":"service-unavailable"`, c[0], c[1], c[2]); strings.Contains(b, "event_id") || strings.Contains(b, "secret") {
			t.Errorf("%s %s shows %s", c[0], c[1], b)
		}
	}
}
