package erasing_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/erasing"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

const start deadline.Instant = 1767225600000

var document = policy.Document{
	Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai",
	Title: []policy.LocalText{{Locale: "en", Text: "Privacy"}},
	Purposes: []policy.Purpose{{ID: "ads", Title: "Ads", Section: "I", Basis: policy.BasisConsent,
		Actions: []policy.Action{policy.Use}, Categories: []policy.CategoryID{"clicks"}}},
	Categories: []policy.Category{{ID: "clicks", Title: "Clicks", Section: "I"}},
	Acts:       []policy.Act{{ID: "agree", Title: "Agree", Section: "I", Counts: policy.GeneralConsent}},
	Minors:     policy.Minors{AdultAge: 18, ChildBelowPolicy: 14, ChildBelowLaw: 14},
	Texts:      []policy.Text{{Locale: "en", Hash: content.Hash{1}, Standing: policy.Sample}},
}

// A world is a ledger whose process may die and start again.
type world struct {
	store *memory.Store
	rows  *memory.Rows
	keys  vault.Keys
	now   atomic.Int64
	l     *ledger.Ledger
}

func newWorld(t *testing.T) *world {
	w := &world{store: new(memory.Store), rows: new(memory.Rows), keys: vault.NewMemoryKeys()}
	w.now.Store(int64(start))
	w.restart(t)
	version, err := policydoc.Hash(document)
	if err != nil {
		t.Fatal(err)
	}
	app := domain.App{Name: "demo", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}
	w.must(t, "", "a", domain.RegisterApp{App: app})
	w.must(t, "", "p", domain.PublishPolicy{Version: version, Document: document})
	return w
}

// restart opens the ledger as a process does that starts.
func (w *world) restart(t *testing.T) {
	t.Helper()
	v, err := vault.Open(t.Context(), w.rows, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	now := func() deadline.Instant { return deadline.Instant(w.now.Add(1)) }
	if w.l, err = ledger.Open(t.Context(), ledger.Config{Store: w.store, Vault: v, Now: now}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.l.FinishErasures(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) must(t *testing.T, person, id string, c domain.Command) {
	t.Helper()
	r := ledger.Request{App: "demo", Person: ident.PersonKey{Kind: "account", ID: person}, Source: "test", ID: id + person,
		Body: []byte(id), Actor: "person", RecordedBy: "desk", Command: c}
	if person == "" {
		r.Person = ident.PersonKey{}
	}
	if _, err := w.l.Execute(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func (w *world) jobs(l erasing.Ledger) *erasing.Jobs {
	return &erasing.Jobs{Ledger: l, Rows: w.rows, Log: slog.New(slog.DiscardHandler), Chunk: 8}
}

// until runs jobs until one has a state, or says that it cannot go on.
func until(t *testing.T, j *erasing.Jobs, state string) erasing.Job {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { j.Run(ctx); close(done) }()
	defer func() { stop(); <-done }()
	for {
		job, err := j.Get(t.Context(), "demo", "spring")
		if err != nil {
			t.Fatal(err)
		}
		if job.State == state || state == stuck && job.Error != "" {
			return job
		}
		runtime.Gosched()
	}
}

// stuck is that a job says that it cannot go on.
const stuck = "stuck"

// records counts the records of a kind.
func (w *world) records(t *testing.T, kind string) (n int) {
	t.Helper()
	for e, err := range w.l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind() == kind {
			n++
		}
	}
	return n
}

func begin() erasing.Begin {
	return erasing.Begin{ID: "spring", Of: erasing.OfIDs, Reason: "inactive", By: [2]string{"officer", "second"}, RecordedBy: "desk"}
}

func people(n int) (all []ident.PersonKey) {
	for i := range n {
		all = append(all, ident.PersonKey{Kind: "account", ID: fmt.Sprintf("p%d", i)})
	}
	return all
}

var errDied = errors.New("the process died")

// A dying ledger dies at its nth order.
type dying struct {
	*ledger.Ledger
	left int
	mu   sync.Mutex
}

func (d *dying) OrderErasure(ctx context.Context, r ledger.Request, name vault.Pseudonym) (ledger.Receipt, error) {
	d.mu.Lock()
	d.left--
	dead := d.left < 0
	d.mu.Unlock()
	if dead {
		return ledger.Receipt{}, errDied
	}
	return d.Ledger.OrderErasure(ctx, r, name)
}

// FinishErasures is the other thing that a process does not reach that died.
func (d *dying) FinishErasures(ctx context.Context) (int, error) {
	d.mu.Lock()
	dead := d.left < 0
	d.mu.Unlock()
	if dead {
		return 0, errDied
	}
	return d.Ledger.FinishErasures(ctx)
}

// Wherever it dies, a job goes on behind a restart, and everybody is erased once.
func TestAJobGoesOnAfterAKill(t *testing.T) {
	const persons = 30
	for _, left := range []int{0, 3, 8, 9, 29} {
		t.Run(fmt.Sprint(left), func(t *testing.T) {
			w := newWorld(t)
			for _, p := range people(persons) {
				w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
			}
			w.must(t, "p7", "h", domain.Say{Event: domain.HoldPlaced{Reason: "court"}})
			j := w.jobs(&dying{Ledger: w.l, left: left})
			if _, err := j.Begin(t.Context(), "demo", begin()); err != nil {
				t.Fatal(err)
			}
			// Two parts, one of which was sent twice, with somebody in it whom nobody knows.
			all := people(persons + 1)
			for _, part := range []int{1, 1, 2} {
				if _, err := j.Add(t.Context(), "demo", "spring", "officer", part, all[(part-1)*20:min(part*20, len(all))]); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := j.Start(t.Context(), "demo", "spring", "officer"); err != nil {
				t.Fatal(err)
			}
			until(t, j, stuck)

			w.restart(t)
			j = w.jobs(w.l)
			job := until(t, j, erasing.Done)
			if job.State != erasing.Done || job.Persons != persons || job.Unknown != 1 || job.Erased != persons-1 || job.Kept != 1 || job.Already != 0 {
				t.Errorf("%+v", job)
			}
			if o, e := w.records(t, "erasure.ordered"), w.records(t, "subject.erased"); o != persons-1 || e != persons-1 {
				t.Errorf("%d were ordered, %d erased", o, e)
			}
			kept, err := j.Kept(t.Context(), "demo", "spring", 10)
			if err != nil || len(kept) != 1 || kept[0].Code != string(refusal.OnHold) {
				t.Errorf("kept: %v, %v", kept, err)
			}
			for _, p := range people(persons) {
				if _, known, err := w.l.Pseudonym(t.Context(), "demo", p); err != nil || known != (p.ID == "p7") {
					t.Errorf("%s is known: %v, %v", p.ID, known, err)
				}
			}
		})
	}
}

func TestACancelledJobLeavesTheOthers(t *testing.T) {
	w := newWorld(t)
	for _, p := range people(20) {
		w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
	}
	slow := &stopping{Ledger: w.l}
	slow.at.Store(8)
	j := w.jobs(slow)
	slow.stop = func() {
		if _, err := j.Cancel(context.Background(), "demo", "spring"); err != nil {
			t.Error(err)
		}
	}
	b := begin()
	b.Of = erasing.OfAll
	if _, err := j.Begin(t.Context(), "demo", b); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { j.Run(ctx); close(done) }()
	defer func() { stop(); <-done }()

	// Who was in hand when it was cancelled is finished, by a process that goes on.
	var erased, ordered int
	for began := time.Now(); erased < 8 || erased != ordered; time.Sleep(time.Millisecond) {
		if erased, ordered = w.records(t, "subject.erased"), w.records(t, "erasure.ordered"); time.Since(began) > time.Minute {
			t.Fatalf("%d were erased, %d ordered", erased, ordered)
		}
	}
	if erased == 20 {
		t.Error("it erased everybody")
	}
	if _, err := j.Start(t.Context(), "demo", "spring", "officer"); err == nil {
		t.Error("a cancelled job starts again")
	}
}

// TestAnotherPrincipalStartsWhatOneBegan: where people are authenticated one begins a job,
// and another starts it.
func TestAnotherPrincipalStartsWhatOneBegan(t *testing.T) {
	w := newWorld(t)
	for _, p := range people(3) {
		w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
	}
	two := func(ident.AppName, string) bool { return true }
	w.l.AskTwo(two, nil)
	j := w.jobs(w.l)
	j.Two = func(ident.AppName) bool { return true }
	j.Same = func(one, other string) bool { return one == "p-first" && other == "p-first-too" }
	b := begin()
	b.Of, b.By, b.RecordedBy = erasing.OfAll, [2]string{}, "p-first"
	job, err := j.Begin(t.Context(), "demo", b)
	if err != nil || !job.NeedsApprover() || job.State != erasing.Draft {
		t.Fatalf("%+v, %v", job, err)
	}

	for _, by := range []string{"p-first", "p-first-too"} {
		_, err := j.Start(t.Context(), "demo", "spring", by)
		if no, refused := errors.AsType[refusal.Refusal](err); !refused || no.Code != refusal.SamePrincipal {
			t.Errorf("%s starts what p-first began: %v", by, err)
		}
	}
	if n := w.records(t, "erasure.ordered"); n != 0 {
		t.Errorf("%d were ordered, and nobody has approved", n)
	}

	if job, err = j.Start(t.Context(), "demo", "spring", "p-second"); err != nil || job.By != [2]string{"p-first", "p-second"} {
		t.Fatalf("%+v, %v", job, err)
	}
	if job := until(t, j, erasing.Done); job.Erased != 3 {
		t.Errorf("%+v", job)
	}
	if again, err := j.Begin(t.Context(), "demo", b); err != nil || again.State != erasing.Done {
		t.Errorf("begun again: %+v, %v", again, err)
	}
}

// TestOneOfTwoDoesNotSayAloneWhomAJobErases guards against whoever starts a job having
// said of whom it is, and against names for persons where people are authenticated or were.
func TestOneOfTwoDoesNotSayAloneWhomAJobErases(t *testing.T) {
	w := newWorld(t)
	two := true
	j := w.jobs(w.l)
	j.Two = func(ident.AppName) bool { return two }
	j.Same = func(string, string) bool { return false }
	refused := func(err error, want refusal.Code) {
		t.Helper()
		if no, is := errors.AsType[refusal.Refusal](err); !is || no.Code != want {
			t.Errorf("%v, want %s", err, want)
		}
	}

	b := begin()
	b.By, b.RecordedBy = [2]string{}, "p-first"
	if _, err := j.Begin(t.Context(), "demo", b); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Add(t.Context(), "demo", "spring", "p-first", 1, people(1)); err != nil {
		t.Fatal(err)
	}
	_, err := j.Add(t.Context(), "demo", "spring", "p-second", 1, people(3)[2:])
	refused(err, refusal.NotTheProposer)

	two = false // the ledger runs without identity for a while
	_, err = j.Start(t.Context(), "demo", "spring", ident.Unauthenticated)
	refused(err, refusal.ApprovalNeeded)
	b = begin()
	b.ID, b.By[1] = "names", ledger.PendingApprover
	_, err = j.Begin(t.Context(), "demo", b)
	refused(err, refusal.Malformed)

	b = begin()
	b.ID, b.Of, b.RecordedBy = "before", erasing.OfAll, ident.Unauthenticated
	if job, err := j.Begin(t.Context(), "demo", b); err != nil || job.State != erasing.Running {
		t.Fatalf("%+v, %v", job, err)
	}
	two = true
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { j.Run(ctx); close(over) }()
	for {
		job, err := j.Get(t.Context(), "demo", "before")
		if err != nil {
			t.Fatal(err)
		}
		if job.State != erasing.Running {
			if job.State != erasing.Cancelled || job.Error == "" {
				t.Errorf("%+v", job)
			}
			break
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	<-over
	if n := w.records(t, "erasure.ordered"); n != 0 {
		t.Errorf("%d were ordered by names alone", n)
	}
}

// A stopping ledger calls stop at its nth order.
type stopping struct {
	*ledger.Ledger
	at   atomic.Int32
	stop func()
}

func (s *stopping) OrderErasure(ctx context.Context, r ledger.Request, name vault.Pseudonym) (ledger.Receipt, error) {
	if s.at.Add(-1) == 0 {
		s.stop()
	}
	return s.Ledger.OrderErasure(ctx, r, name)
}

func TestOnlyWhoseAccountWasClosedBefore(t *testing.T) {
	w := newWorld(t)
	for _, p := range people(6) {
		w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
	}
	w.must(t, "p1", "c", domain.Say{Event: domain.SubjectClosed{Reason: "account-deleted"}})
	w.must(t, "p2", "c", domain.Say{Event: domain.SubjectClosed{Reason: "account-deleted"}})
	before := deadline.Instant(w.now.Add(1000))
	w.must(t, "p3", "c", domain.Say{Event: domain.SubjectClosed{Reason: "account-deleted"}})
	j := w.jobs(w.l)
	b := begin()
	b.Of, b.ClosedBefore = erasing.OfClosed, before
	if _, err := j.Begin(t.Context(), "demo", b); err != nil {
		t.Fatal(err)
	}
	if job := until(t, j, erasing.Done); job.Erased != 2 || job.Persons != 2 {
		t.Errorf("%+v", job)
	}
}

func TestAnOrderThatIsNotRightBeginsNothing(t *testing.T) {
	w := newWorld(t)
	j := w.jobs(w.l)
	for _, tt := range []struct {
		change func(*erasing.Begin)
		code   refusal.Code
	}{
		{func(b *erasing.Begin) { b.By[1] = "officer" }, refusal.TwoPersons},
		{func(b *erasing.Begin) { b.Of = "some" }, refusal.Malformed},
		{func(b *erasing.Begin) { b.ID = "a/b" }, refusal.Malformed},
		{func(b *erasing.Begin) { b.Of = erasing.OfClosed }, refusal.Malformed},
		{func(b *erasing.Begin) { b.ClosedBefore = 1 }, refusal.Malformed},
	} {
		b := begin()
		tt.change(&b)
		_, err := j.Begin(t.Context(), "demo", b)
		if no, is := errors.AsType[refusal.Refusal](err); !is || no.Code != tt.code {
			t.Errorf("%+v: %v", b, err)
		}
	}
	if _, err := j.Begin(t.Context(), "other", begin()); err == nil {
		t.Error("of an app that is not there")
	}
	if _, err := j.Add(t.Context(), "demo", "none", "officer", 1, people(1)); err == nil {
		t.Error("ids for a job that is not there")
	}
	if _, err := j.Begin(t.Context(), "demo", begin()); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Add(t.Context(), "demo", "spring", "officer", 2, people(1)); err == nil {
		t.Error("the second part before the first")
	}
	if _, err := j.Start(t.Context(), "demo", "spring", "officer"); err == nil {
		t.Error("a job of nobody starts")
	}
	list, err := j.List(t.Context(), "demo")
	if err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}
