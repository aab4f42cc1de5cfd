package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/proposal"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// declare returns a note about the app, as an operator records it.
func declare(id string, kind catalog.Note, fields map[string]string) ledger.Request {
	r := requestOf(id, domain.Say{Event: domain.Noted{Kind: kind, Fields: policy.Fields(fields)}})
	r.Person, r.Actor, r.RecordedBy = ident.PersonKey{}, "operator", "desk"
	return r
}

// keepsProof declares that proof of consent is kept up to the end of 2026.
func keepsProof(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	must(t, l, declare("duty", catalog.DutyDeclared, map[string]string{
		"duty": "claims", "law": "GDPR 17(3)(e)", "reason": "claims", "keeps": "proof", "until": "2026-12-31"}))
}

// over is when that last day is over, in Shanghai.
var over = func() deadline.Instant {
	zone, err := deadline.ParseZone("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return zone.Midnight(deadline.NewDate(2027, 1, 1))
}()

// decide returns what two decided about the proofs of whom an id led to.
func decide(t *testing.T, l *ledger.Ledger, id string, cmd domain.Command) ledger.Request {
	t.Helper()
	of, err := l.ProofsOf(t.Context(), "demo", ada)
	if err != nil {
		t.Fatal(err)
	}
	r := declare(id, "", nil)
	r.Command, r.Proof = cmd, of
	return r
}

var (
	discloses = domain.DiscloseProof{Reason: "claim", To: "court", By: [2]string{"officer", "second"}}
	destroys  = domain.DestroyProof{Reason: "subject-request", By: [2]string{"officer", "second"}}
)

// look is how somebody looks at a proof.
func look(by string) ledger.Access {
	return ledger.Access{App: "demo", ID: "look " + by, Actor: "operator", RecordedBy: by,
		DataAccessed: domain.DataAccessed{Name: domain.Personal(by), Words: "a court asks"}}
}

// stageOne is a world in which somebody said yes and no, and is erased but for the proof.
func stageOne(t *testing.T) (w *world, l *ledger.Ledger, name vault.Pseudonym) {
	t.Helper()
	w = newWorld()
	l = w.open(t)
	begin(t, l)
	keepsProof(t, l)
	must(t, l, requestOf("r1", domain.GiveConsent{Act: "agree", Details: "my words"}))
	must(t, l, requestOf("r2", domain.WithdrawConsent{Scope: policy.Scope{All: true}, Details: "enough"}))
	birth := requestOf("r3", domain.Say{Event: domain.AgeRecorded{Band: domain.Adult, Basis: "declared", BirthDate: "1815-12-10"}})
	must(t, l, birth)
	text, _, err := l.Pseudonym(t.Context(), "demo", ada)
	if err != nil {
		t.Fatal(err)
	}
	if name, err = vault.ParsePseudonym(text); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Erase(t.Context(), order("e1")); err != nil {
		t.Fatal(err)
	}
	return w, l, name
}

// proofRows lists the kinds of the rows of whom a proof is kept, and of whom none is.
func (w *world) proofRows(t *testing.T) string {
	t.Helper()
	var all []string
	for r, err := range w.rows.Scan(t.Context(), []byte("v/")) {
		if err != nil {
			t.Fatal(err)
		}
		if k := string(r.Key[2]); strings.Contains("efijlpqrs", k) {
			all = append(all, k)
		}
	}
	return strings.Join(all, " ")
}

func TestAProofIsKeptOfWhoIsErasedAndDestroyedInTheEnd(t *testing.T) {
	w, l, name := stageOne(t)
	if got, found := w.kinds(t); got != "consent.given consent.withdrawn age.recorded erasure.ordered subject.erased" || found {
		t.Fatalf("the log says %q, the vault has the person: %v", got, found)
	}
	if got := w.proofRows(t); got != "f i j q" {
		t.Fatalf("the vault has %s", got)
	}
	for r := range w.rows.Scan(t.Context(), []byte("v/")) {
		for _, of := range []string{"ada", "my words", "enough", "1815"} {
			if bytes.Contains(r.Value, []byte(of)) || bytes.Contains(r.Key, []byte(of)) {
				t.Errorf("row %.3q holds %q in the clear", r.Key, of)
			}
		}
	}

	// They are as erased as anybody: nothing is known, and who comes back is somebody new.
	if got := status(t, l, w); got != domain.NeverAsked {
		t.Errorf("they stand at %s", got)
	}
	if _, wrong := held(t, l, records(t, w)); wrong != "" {
		t.Errorf("beside the log: %s", wrong)
	}
	w.now += 1000
	must(t, l, requestOf("r4", yes))
	if again, _, _ := l.Pseudonym(t.Context(), "demo", ada); again == name.String() {
		t.Error("who came back is who was erased")
	}

	// It opens by a decision of two alone, for seven days.
	if _, err := l.OpenProof(t.Context(), name, ident.EventID{1}, look("officer")); code(err) != refusal.UnknownRecord {
		t.Errorf("without a decision: %v", err)
	}
	made, err := l.DecideOnProof(t.Context(), decide(t, l, "d1", discloses))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := l.OpenProof(t.Context(), name, ident.EventID(made.Event), look("officer"))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, p := range opened.Parts {
		texts = append(texts, p.Role+" "+p.Text.Reveal())
	}
	want := `binding {"app":"demo","id":"ada","kind":"account","pseudonym":"` + name.String() + `"}|details my words|details enough`
	if got := strings.Join(texts, "|"); got != want {
		t.Errorf("it holds %s, want %s", got, want)
	}
	if n := len(accesses(t, l)); n != 1 {
		t.Errorf("%d looks are recorded", n)
	}
	w.now += domain.DisclosureLasts
	if _, err := l.OpenProof(t.Context(), name, ident.EventID(made.Event), look("officer")); code(err) != refusal.DisclosureOver {
		t.Errorf("after seven days: %v", err)
	}

	// On its last day it is there; when that is over it goes, with a record.
	w.now = over - 1
	if n, err := l.DestroyDue(t.Context(), new(ledger.HeldProofs)); n != 0 || err != nil {
		t.Errorf("on the last day %d are destroyed: %v", n, err)
	}
	w.now = over
	for _, want := range []int{1, 0} {
		if n, err := l.DestroyDue(t.Context(), new(ledger.HeldProofs)); n != want || err != nil {
			t.Errorf("%d are destroyed, want %d: %v", n, want, err)
		}
	}
	if got := w.proofRows(t); strings.ContainsAny(got, "fijq") { // the others are of who came back, and of who looked
		t.Errorf("the vault has %s", got)
	}
	p, err := l.ProofNamed(t.Context(), "demo", name)
	if err != nil || p.Destroyed == (ident.EventID{}) || p.Duty != "claims" {
		t.Errorf("%+v %v", p, err)
	}
	if _, wrong := held(t, l, records(t, w)); wrong != "" {
		t.Errorf("beside the log: %s", wrong)
	}
	if of, err := l.ProofsOf(t.Context(), "demo", ada); len(of.Names) != 0 || err != nil {
		t.Error("it is found by the id", err)
	}
	if _, err := l.DecideOnProof(t.Context(), decide(t, l, "d2", discloses)); code(err) != refusal.NoProof {
		t.Errorf("disclosed after that: %v", err)
	}
}

// accesses returns the looks at proofs that are recorded.
func accesses(t *testing.T, l *ledger.Ledger) (all []domain.DataAccessed) {
	t.Helper()
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if a, is := e.Event.(domain.DataAccessed); is && a.Kind == domain.AccessProof {
			all = append(all, a)
		}
	}
	return all
}

func TestTwoDestroyAProofBeforeItsDay(t *testing.T) {
	w, l, name := stageOne(t)
	must(t, l, declare("hold", catalog.HoldDeclared, map[string]string{"hold": "case", "reason": "evidence", "authority": "a court"}))
	if _, err := l.DecideOnProof(t.Context(), decide(t, l, "d1", destroys)); code(err) != refusal.OnHold {
		t.Errorf("under a hold: %v", err)
	}
	w.now = over
	if n, err := l.DestroyDue(t.Context(), new(ledger.HeldProofs)); n != 0 || err != nil {
		t.Errorf("under a hold %d are destroyed when their day is over: %v", n, err)
	}
	must(t, l, declare("end", catalog.HoldEnded, map[string]string{"hold": "case", "reason": "judged"}))
	req := decide(t, l, "d2", destroys)
	first, err := l.DecideOnProof(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := l.DecideOnProof(t.Context(), req); again != first || err != nil {
		t.Errorf("asked again: %v, %v", again, err)
	}
	if got := w.proofRows(t); got != "" {
		t.Errorf("the vault has %s", got)
	}
	if p, err := l.ProofNamed(t.Context(), "demo", name); err != nil || eventstore.EventID(p.Ordered) != first.Event {
		t.Errorf("%+v %v", p, err)
	}
}

func TestAProofThatIsGoneOrBackIsFound(t *testing.T) {
	w, l, _ := stageOne(t)
	var rows []eventstore.Row
	for r := range w.rows.Scan(t.Context(), []byte("v/")) {
		if strings.Contains("fijq", string(r.Key[2])) {
			rows = append(rows, eventstore.Row{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
		}
	}
	change := func(c eventstore.Change) {
		t.Helper()
		if err := w.rows.Write(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	var keys [][]byte
	for _, r := range rows {
		keys = append(keys, r.Key)
	}
	change(eventstore.Change{Delete: keys})
	if _, wrong := held(t, l, records(t, w)); !strings.Contains(wrong, "is not in the vault") {
		t.Errorf("it was taken away: %q", wrong)
	}
	change(eventstore.Change{Put: rows})
	if _, wrong := held(t, l, records(t, w)); wrong != "" {
		t.Errorf("it is back: %q", wrong)
	}
	if _, err := l.DecideOnProof(t.Context(), decide(t, l, "d", destroys)); err != nil {
		t.Fatal(err)
	}
	change(eventstore.Change{Put: rows})
	if _, wrong := held(t, l, records(t, w)); !strings.Contains(wrong, "is destroyed, and is in the vault") {
		t.Errorf("it came back: %q", wrong)
	}
}

// TestACrashLeavesNoProofHalfDestroyed: wherever what is done to the rows breaks off, in either
// stage, a restart and the next look finish it.
func TestACrashLeavesNoProofHalfDestroyed(t *testing.T) {
	for _, persist := range []bool{false, true} {
		broke := true
		for n := 0; broke; n++ {
			t.Run(fmt.Sprintf("at step %d, made %t", n, persist), func(t *testing.T) {
				w := newWorld()
				l := w.open(t)
				begin(t, l)
				keepsProof(t, l)
				must(t, l, requestOf("r1", domain.GiveConsent{Act: "agree", Details: "my words"}))
				w.via = func(r eventstore.Rows) eventstore.Rows { return &dyingRows{r, n, persist} }
				dying := w.open(t)
				_, err := dying.Erase(t.Context(), order("e1"))
				if err == nil {
					w.now = over
					_, err = dying.DestroyDue(t.Context(), new(ledger.HeldProofs))
				}
				if broke = err != nil; broke && !errors.Is(err, errLost) {
					t.Fatal(err)
				}
				w.via, w.now = nil, over

				l = w.open(t)
				if _, err := l.FinishErasures(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := l.Erase(t.Context(), order("e1")); err != nil && code(err) != refusal.UnknownPerson {
					t.Fatal(err)
				}
				if _, err := l.DestroyDue(t.Context(), new(ledger.HeldProofs)); err != nil {
					t.Fatal(err)
				}
				if got := w.proofRows(t); got != "" {
					t.Errorf("the vault has %s", got)
				}
				log, _ := w.kinds(t)
				if !strings.HasPrefix(log, "consent.given erasure.ordered subject.erased") {
					t.Errorf("the log says %q", log)
				}
				// Ordered only after the last day was over, nothing was kept in the first place.
				if strings.Contains(log, "destruction") && !strings.HasSuffix(log, "destruction.ordered proof.destroyed") {
					t.Errorf("the log says %q", log)
				}
				if _, wrong := held(t, l, records(t, w)); wrong != "" {
					t.Errorf("beside the log: %s", wrong)
				}
			})
		}
	}
}

// TestNobodyHearsOfAProofBeforeTwoHaveDecided: what is proposed by an id is taken whether there
// is a proof or not, and what is kept of the proposal says neither.
func TestNobodyHearsOfAProofBeforeTwoHaveDecided(t *testing.T) {
	w, l, name := stageOne(t)
	l.AskTwo(func(_ ident.AppName, kind string) bool { return kind == "proof.disclosed" }, nil)
	if _, err := l.DecideOnProof(t.Context(), decide(t, l, "d0", discloses)); code(err) != refusal.ApprovalNeeded {
		t.Fatalf("names are taken for principals: %v", err)
	}
	of := decide(t, l, "d0", discloses)
	of.Proof = ledger.ProofOf{}
	if _, err := l.DecideOnProof(t.Context(), of); code(err) != refusal.ApprovalNeeded {
		t.Errorf("whoever names two hears that there is no proof: %v", err)
	}

	try := func(id string, who ident.PersonKey) (proposal.Proposal, []byte, ledger.ReadCommand, error) {
		t.Helper()
		sealed, err := l.SealProofsOf(t.Context(), "demo", who)
		if err != nil {
			t.Fatal(err)
		}
		read := func(kept []byte, by [2]string) (ledger.Request, error) {
			r := declare(id, "", nil)
			r.RecordedBy, r.Proof = by[0], ledger.ProofOf{Sealed: kept}
			r.Command = domain.DiscloseProof{Reason: "claim", To: "court", By: by}
			return r, nil
		}
		p, err := l.Propose(t.Context(), ledger.Proposing{App: "demo", Source: "test", ID: id, Kind: "proof.disclosed",
			Kept: sealed, By: "ann", Reason: "claim"}, read)
		return p, sealed, read, err
	}
	propose := func(id string, who ident.PersonKey) (proposal.Proposal, []byte, ledger.ReadCommand) {
		t.Helper()
		p, sealed, read, err := try(id, who)
		if err != nil {
			t.Fatal(err)
		}
		return p, sealed, read
	}
	nobody := ident.PersonKey{Kind: "account", ID: "nobody"}
	there, kept, read := propose("known", ada)
	none, nothing, readNone := propose("unknown", nobody)

	// A second proposal under an id of the first is answered alike, whomever either is about:
	// else whoever proposes somebody of whom there is no proof would learn who else has none.
	for _, id := range []string{"known", "unknown"} {
		for _, who := range []ident.PersonKey{ada, nobody, {Kind: "account", ID: "nobody else"}} {
			if _, other, _, err := try(id, who); code(err) != refusal.IDReused || bytes.Equal(other, kept) {
				t.Errorf("%s again, of %s: %v", id, who.ID, err)
			}
		}
	}
	if len(kept) != len(nothing) || bytes.Contains(kept, name[:]) || there.Subject != "" {
		t.Error("a proposal tells whether there is a proof")
	}

	// A dry run of the approval tells nothing either, and does not say that the proposal has lapsed.
	v, err := vault.Open(t.Context(), w.rows, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	tried, err := ledger.Open(t.Context(), ledger.Config{Store: w.store, Vault: v, Blobs: blobs.New(new(memory.Rows)),
		Now: func() deadline.Instant { return w.now }, Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	for id, read := range map[string]ledger.ReadCommand{there.ID: read, none.ID: readNone} {
		dry, err := tried.Rehearse(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = dry.Approve(t.Context(), ledger.Decision{App: "demo", ID: id, By: "bob"}, read)
		if code(err) != refusal.IllegalMove || !strings.Contains(err.Error(), "cannot be tried") {
			t.Errorf("a dry run: %v", err)
		}
	}

	if _, err := l.Approve(t.Context(), ledger.Decision{App: "demo", ID: none.ID, By: "bob"}, readNone); code(err) != refusal.ProposalOutdated {
		t.Errorf("of whom there is none: %v", err)
	}
	done, err := l.Approve(t.Context(), ledger.Decision{App: "demo", ID: there.ID, By: "bob"}, read)
	if err != nil || done.Decided != proposal.CarriedOut {
		t.Fatal(done, err)
	}
	id, err := eventstore.ParseEventID(done.Record)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.OpenProof(t.Context(), name, ident.EventID(id), look("eve")); code(err) != refusal.NotTheProposer {
		t.Errorf("another principal opens it: %v", err)
	}
	for _, by := range []string{"ann", "bob"} {
		if _, err := l.OpenProof(t.Context(), name, ident.EventID(id), look(by)); err != nil {
			t.Errorf("%s may not open it: %v", by, err)
		}
	}
	if _, wrong := held(t, l, records(t, w)); wrong != "" {
		t.Errorf("beside the log: %s", wrong)
	}
}

// A part that was damaged before keeps nobody from being erased.
func TestADamagedPartKeepsNobodyFromBeingErased(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	keepsProof(t, l)
	given := must(t, l, requestOf("r1", domain.GiveConsent{Act: "agree", Details: "my words"}))
	name, _, _ := l.Pseudonym(context.Background(), "demo", ada)
	for r := range w.rows.Scan(t.Context(), []byte("v/p")) {
		if !bytes.HasSuffix(r.Key, []byte("details")) {
			continue
		}
		value := bytes.Clone(r.Value)
		value[len(value)-1] ^= 1
		if err := w.rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: r.Key, Value: value}}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Erase(t.Context(), order("e1")); err != nil {
		t.Fatal(err)
	}
	made, err := l.DecideOnProof(t.Context(), decide(t, l, "d1", discloses))
	if err != nil {
		t.Fatal(err)
	}
	p, err := vault.ParsePseudonym(name)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := l.OpenProof(t.Context(), p, ident.EventID(made.Event), look("officer"))
	if err != nil || len(opened.Parts) != 1 || len(opened.Lost) != 1 || opened.Lost[0] != given.Event.String() {
		t.Errorf("%+v %v", opened, err)
	}
}

// eraseMany has so many persons agree, and erases them but for the proof.
func eraseMany(t *testing.T, l *ledger.Ledger, prefix string, n int) {
	t.Helper()
	for i := range n {
		yes := requestOf("agreed", domain.GiveConsent{Act: "agree", Details: "my words"})
		gone := order("gone")
		yes.Person = ident.PersonKey{Kind: "account", ID: fmt.Sprint(prefix, i)}
		gone.Person = yes.Person
		must(t, l, yes)
		if _, err := l.Erase(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
}

// countingRows count what is read of the rows: calls, and rows that a scan yields.
type countingRows struct {
	eventstore.Rows
	n *int
}

func (c countingRows) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	*c.n++
	return c.Rows.Get(ctx, key)
}

func (c countingRows) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	*c.n++
	return func(yield func(eventstore.Row, error) bool) {
		for r, err := range c.Rows.Scan(ctx, prefix) {
			if *c.n++; !yield(r, err) {
				return
			}
		}
	}
}

// A heldWorld is a world in which so many are erased but for their proofs, whose last day is
// over, and which a legal hold keeps.
type heldWorld struct {
	*world
	l     *ledger.Ledger
	reads int
}

func newHeldWorld(t *testing.T, n int) *heldWorld {
	t.Helper()
	w := &heldWorld{world: newWorld()}
	w.via = func(r eventstore.Rows) eventstore.Rows { return countingRows{r, &w.reads} }
	w.l = w.open(t)
	begin(t, w.l)
	keepsProof(t, w.l)
	eraseMany(t, w.l, "user-", n)
	w.hold(t, "h1", "case", "")
	w.now = over
	return w
}

func (w *heldWorld) hold(t *testing.T, id, name, until string) {
	t.Helper()
	fields := map[string]string{"hold": name, "reason": "evidence", "authority": "a court"}
	if until != "" {
		fields["until"] = until
	}
	must(t, w.l, declare(id, catalog.HoldDeclared, fields))
}

func (w *heldWorld) release(t *testing.T, id, name string) {
	t.Helper()
	must(t, w.l, declare(id, catalog.HoldEnded, map[string]string{"hold": name, "reason": "judged"}))
}

// look destroys what is due, which are so many, and returns what that read of the rows.
func (w *heldWorld) look(t *testing.T, held *ledger.HeldProofs, want int) (reads int) {
	t.Helper()
	before := w.reads
	if n, err := w.l.DestroyDue(t.Context(), held); n != want || err != nil {
		t.Fatalf("%d are destroyed, want %d: %v", n, want, err)
	}
	return w.reads - before
}

// TestProofsUnderAHoldCostNothingUntilItEnds: that they are kept is found out once. From then on
// a look reads as much of three as of thirty. When a hold ends, by itself or by a record, they
// are destroyed that it kept, also by a process that has just started.
func TestProofsUnderAHoldCostNothingUntilItEnds(t *testing.T) {
	few, many := newHeldWorld(t, 3), newHeldWorld(t, 30)
	var ofFew, held ledger.HeldProofs
	few.look(t, &ofFew, 0)
	first := many.look(t, &held, 0)
	if got := many.proofRows(t); strings.Contains(got, "i") {
		t.Errorf("some are still due: %s", got)
	}
	cost := many.look(t, &held, 0)
	if of := few.look(t, &ofFew, 0); of != cost || cost >= first {
		t.Errorf("a look at thirty reads %d, after the first one that read %d, and at three %d", cost, first, of)
	}
	if of := many.look(t, new(ledger.HeldProofs), 0); of <= cost {
		t.Errorf("who has just started reads %d, and who has looked %d: this shows nothing", of, cost)
	}

	// Another hold comes, which says when it ends, and the first one is ended by a record.
	w := many
	w.hold(t, "h2", "claim", "2027-02-01")
	w.release(t, "e1", "case")
	w.look(t, &held, 0)
	if again := w.look(t, &held, 0); again != cost {
		t.Errorf("a look under the second hold reads %d, and under the first %d", again, cost)
	}
	zone, err := deadline.ParseZone("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	w.now = zone.Midnight(deadline.NewDate(2027, 2, 2)) - 1
	w.look(t, &held, 0)

	// A third one takes its place before it ends. That is ended while no process looks, and a
	// fourth one is there by then.
	w.hold(t, "h3", "claim", "2028-01-01")
	w.now++
	w.look(t, &held, 0)
	w.release(t, "e3", "claim")
	w.hold(t, "h4", "short", "2027-03-01")
	w.look(t, new(ledger.HeldProofs), 0)
	w.now = zone.Midnight(deadline.NewDate(2027, 3, 2))
	w.look(t, &held, 30)
	if got := w.proofRows(t); strings.ContainsAny(got, "fijqr") {
		t.Errorf("the vault has %s", got)
	}
	if of := w.look(t, &held, 0); of != cost {
		t.Errorf("of nobody a look reads %d, and of those that were held %d", of, cost)
	}

	// By a record alone, by a process that has just started.
	few.release(t, "e1", "case")
	few.look(t, new(ledger.HeldProofs), 3)
}

// TestTwoDestroyAProofThatWasHeld: nothing of it is left, also of what says that it is held.
func TestTwoDestroyAProofThatWasHeld(t *testing.T) {
	w, l, _ := stageOne(t)
	must(t, l, declare("hold", catalog.HoldDeclared, map[string]string{"hold": "case", "reason": "evidence", "authority": "a court"}))
	w.now = over
	if n, err := l.DestroyDue(t.Context(), new(ledger.HeldProofs)); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if got := w.proofRows(t); !strings.Contains(got, "r") || strings.Contains(got, "i") {
		t.Fatalf("the vault has %s", got)
	}
	must(t, l, declare("end", catalog.HoldEnded, map[string]string{"hold": "case", "reason": "judged"}))
	if _, err := l.DecideOnProof(t.Context(), decide(t, l, "d", destroys)); err != nil {
		t.Fatal(err)
	}
	if got := w.proofRows(t); got != "" {
		t.Errorf("the vault has %s", got)
	}
}
