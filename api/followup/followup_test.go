package followup_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/followup"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A world is a ledger in a bubble, where the clock begins at 2000-01-01.
type world struct {
	*ledger.Ledger
	t     *testing.T
	store memory.Store
	apart bool // facts say nothing of what is owed since, as before they did
	rows  memory.Rows
	spare []*memory.Rows // of the processes that ended
	vault *vault.Vault
	log   lines
	n     int
}

// Lines are what was logged, by whichever process.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, false)
}

func newWorldOf(t *testing.T, apart bool) *world {
	t.Helper()
	w := &world{t: t, apart: apart}
	var err error
	if w.vault, err = vault.Open(t.Context(), &w.rows, vault.NewMemoryKeys()); err != nil {
		t.Fatal(err)
	}
	if w.Ledger, err = w.open(); err != nil {
		t.Fatal(err)
	}
	w.tell("", domain.RegisterApp{App: domain.App{Name: "demo", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}})
	return w
}

func (w *world) tell(person string, cmd domain.Command) {
	w.t.Helper()
	w.n++
	r := ledger.Request{App: "demo", Source: "test", ID: fmt.Sprint(w.n), Body: []byte("x"), Actor: "operator", RecordedBy: "test", Command: cmd}
	if person != "" {
		r.Person = ident.PersonKey{Kind: "account", ID: person}
	}
	if _, err := w.Execute(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
}

// react starts one in a process of its own, with a ledger of its own on
// the same store, and returns how to stop it.
func (w *world) react() (r *followup.Process, stop func()) {
	l, err := w.open()
	if err != nil {
		w.t.Fatal(err)
	}
	rows := new(memory.Rows) // nobody else has them, but for who comes after
	if n := len(w.spare); n > 0 {
		rows, w.spare = w.spare[n-1], w.spare[:n-1]
	}
	r = &followup.Process{Ledger: l, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Rows: rows, Every: 1}
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	workers.Go(func() {
		if err := r.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		workers.Wait()
		w.recalls(rows)
		w.spare = append(w.spare, rows)
	})
	w.t.Cleanup(stop)
	return r, stop
}

func (w *world) open() (*ledger.Ledger, error) {
	now := func() deadline.Instant { return deadline.At(time.Now()) }
	var store eventstore.Store = &w.store
	if w.apart {
		store = recordsApart{&w.store}
	}
	return ledger.Open(context.Background(), ledger.Config{Store: store, Vault: w.vault, Now: now, Shared: true})
}

// everyEra runs a test with a ledger whose facts say what is owed since, and with one
// that records that apart, as all did before.
func everyEra(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	for name, apart := range map[string]bool{"said by the fact": false, "recorded apart": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newWorldOf(t, apart)) })
		})
	}
}

// recordsApart is a store to which a ledger writes as one did whose facts said nothing
// of what is owed since.
type recordsApart struct{ *memory.Store }

func (s recordsApart) Append(ctx context.Context, stream eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	written := slices.Clone(records)
	for i := range written {
		var line map[string]jsontext.Value
		if err := json.Unmarshal(written[i].Data, &line); err != nil {
			return 0, err
		}
		if line["rules"] == nil {
			continue
		}
		delete(line, "owing")
		line["rules"] = jsontext.Value(fmt.Sprint(domain.OwedApart))
		var err error
		if written[i].Data, err = json.Marshal(line, json.Deterministic(true)); err != nil {
			return 0, err
		}
	}
	return s.Store.Append(ctx, stream, expected, written...)
}

// facts returns the entries with an event of a type.
// told yields all that the log says, with what facts say of obligations beside
// themselves.
func (w *world) told(yield func(codec.Entry) bool) {
	w.t.Helper()
	for e, err := range w.Replay(w.t.Context(), 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		for _, one := range append([]codec.Entry{e}, e.Owed()...) {
			if !yield(one) {
				return
			}
		}
	}
}

func facts[E domain.Event](w *world) []codec.Entry {
	w.t.Helper()
	var found []codec.Entry
	for e := range w.told {
		if _, ok := e.Event.(E); ok {
			found = append(found, e)
		}
	}
	return found
}

func document(name string) domain.PublishPolicy {
	d := policy.Document{
		Name: name, Jurisdiction: "CN", TimeZone: "Asia/Shanghai",
		Title:      []policy.LocalText{{Locale: "en", Text: "Privacy"}},
		Purposes:   []policy.Purpose{{ID: "ads", Title: "Ads", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Use}}},
		Categories: []policy.Category{{ID: "clicks", Title: "Clicks"}},
		Acts:       []policy.Act{{ID: "agree", Title: "Agree", Counts: policy.GeneralConsent}},
		Minors:     policy.Minors{AdultAge: 18, ChildBelowPolicy: 15, ChildBelowLaw: 14},
		Texts:      []policy.Text{{Locale: "en", Hash: content.Hash{1}, Force: policy.Sample}},
	}
	version, err := policydoc.Hash(d)
	if err != nil {
		panic(err)
	}
	return domain.PublishPolicy{Version: version, Document: d}
}

func TestAVersionTakesEffectWhenItsTimeComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, stop := w.react()
		later := document("privacy")
		later.Effective = w.Now().Add(30 * deadline.Day)
		w.tell("", later)
		time.Sleep(29 * 24 * time.Hour)
		synctest.Wait()
		if got := facts[domain.PolicyEffective](w); len(got) != 0 {
			t.Fatalf("too early: %v", got)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if got := facts[domain.PolicyEffective](w); len(got) != 1 || got[0].Recorded != later.Effective {
			t.Fatalf("in time: %v", got)
		}
		stop()
	})
}

func TestWhatFellDueWhileItWasDownIsDoneOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		later := document("privacy")
		later.Effective = w.Now().Add(deadline.Day)
		w.tell("", later)
		time.Sleep(48 * time.Hour)
		for range 2 { // and again after a restart
			_, stop := w.react()
			_, stopToo := w.react()
			synctest.Wait()
			stop()
			stopToo()
		}
		if got := facts[domain.PolicyEffective](w); len(got) != 1 || got[0].RecordedBy != "react" {
			t.Fatalf("%v", got)
		}
	})
}

func TestBirthdaysChangeTheBand(t *testing.T) {
	for _, tt := range []struct{ name, born, at14, at15, at18 string }{
		{"in March", "1990-03-02", "2004-03-02", "2005-03-02", "2008-03-02"},
		{"on a leap day", "1988-02-29", "2002-03-01", "2003-03-01", "2006-03-01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.tell("kid", domain.Say{Event: domain.AgeRecorded{Band: domain.ChildUnder14, Basis: "guardian", BirthDate: domain.Personal(tt.born)}})
				_, stop := w.react()
				time.Sleep(9 * 366 * 24 * time.Hour)
				synctest.Wait()
				stop()
				got := facts[domain.AgeRecorded](w)[1:]
				want := []string{tt.at14, tt.at15, tt.at18}
				if len(got) != 3 {
					t.Fatalf("%d birthdays", len(got))
				}
				for i, e := range got {
					if day := e.At.Time().Add(8 * time.Hour).Format(time.DateTime); day != want[i]+" 00:00:00" || e.Event.(domain.AgeRecorded).Basis != "birthday" {
						t.Errorf("birthday %d at %s in Shanghai, want %s", i, day, want[i])
					}
				}
				for e, err := range w.store.ReadAll(t.Context(), 0) {
					if err != nil || bytes.Contains(e.Data, []byte(tt.born)) {
						t.Errorf("the birth date is in the log: %s, %v", e.Data, err)
					}
				}
				if strings.Contains(w.log.String(), tt.born) {
					t.Errorf("the birth date is in a log line: %s", w.log.String())
				}
			})
		})
	}
}

func TestNothingFollowsForWhoIsGone(t *testing.T) {
	for name, end := range map[string]func(w *world){
		"closed": func(w *world) { w.tell("kid", domain.Say{Event: domain.SubjectClosed{Reason: "deleted"}}) },
		"erased": func(w *world) {
			p, _, err := w.vault.Find(w.t.Context(), vault.Lookup{App: "demo", Kind: "account", ID: "kid"})
			if err == nil {
				err = w.vault.Erase(w.t.Context(), p, time.Now(), time.Now().Add(time.Hour))
			}
			if err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.tell("kid", domain.Say{Event: domain.AgeRecorded{Band: domain.ChildUnder14, Basis: "guardian", BirthDate: "1990-03-02"}})
				_, stop := w.react()
				synctest.Wait()
				end(w)
				time.Sleep(9 * 366 * 24 * time.Hour)
				synctest.Wait()
				stop()
				if got := facts[domain.AgeRecorded](w); len(got) != 1 {
					t.Errorf("%d facts about the age", len(got))
				}
				_, stop = w.react() // from the start, when the part is no more
				synctest.Wait()
				stop()
			})
		})
	}
}

func TestADoubtfulBirthDateIsNotGuessedFrom(t *testing.T) {
	for name, date := range map[string]domain.Personal{"no date": "in spring", "another band": "1970-01-01"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.tell("kid", domain.Say{Event: domain.AgeRecorded{Band: domain.ChildUnder14, Basis: "declared", BirthDate: date}})
				r, stop := w.react()
				time.Sleep(20 * 366 * 24 * time.Hour)
				synctest.Wait()
				if s, err := r.State(); err != nil || s.Doubtful != 1 || s.Waiting != 0 {
					t.Errorf("%+v, %v", s, err)
				}
				stop()
				if got := facts[domain.AgeRecorded](w); len(got) != 1 || strings.Contains(w.log.String(), date.Reveal()) {
					t.Errorf("%d facts; the log says %s", len(got), w.log.String())
				}
			})
		})
	}
}
