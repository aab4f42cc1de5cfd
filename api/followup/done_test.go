package followup_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
)

// tellAt is tell of what happened at a moment.
func (w *world) tellAt(person string, at deadline.Instant, cmd domain.Command) {
	w.t.Helper()
	w.n++
	r := ledger.Request{
		App: "demo", Person: ident.PersonKey{Kind: "account", ID: person}, Source: "test", ID: fmt.Sprint(w.n), Body: []byte("x"), At: at,
		Actor: "operator", RecordedBy: "test", Command: cmd,
	}
	if _, err := w.Execute(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
}

// An opt-out arrives after what it led to. What was done since the person said it
// meets what it opens; what was done before, or for somebody else, does not.
func TestWhatWasDoneBeforeTheOptOutArrivedMeetsWhatItOpens(t *testing.T) {
	for _, tt := range []struct {
		name         string
		said         time.Duration // when the opt-out was said, before it is recorded
		stop, delete time.Duration // when that was done, before the opt-out is recorded
		who          string
		want         string
	}{
		{"since it was said", 3 * time.Hour, 2 * time.Hour, time.Hour, "ada", "delete.adhouse.d30 met, reply.d15 open, stop.adhouse.h24 met"},
		{"at the very moment", 2 * time.Hour, 2 * time.Hour, time.Hour, "ada", "delete.adhouse.d30 met, reply.d15 open, stop.adhouse.h24 met"},
		{"before it was said", time.Hour, 2 * time.Hour, 90 * time.Minute, "ada", "delete.adhouse.d30 open, reply.d15 open, stop.adhouse.h24 open"},
		{"one before, one since", 90 * time.Minute, 2 * time.Hour, time.Hour, "ada", "delete.adhouse.d30 met, reply.d15 open, stop.adhouse.h24 open"},
		{"said when it is recorded", 0, 2 * time.Hour, time.Hour, "ada", "delete.adhouse.d30 open, reply.d15 open, stop.adhouse.h24 open"},
		{"late all the same", 40 * time.Hour, 2 * time.Hour, time.Hour, "ada", "delete.adhouse.d30 met, reply.d15 open, stop.adhouse.h24 met-late"},
		{"for somebody else", 3 * time.Hour, 2 * time.Hour, time.Hour, "bo", "delete.adhouse.d30 open, reply.d15 open, stop.adhouse.h24 open"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				w.react()
				w.tell("", promising(nil))
				w.tellAt("ada", 0, domain.GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads"}})
				time.Sleep(48 * time.Hour)
				now := w.Now()
				before := func(d time.Duration) deadline.Instant { return now.Add(-deadline.Span(d.Milliseconds())) }
				for _, done := range []struct {
					kind catalog.Note
					at   time.Duration
				}{{"processing.stopped", tt.stop}, {"data.deleted", tt.delete}} {
					pairs := []string{"system", "adhouse"}
					w.tellAt(tt.who, before(done.at), noted(done.kind, pairs...))
				}
				time.Sleep(time.Second)
				w.tellAt("ada", before(tt.said)+map[bool]deadline.Instant{true: 1000}[tt.said == 0], withdrawn("ads"))
				synctest.Wait()
				w.expect(tt.want)

				_, stop := w.react() // who starts later says the same
				synctest.Wait()
				stop()
				w.expect(tt.want)
				once(w)
			})
		})
	}
}
