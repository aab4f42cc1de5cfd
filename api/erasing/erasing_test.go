package erasing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/erasing"
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency/merkle"
)

const epoch deadline.Instant = 1767225600000

var document = policy.Document{
	Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai",
	Title: []policy.LocalText{{Locale: "en", Text: "Privacy"}},
	Purposes: []policy.Purpose{{ID: "ads", Title: "Ads", Section: "I", Basis: policy.BasisConsent,
		Actions: []policy.Action{policy.Use}, Categories: []policy.CategoryID{"clicks"}}},
	Categories: []policy.Category{{ID: "clicks", Title: "Clicks", Section: "I"}},
	Acts:       []policy.Act{{ID: "agree", Title: "Agree", Section: "I", Counts: policy.GeneralConsent}},
	Minors:     policy.Minors{AdultAge: 18, ChildBelowPolicy: 14, ChildBelowLaw: 14},
	Texts:      []policy.Text{{Locale: "en", Hash: content.Hash{1}, Force: policy.Sample}},
}

// A world is a ledger whose process may die and start again.
type world struct {
	store *memory.Store
	rows  eventstore.Rows
	keys  vault.Keys
	now   atomic.Int64
	l     *ledger.Ledger
}

func newWorld(t *testing.T) *world { return newWorldOn(t, new(memory.Rows)) }

func newWorldOn(t *testing.T, rows eventstore.Rows) *world {
	w := &world{store: new(memory.Store), rows: rows, keys: vault.NewMemoryKeys()}
	w.now.Store(int64(epoch))
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

// digestOf returns what a job shows to whoever approves it.
func digestOf(t *testing.T, j *erasing.Jobs) content.Hash {
	t.Helper()
	job, err := j.Get(t.Context(), "demo", "spring")
	if err != nil {
		t.Fatal(err)
	}
	digest, err := j.Digest(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// isRefused says if err is no refusal with a code.
func isRefused(t *testing.T, err error, want refusal.Code) {
	t.Helper()
	if no, is := errors.AsType[refusal.Refusal](err); !is || no.Code != want {
		t.Errorf("%v, want %s", err, want)
	}
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
			if _, err := j.Start(t.Context(), "demo", "spring", "officer", content.Hash{}); err != nil {
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
	if _, err := j.Start(t.Context(), "demo", "spring", "officer", content.Hash{}); err == nil {
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
		_, err := j.Start(t.Context(), "demo", "spring", by, digestOf(t, j))
		if no, refused := errors.AsType[refusal.Refusal](err); !refused || no.Code != refusal.SamePrincipal {
			t.Errorf("%s starts what p-first began: %v", by, err)
		}
	}
	if n := w.records(t, "erasure.ordered"); n != 0 {
		t.Errorf("%d were ordered, and nobody has approved", n)
	}

	if job, err = j.Start(t.Context(), "demo", "spring", "p-second", digestOf(t, j)); err != nil || job.By != [2]string{"p-first", "p-second"} {
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
	b := begin()
	b.By, b.RecordedBy = [2]string{}, "p-first"
	if _, err := j.Begin(t.Context(), "demo", b); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Add(t.Context(), "demo", "spring", "p-first", 1, people(1)); err != nil {
		t.Fatal(err)
	}
	_, err := j.Add(t.Context(), "demo", "spring", "p-second", 1, people(3)[2:])
	isRefused(t, err, refusal.NotTheProposer)

	two = false // the ledger runs without identity for a while
	_, err = j.Start(t.Context(), "demo", "spring", ident.Unauthenticated, content.Hash{})
	isRefused(t, err, refusal.ApprovalNeeded)
	b = begin()
	b.ID, b.By[1] = "names", ledger.PendingApprover
	_, err = j.Begin(t.Context(), "demo", b)
	isRefused(t, err, refusal.Malformed)

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

// begunByTwo begins a job that takes two principals, of the first so many persons.
func begunByTwo(t *testing.T, w *world, j *erasing.Jobs, persons int) {
	t.Helper()
	j.Two = func(ident.AppName) bool { return true }
	b := begin()
	b.By, b.RecordedBy = [2]string{}, "p-first"
	if _, err := j.Begin(t.Context(), "demo", b); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Add(t.Context(), "demo", "spring", "p-first", 1, people(persons)); err != nil {
		t.Fatal(err)
	}
}

// TestWhoStartsAJobApprovesOneList guards against a list that changes after the second
// principal looked at it.
func TestWhoStartsAJobApprovesOneList(t *testing.T) {
	w := newWorld(t)
	for _, p := range people(4) {
		w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
	}
	j := w.jobs(w.l)
	begunByTwo(t, w, j, 2)

	seen := digestOf(t, j)
	_, err := j.Start(t.Context(), "demo", "spring", "p-second", content.Hash{})
	isRefused(t, err, refusal.Malformed)
	if _, err := j.Add(t.Context(), "demo", "spring", "p-first", 2, people(4)[3:]); err != nil {
		t.Fatal(err)
	}
	_, err = j.Start(t.Context(), "demo", "spring", "p-second", seen)
	isRefused(t, err, refusal.ProposalOutdated)

	longer := digestOf(t, j)
	if _, err := j.Add(t.Context(), "demo", "spring", "p-first", 2, people(4)[2:3]); err != nil {
		t.Fatal(err)
	}
	_, err = j.Start(t.Context(), "demo", "spring", "p-second", longer)
	isRefused(t, err, refusal.ProposalOutdated)
	if n := w.records(t, "erasure.ordered"); n != 0 {
		t.Errorf("%d were ordered, and nobody has approved", n)
	}

	// The same list has the same digest, and it is kept.
	if _, err := j.Add(t.Context(), "demo", "spring", "p-first", 2, people(4)[3:]); err != nil {
		t.Fatal(err)
	}
	job, err := j.Start(t.Context(), "demo", "spring", "p-second", longer)
	if err != nil || job.Approved != longer {
		t.Fatalf("%+v, %v", job, err)
	}
	if job := until(t, j, erasing.Done); job.Erased != 3 || job.Approved != longer {
		t.Errorf("%+v", job)
	}
}

// TestAJobOfSomebodyWhoLostTheirRoleIsNotWorkedOn: neither is it started, nor does it go
// on.
func TestAJobOfSomebodyWhoLostTheirRoleIsNotWorkedOn(t *testing.T) {
	w := newWorld(t)
	for _, p := range people(20) {
		w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
	}
	j := w.jobs(w.l)
	begunByTwo(t, w, j, 20)
	var chunks atomic.Int32
	j.Still = func(_ context.Context, _ ident.AppName, by [2]string) error {
		if by == [2]string{"p-first", "p-second"} && chunks.Add(1) <= 2 { // when it is started, and of one chunk
			return nil
		}
		return refusal.Refusal{Code: refusal.RoleLost, Text: "who approved this has no role"}
	}

	_, err := j.Start(t.Context(), "demo", "spring", "p-third", digestOf(t, j))
	isRefused(t, err, refusal.RoleLost)
	if _, err := j.Start(t.Context(), "demo", "spring", "p-second", digestOf(t, j)); err != nil {
		t.Fatal(err)
	}
	job := until(t, j, erasing.Cancelled)
	if job.Erased != 8 || !strings.Contains(job.Error, "has no role") || w.records(t, "subject.erased") != 8 {
		t.Errorf("%+v, %d erased", job, w.records(t, "subject.erased"))
	}
}

// TestAListThatAnotherProcessChangedIsNotErased guards against a part that is handed over
// to one process at the moment when another one takes the approval.
func TestAListThatAnotherProcessChangedIsNotErased(t *testing.T) {
	w := newWorld(t)
	for _, p := range people(2) {
		w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
	}
	j := w.jobs(w.l)
	begunByTwo(t, w, j, 1)
	if _, err := j.Start(t.Context(), "demo", "spring", "p-second", digestOf(t, j)); err != nil {
		t.Fatal(err)
	}

	b := begin()
	b.ID, b.By, b.RecordedBy = "other", [2]string{}, "p-first"
	if _, err := j.Begin(t.Context(), "demo", b); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Add(t.Context(), "demo", "other", "p-first", 1, people(2)[1:]); err != nil {
		t.Fatal(err)
	}
	part, _, err := w.rows.Get(t.Context(), []byte("erasing/1/demo/part/other/000001"))
	if err != nil {
		t.Fatal(err)
	}
	change := eventstore.Change{Put: []eventstore.Row{{Key: []byte("erasing/1/demo/part/spring/000001"), Value: part}}}
	if err := w.rows.Write(t.Context(), change); err != nil {
		t.Fatal(err)
	}

	if job := until(t, j, erasing.Cancelled); job.Error == "" || job.Erased != 0 {
		t.Errorf("%+v", job)
	}
	if n := w.records(t, "erasure.ordered"); n != 0 {
		t.Errorf("%d were ordered", n)
	}
}

// TestAnInterruptedChunkCountsOfWhomAProofIsKept: their orders say more than the job does, and
// are the job's all the same.
func TestAnInterruptedChunkCountsOfWhomAProofIsKept(t *testing.T) {
	w := newWorld(t)
	w.must(t, "", "d", domain.Say{Event: domain.Noted{Kind: catalog.DutyDeclared, Fields: policy.Fields(map[string]string{
		"duty": "claims", "law": "GDPR 17(3)(e)", "reason": "claims", "keeps": "proof", "until": "2026-12-31"})}})
	for _, p := range people(14) {
		w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
	}
	j := w.jobs(&dying{Ledger: w.l, left: 5})
	start(t, j, erasing.OfIDs, 14)
	until(t, j, stuck)

	w.restart(t)
	if job := counted(t, w.jobs(w.l), 14); job.Already != 0 {
		t.Errorf("%d were erased by another order", job.Already)
	}
}

// TestWhomAnInterruptedChunkErasedIsCounted: whether the job goes on or is cancelled, and
// however it names persons, the count is that of the records.
func TestWhomAnInterruptedChunkErasedIsCounted(t *testing.T) {
	for _, of := range []string{erasing.OfIDs, erasing.OfAll} {
		for _, cancelled := range []bool{false, true} {
			for _, left := range []int{1, 5, 11} {
				t.Run(fmt.Sprintf("%s,%v,%d", of, cancelled, left), func(t *testing.T) {
					w := newWorld(t)
					for _, p := range people(14) {
						w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
					}
					j := w.jobs(&dying{Ledger: w.l, left: left})
					start(t, j, of, 14)
					until(t, j, stuck)

					w.restart(t)
					j = w.jobs(w.l)
					want := 14
					if cancelled {
						want = left
						if _, err := j.Cancel(t.Context(), "demo", "spring"); err != nil {
							t.Fatal(err)
						}
					}
					job := counted(t, j, int64(want))
					if n := w.records(t, "subject.erased"); n != want {
						t.Errorf("%d were erased, want %d", n, want)
					}
					lines := new(lineCounter)
					if err := j.Certify(t.Context(), "demo", "spring", proofs{}, w.l, lines); err != nil || *lines != lineCounter(want+1) {
						t.Errorf("the certificate of %d has %d lines: %v (%+v)", want, *lines, err, job)
					}
				})
			}
		}
	}
}

// start begins and starts a job of so many persons.
func start(t *testing.T, j *erasing.Jobs, of string, persons int) {
	t.Helper()
	b := begin()
	b.Of = of
	if _, err := j.Begin(t.Context(), "demo", b); err != nil {
		t.Fatal(err)
	}
	if of != erasing.OfIDs {
		return
	}
	if _, err := j.Add(t.Context(), "demo", "spring", "officer", 1, people(persons)); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Start(t.Context(), "demo", "spring", "officer", content.Hash{}); err != nil {
		t.Fatal(err)
	}
}

// counted runs jobs until one that has ended has counted so many.
func counted(t *testing.T, j *erasing.Jobs, want int64) (job erasing.Job) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { j.Run(ctx); close(done) }()
	defer func() { stop(); <-done }()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		var err error
		if job, err = j.Get(t.Context(), "demo", "spring"); err != nil {
			t.Fatal(err)
		}
		if job.State != erasing.Running && job.Erased == want {
			return job
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("%+v, want %d erased", job, want)
		}
	}
}

// A lineCounter counts lines.
type lineCounter int

func (n *lineCounter) Write(b []byte) (int, error) {
	*n += lineCounter(bytes.Count(b, []byte("\n")))
	return len(b), nil
}

// proofs say where each record is, and prove nothing.
type proofs struct{}

func (proofs) Find(context.Context, ident.AppName, eventstore.EventID) (int64, error) { return 0, nil }
func (proofs) Proof(context.Context, ident.AppName, int64) (merkle.Proof, error) {
	return merkle.Proof{}, nil
}

// TestWhomAnotherOrderErasedIsNotCounted guards against a job that says that it erased whom
// somebody else erased while it waited.
func TestWhomAnotherOrderErasedIsNotCounted(t *testing.T) {
	w := newWorld(t)
	for _, p := range people(3) {
		w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
	}
	j := w.jobs(w.l)
	if _, err := j.Begin(t.Context(), "demo", begin()); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Add(t.Context(), "demo", "spring", "officer", 1, people(3)); err != nil {
		t.Fatal(err)
	}
	_, err := w.l.Erase(t.Context(), ledger.Request{App: "demo", Person: people(2)[1], Source: "test", ID: "e", Body: []byte("e"),
		Actor: "operator", RecordedBy: "desk", Command: domain.OrderErasure{Reason: "subject-request", By: [2]string{"a", "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Start(t.Context(), "demo", "spring", "officer", content.Hash{}); err != nil {
		t.Fatal(err)
	}
	if job := until(t, j, erasing.Done); job.Erased != 2 || job.Already != 1 {
		t.Errorf("%+v", job)
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
	if _, err := j.Start(t.Context(), "demo", "spring", "officer", content.Hash{}); err == nil {
		t.Error("a job of nobody starts")
	}
	list, err := j.List(t.Context(), "demo")
	if err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestWhoLookedAtPersonsIsNoPersonOfTheApp: their name is kept as persons are, and a job of
// everybody names them, counts persons alone, and leaves them.
func TestWhoLookedAtPersonsIsNoPersonOfTheApp(t *testing.T) {
	w := newWorld(t)
	for _, p := range people(3) {
		w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
	}
	looked := ledger.Access{App: "demo", ID: "look", Actor: "operator", RecordedBy: "desk", DataAccessed: domain.DataAccessed{
		Kind: domain.AccessReplay, Reason: "audit", Name: "an officer", Words: "the yearly audit"}}
	if _, err := w.l.Access(t.Context(), looked); err != nil {
		t.Fatal(err)
	}

	j := w.jobs(w.l)
	b := begin()
	b.Of = erasing.OfAll
	if _, err := j.Begin(t.Context(), "demo", b); err != nil {
		t.Fatal(err)
	}
	if job := until(t, j, erasing.Done); job.Persons != 3 || job.Erased != 3 || job.Kept != 0 || job.Already != 0 {
		t.Errorf("of three persons and one who looked at them: %+v", job)
	}
	kept, err := j.Kept(t.Context(), "demo", "spring", 10)
	if err != nil || len(kept) != 1 || kept[0].Code != string(refusal.UnknownPerson) {
		t.Errorf("named are %v, %v", kept, err)
	}
}
