package siem

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"consentledger/api/auth"
	"consentledger/api/auth/trail"
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/projections/projectiontest"
)

// told is what a test looks at of an event.
type told struct {
	ClassUID   int    `json:"class_uid"`
	ActivityID int    `json:"activity_id"`
	StatusID   int    `json:"status_id"`
	StatusCode string `json:"status_code"`
	Count      int
	Time       int64
	Message    string
	Metadata   struct {
		UID       string `json:"uid"`
		EventCode string `json:"event_code"`
		TenantUID string `json:"tenant_uid"`
	}
	Actor    struct{ User struct{ UID string } }
	User     struct{ UID string }
	Entity   struct{ UID, Type string }
	API      struct{ Operation string }
	Unmapped struct {
		Cursor string
		Access string
		Reason string
		Key    string
		Roles  string
		Route  string
	}
}

func sourceOf(w *projectiontest.Teller, tr *trail.Trail) Source {
	return Source{Log: w.Ledger, Trail: tr, Barrier: func(context.Context) error { return nil }, Version: "test"}
}

// all asks until there is no more, so many events at a time, and checks every event.
func all(t *testing.T, d definitions, s Source, q Question) (events []told, text string) {
	t.Helper()
	for {
		lines, to, err := s.Read(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(lines) {
			if err := d.check(line); err != nil {
				t.Errorf("%v: %s", err, line)
			}
			var e told
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			events = append(events, e)
		}
		text += string(lines)
		if to == q.After {
			return events, text
		}
		q.After = to
	}
}

// Every event that the ledger can record is one of OCSF, by its official definition, and
// says of a person their pseudonym alone.
func TestEveryRecordIsAnEventOfOCSF(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	entries := w.Entries()
	kinds := map[string]bool{}
	for _, e := range entries {
		kinds[e.Kind()] = true
	}
	if len(kinds) < 40 {
		t.Fatalf("the history tells of %d kinds of events: of too few", len(kinds))
	}

	s := sourceOf(w, nil)
	events, text := all(t, readDefinitions(t), s, Question{Most: 7})
	if len(events) != len(entries) {
		t.Fatalf("%d events of %d records", len(events), len(entries))
	}
	for i, e := range events {
		if e.Metadata.UID != entries[i].ID.String() || e.Metadata.EventCode != entries[i].Kind() ||
			e.Metadata.TenantUID != string(entries[i].Stream.App) || e.Time != int64(entries[i].Recorded) || e.StatusID != 1 {
			t.Errorf("record %d (%s): %+v", entries[i].Position, entries[i].Type, e)
		}
		if entries[i].RecordedBy != "" && e.Actor.User.UID != entries[i].RecordedBy {
			t.Errorf("record %d is by %s, the event by %s", entries[i].Position, entries[i].RecordedBy, e.Actor.User.UID)
		}
	}
	for _, purpose := range []string{"location", "marketing"} { // what somebody agreed to says something of them
		if strings.Contains(text, purpose) {
			t.Errorf("an event says %q", purpose)
		}
	}
}

// note records that a key was issued, rotated or revoked, as package auth does.
func note(t *testing.T, w *projectiontest.Teller, kind catalog.Note, fields map[string]string) {
	t.Helper()
	_, err := w.Ledger.Execute(t.Context(), ledger.Request{
		App: projectiontest.App, Source: "consentledger/access", ID: string(kind), Body: []byte(kind),
		Actor: string(ident.System), RecordedBy: ident.Ledger,
		Command: domain.Say{Event: domain.Noted{Kind: kind, Fields: policy.Fields(fields)}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeysAndRolesAreChangesOfAccounts(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	key := map[string]string{"key": "abcdefghijkl", "principal": "p-1", "roles": "auditor", "by": "p-2"}
	note(t, w, catalog.KeyIssued, key)
	note(t, w, catalog.KeyRotated, key)
	note(t, w, catalog.KeyRevoked, key)
	note(t, w, catalog.RolesChanged, map[string]string{"holder": "p-3", "roles": "auditor,viewer"})

	events, _ := all(t, readDefinitions(t), sourceOf(w, nil), Question{Most: 100})
	events = events[len(events)-4:]
	for i, activity := range []int{1, 3, 5, 7} {
		e := events[i]
		if e.ClassUID != 3001 || e.ActivityID != activity {
			t.Errorf("%s is %d, %d", e.Metadata.EventCode, e.ClassUID, e.ActivityID)
		}
		if i < 3 && (e.User.UID != "p-1" || e.Actor.User.UID != "p-2" || e.Unmapped.Key != "abcdefghijkl" || e.Unmapped.Roles != "auditor") {
			t.Errorf("%+v", e)
		}
	}
	if e := events[3]; e.User.UID != "p-3" || e.Unmapped.Roles != "auditor,viewer" {
		t.Errorf("%+v", e)
	}
}

// Who reads says why, by a code of theirs: one that the ledger does not know may be
// anything, and is not told.
func TestAReadTellsItsReasonOnlyIfTheLedgerKnowsIt(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	for i, reason := range []string{"audit", "for-mrs-miller-13800138000"} {
		_, err := w.Ledger.Access(t.Context(), ledger.Access{
			App: projectiontest.App, ID: fmt.Sprint(i), Actor: "operator", RecordedBy: "p-1",
			DataAccessed: domain.DataAccessed{
				Kind: domain.AccessExport, Reason: reason, Records: 3, Parts: 2, Name: "Ann Miller", Words: "Mrs Miller asked",
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	events, text := all(t, readDefinitions(t), sourceOf(w, nil), Question{Most: 100})
	events = events[len(events)-2:]
	for i, reason := range []string{"audit", "another"} {
		e := events[i]
		if e.ClassUID != 6003 || e.ActivityID != 2 || e.API.Operation != "data.accessed/export" || e.Unmapped.Reason != reason ||
			e.Unmapped.Access != "export" || e.Actor.User.UID != "p-1" {
			t.Errorf("%+v", e)
		}
	}
	if strings.Contains(strings.ToLower(text), "miller") || strings.Contains(text, "138001") {
		t.Errorf("%s", text)
	}
}

// A trail of one of each kind, and of many.
func trailOf(w *projectiontest.Teller) *trail.Trail {
	return &trail.Trail{Rows: new(memory.Rows), Now: func() deadline.Instant { return w.Time() }}
}

func appendTo(t *testing.T, tr *trail.Trail, events ...trail.Event) {
	t.Helper()
	if err := tr.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsInTheTrailIsToldInItsPlace(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	tr := trailOf(w)
	for _, e := range []trail.Event{
		{Kind: trail.SignedIn, Principal: "p-1", Way: "provider"},
		{Kind: trail.SignedOut, Principal: "p-1", Why: "administrator", By: "p-2"},
		{Kind: trail.SignInRefused, Why: "key"},
		{Kind: trail.Unauthenticated, Way: "nats", Why: "unknown-key"},
		{Kind: trail.Forbidden, Why: "role", Way: "http", Principal: "p-1", Operation: string(auth.Export),
			Route: "POST /v1/apps/{app}/export", App: "smartkey", Trace: "0af7651916cd43dd8448eb211c80319c"},
		{Kind: trail.Limited, Why: "rate", Way: "http", Principal: "p-1", Operation: string(auth.Replay), Route: "GET /v1/replay"},
		{Kind: trail.Forbidden, Why: "many", Count: 12},
	} {
		w.Rest(deadline.Second)
		if e.Count > 0 {
			e.First, e.At = w.Time()-1000, w.Time()
		}
		appendTo(t, tr, e)
		w.Rest(deadline.Second)
		w.Register()
	}

	s := sourceOf(w, tr)
	d := readDefinitions(t)
	events, text := all(t, d, s, Question{Most: 3})
	var got []string
	for _, e := range events {
		if strings.HasPrefix(e.Metadata.UID, "trail-") {
			got = append(got, fmt.Sprintf("%d/%d %s %s by %s of %s", e.ClassUID, e.ActivityID, []string{"", "done", "refused"}[e.StatusID],
				e.StatusCode, e.Actor.User.UID, e.User.UID))
		}
	}
	want := []string{
		"3002/1 done  by  of p-1",
		"3002/2 done administrator by p-2 of p-1",
		"3002/1 refused key by  of unauthenticated",
		"3002/1 refused unknown-key by  of unauthenticated",
		"6003/3 refused role by p-1 of ",
		"6003/2 refused rate by p-1 of ",
		"6003/3 refused many by unauthenticated of ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !slices.IsSortedFunc(events, func(a, b told) int { return int(a.Time - b.Time) }) {
		t.Error("events are not in the order of their times")
	}
	if !strings.Contains(text, `"correlation_uid":"0af7651916cd43dd8448eb211c80319c"`) || !strings.Contains(text, `"count":12`) {
		t.Errorf("%s", text)
	}

	// Of one app, what is of no app is not told.
	for _, e := range first(all(t, d, s, Question{App: "smartkey", Most: 3})) {
		if e.Metadata.TenantUID != "smartkey" {
			t.Errorf("%+v", e)
		}
	}
}

func first(events []told, _ string) []told { return events }

// From whatever cursor somebody goes on, they are told what comes after it, and nothing
// twice.
func TestEveryCursorGoesOnWhereItStands(t *testing.T) {
	w := projectiontest.NewTeller(t)
	tr := trailOf(w)
	for range 5 {
		w.Register()
		appendTo(t, tr, trail.Event{Kind: trail.SignedIn, Principal: "p-1", Way: "key"})
	}

	s, d := sourceOf(w, tr), readDefinitions(t)
	events, _ := all(t, d, s, Question{Most: 100})
	for i, e := range events {
		at, err := ParseCursor(e.Unmapped.Cursor)
		if err != nil {
			t.Fatal(err)
		}
		rest, _ := all(t, d, s, Question{After: at, Most: 2})
		if want := events[i+1:]; !slices.Equal(rest, want) {
			t.Errorf("after %s there are %d events, want %d", at, len(rest), len(want))
		}
	}
}

// Whoever comes so late that events of the trail were removed is told how many, once.
func TestWhatWasRemovedBeforeItWasReadIsTold(t *testing.T) {
	w := projectiontest.NewTeller(t)
	tr := trailOf(w)
	appendTo(t, tr, trail.Event{Kind: trail.SignInRefused, Why: "key"})
	s, d := sourceOf(w, tr), readDefinitions(t)
	_, to, err := s.Read(t.Context(), Question{Most: 100})
	if err != nil {
		t.Fatal(err)
	}

	for range 3 {
		appendTo(t, tr, trail.Event{Kind: trail.SignInRefused, Why: "key"})
	}
	for range trail.Days + 1 {
		w.Rest(24 * 60 * deadline.Minute)
	}
	appendTo(t, tr, trail.Event{Kind: trail.SignedIn, Principal: "p-1", Way: "key"})
	if err := tr.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}

	for what, after := range map[string]Cursor{"from the beginning": {}, "from where it was": to} {
		events, _ := all(t, d, s, Question{After: after, Most: 1})
		var codes []string
		for _, e := range events {
			codes = append(codes, fmt.Sprint(e.Metadata.EventCode, " ", e.Count))
		}
		missing := 4 - after.Number
		if want := []string{fmt.Sprint("trail-removed ", missing), "signed-in 0"}; !slices.Equal(codes, want) {
			t.Errorf("%s: %q, want %q", what, codes, want)
		}
	}
}

// A cursor of another ledger is refused: what has its numbers here would be passed over.
func TestACursorThatIsNotOfThisLedgerIsRefused(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	s := sourceOf(w, trailOf(w))
	for _, at := range []Cursor{{Position: 1 << 40}, {Number: 1}} {
		if _, _, err := s.Read(t.Context(), Question{After: at, Most: 1}); err == nil || !strings.Contains(err.Error(), "another one") {
			t.Errorf("after %s: %v", at, err)
		}
	}
	for _, text := range []string{"", "1", "1-", "-1", "01-1", "1-01", "1-1-1", "a-b", "1-99999999999999999999"} {
		if c, err := ParseCursor(text); err == nil {
			t.Errorf("%q is taken as %v", text, c)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("1234-17")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseCursor(text); err == nil && c.String() != text {
			t.Errorf("%q is read as %s", text, c)
		}
	})
}

// Every kind of the trail is told, and of no other one anything is kept.
func TestEveryKindOfTheTrailIsAnEventOfOCSF(t *testing.T) {
	d := readDefinitions(t)
	for _, kind := range trail.Kinds {
		n := trail.Numbered{Number: 1, Event: trail.Event{Kind: kind, At: 1, First: 1, Count: 1, Operation: "export", Route: "GET /x"}}
		line, err := Source{}.ofTrail(n).append(nil, Cursor{})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.check(line); err != nil {
			t.Errorf("%s: %v: %s", kind, err, line)
		}
	}
}

// The reasons that are told are those that the docs of the command line name.
func TestNoOtherMemberOfAnAccessIsTold(t *testing.T) {
	e := codec.Entry{Type: "data.accessed.v1", Event: domain.DataAccessed{Kind: domain.AccessNames, Reason: "dispute",
		Accessor: "accessor", Roles: []string{"details"}, Name: "SECRET", Words: "SECRET"}}
	line, err := Source{}.ofEntry(e).append(nil, Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Unmapped map[string]any }
	if err := json.Unmarshal(line, &v); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(v.Unmapped)); !slices.Equal(got, []string{"access", "cursor", "reason"}) {
		t.Errorf("%q: %s", got, line)
	}
}
