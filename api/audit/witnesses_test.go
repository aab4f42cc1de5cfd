package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"consentledger/api/audit/bundle"
	"consentledger/api/audit/witness"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/freeport"
	"consentledger/eventstore/ledger"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/merkle"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// show shows the log to its witnesses once.
func (h *testServer) show() {
	h.t.Helper()
	if err := h.witnesses.Show(h.t.Context(), "demo"); err != nil {
		h.t.Fatal(err)
	}
}

// policyOf asks for the signatures of all witnesses, or of so many.
func (h *testServer) policyOf(quorum string, witnesses ...*litewitness) witness.Policy {
	h.t.Helper()
	text, names := "log "+h.vkey()+"\n", ""
	for i, w := range witnesses {
		text += fmt.Sprintf("witness w%d %s %s # of a test\n", i, w.vkey, w.url)
		names += fmt.Sprintf(" w%d", i)
	}
	p, err := witness.ParsePolicy([]byte(text + "group g " + quorum + names + "\nquorum g\n"))
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// witnessed returns what is told of the witnesses.
func (h *testServer) witnessed() (a witnessedAnswer) {
	h.t.Helper()
	resp, text := h.get("/witnesses")
	if resp.StatusCode != http.StatusOK {
		h.t.Fatalf("%s: %s", resp.Status, text)
	}
	if err := json.Unmarshal(text, &a); err != nil {
		h.t.Fatal(err)
	}
	return a
}

// TestTheLogsAreShownToTheirWitnesses: two witnesses that are not ours sign the
// log as it grows; what they signed is served, proves records, and satisfies
// whoever asks for both.
func TestTheLogsAreShownToTheirWitnesses(t *testing.T) {
	h := newTestServer(t)
	records := someRecords(600)
	h.add(records[:300]...)
	north, south := startWitness(t, h.vkey()), startWitness(t, h.vkey())
	h.witnesses.Policy = h.policyOf("all", north, south)
	if resp, _ := h.get("/cosigned"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("before anybody signed, the cosigned checkpoint: %s", resp.Status)
	}
	h.show()
	h.add(records[300:]...)
	if _, text := h.get("/checkpoint"); strings.Count(string(text), "\n— ") != 1 {
		t.Errorf("nobody has seen the newest checkpoint yet:\n%s", text)
	}
	resp, old := h.get("/cosigned")
	if err := h.witnesses.Policy.Check(base+"/demo", old); resp.StatusCode != http.StatusOK || err != nil {
		t.Errorf("what was signed of the first 300: %s %v", resp.Status, err)
	}
	h.show()
	_, signed := h.get("/checkpoint")
	if err := h.witnesses.Policy.Check(base+"/demo", signed); err != nil || !strings.Contains(string(signed), "\n600\n") {
		t.Errorf("the checkpoint that both have signed: %v\n%s", err, signed)
	}
	h.provesCosigned(299, records[299])
	h.provesCosigned(599, records[599])
	a := h.witnessed()
	if a.Size != 600 || a.Last == "" || len(a.Witnesses) != 2 || a.Witnesses[0].Size != 600 || a.Witnesses[1].Error != "" {
		t.Errorf("told of the witnesses: %+v", a)
	}
}

// A recorder says of every access that it is recorded, and opens nothing.
type recorder struct{ reads int }

func (*recorder) Pseudonym(context.Context, ident.AppName, ident.PersonKey) (string, bool, error) {
	return "", false, nil
}

func (*recorder) App(context.Context, ident.AppName) (domain.Reference, error) {
	return domain.Reference{}, nil
}

func (*recorder) Subject(context.Context, ident.StreamID) (domain.Subject, error) {
	return domain.Subject{}, nil
}

func (*recorder) Stream(context.Context, ident.StreamID) iter.Seq2[codec.Entry, error] {
	return func(func(codec.Entry, error) bool) {}
}

func (d *recorder) Access(context.Context, ledger.Access) (ledger.Opened, error) {
	d.reads++
	return ledger.Opened{}, nil
}

// A keptLog is the logs of a server and the keys that it keeps.
type keptLog struct {
	*transparency.Log
	keep *transparency.Keep
}

func (k keptLog) VerifierKey(app ident.AppName) (string, error) { return k.keep.VerifierKey(app) }

// TestEvidenceThatWitnessesSigned: a bundle of the newest tree that both
// witnesses signed satisfies whoever asks for both; one of a newer tree does not.
func TestEvidenceThatWitnessesSigned(t *testing.T) {
	h := newTestServer(t)
	h.add(publishings(0, 300)...)
	north, south := startWitness(t, h.vkey()), startWitness(t, h.vkey())
	h.witnesses.Policy = h.policyOf("all", north, south)
	x := &Exporter{Logs: keptLog{h.logs, h.keep}, Ledger: new(recorder), Witnesses: h.witnesses, Now: time.Now}
	ask := ExportRequest{Lang: "en", Cosigned: true}
	if _, err := x.Export(t.Context(), "demo", ask, "tester"); !errors.Is(err, transparency.ErrNotThere) {
		t.Errorf("before anybody signed: %v", err)
	}
	h.show()
	h.add(publishings(300, 20)...)
	if o := h.exported(x, ask); o.Checkpoint.Size != 300 || len(o.Indexes) != 300 {
		t.Errorf("%d records of a tree of %d", len(o.Indexes), o.Checkpoint.Size)
	} else if err := h.witnesses.Policy.Check(base+"/demo", o.Signed); err != nil {
		t.Error(err)
	}
	ask.Cosigned = false
	if o := h.exported(x, ask); o.Checkpoint.Size != 320 || h.witnesses.Policy.Check(base+"/demo", o.Signed) == nil {
		t.Errorf("a tree of %d that no witness saw satisfies whoever asks for both", o.Checkpoint.Size)
	}
	x.Witnesses, ask.Cosigned = nil, true
	if _, err := x.Export(t.Context(), "demo", ask, "tester"); !errors.Is(err, transparency.ErrNotThere) {
		t.Errorf("without witnesses: %v", err)
	}
}

// publishings are records of the app as a whole.
func publishings(from, n int) (all [][]byte) {
	for i := from; i < from+n; i++ {
		all = append(all, fmt.Appendf(nil, `{"actor":"operator","at":%d,"data":{},"id":"%08x-0000-8000-8000-000000000000","recorded":%d,"recorded_by":"desk","stream":"obligation-demo-%d","type":"test.v1","v":1}`, i+1, i, i+1, i))
	}
	return all
}

// exported makes a bundle and verifies it.
func (h *testServer) exported(x *Exporter, ask ExportRequest) *bundle.Opened {
	h.t.Helper()
	f, err := x.Export(h.t.Context(), "demo", ask, "tester")
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		h.t.Fatal(err)
	}
	v, err := note.NewVerifier(h.vkey())
	if err != nil {
		h.t.Fatal(err)
	}
	o, err := bundle.Verify(f, info.Size(), v, base+"/demo")
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

// provesCosigned wants a proof of a record which Torchwood accepts under our
// policy, and refuses without the witnesses' signatures.
func (h *testServer) provesCosigned(index int, record []byte) {
	h.t.Helper()
	rule, err := torchwood.ParsePolicy([]byte(h.policyText()))
	if err != nil {
		h.t.Fatal(err)
	}
	_, proof := h.get(fmt.Sprintf("/proof?index=%d&cosigned=1", index))
	if err := torchwood.VerifyProof(rule, tlog.RecordHash(record), proof); err != nil {
		h.t.Errorf("record %d: %v\n%s", index, err, proof)
	}
	p, err := merkle.ParseProof(proof)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.witnesses.Policy.Check(base+"/demo", p.Checkpoint); err != nil {
		h.t.Errorf("record %d: %v", index, err)
	}
	text, rest, _ := strings.Cut(string(p.Checkpoint), "\n\n")
	own, _, _ := strings.Cut(rest, "\n")
	p.Checkpoint = []byte(text + "\n\n" + own + "\n")
	if err := torchwood.VerifyProof(rule, tlog.RecordHash(record), p.Format()); err == nil {
		h.t.Errorf("record %d: without the witnesses' signatures it is accepted", index)
	}
}

// policyText writes the policy of the server's witnesses again.
func (h *testServer) policyText() string {
	text, names := "log "+h.vkey()+"\n", ""
	for _, w := range h.witnesses.Policy.Witnesses {
		text += fmt.Sprintf("witness %s %s\n", w.Name, w.Verifier)
		names += " " + w.Name
	}
	return text + "group g all" + names + "\nquorum g\n"
}

// TestWitnessesThatDoNotSign: a witness that is away or that saw another history
// takes nothing from what the others signed, and it is told why.
func TestWitnessesThatDoNotSign(t *testing.T) {
	h := newTestServer(t)
	records := someRecords(200)
	h.add(records[:100]...)
	good, bad := startWitness(t, h.vkey()), startWitness(t, h.vkey())

	// Somebody with our key has shown the second a history of their own.
	forked, _ := h.fork([][]byte{[]byte(`{"n":"another"}`)})
	if status, text := bad.ask(0, nil, forked); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	away := &litewitness{t: t, url: "http://" + freeport.Address(t), vkey: bad.vkey}

	h.witnesses.Policy = h.policyOf("any", good, bad)
	h.show()
	a := h.witnessed()
	if a.Size != 100 || a.Witnesses[0].Error != "" || a.Witnesses[1].Error != "it has seen another history of this log" {
		t.Errorf("one of two signed: %+v", a)
	}

	h.restartWitnesses(h.policyOf("all", good, away))
	h.add(records[100:]...)
	h.show()
	a = h.witnessed()
	if a.Size != 100 || a.Witnesses[0].Size != 200 || !strings.Contains(a.Witnesses[1].Error, "refused") {
		t.Errorf("the second is away: %+v", a)
	}
	if _, text := h.get("/cosigned"); !strings.Contains(string(text), "\n100\n") {
		t.Errorf("what a quorum signed before stays:\n%s", text)
	}
	h.witnesses.Now = func() time.Time { return time.Now().Add(3 * time.Hour) }
	if a := h.witnessed(); a.GapSeconds < 3*3600-60 {
		t.Errorf("three hours without a quorum are a gap of %d s", a.GapSeconds)
	}
}

// restartWitnesses is what a new start with another policy does.
func (h *testServer) restartWitnesses(p witness.Policy) {
	old := h.witnesses
	*old = witness.Witnesses{Logs: old.Logs, Policy: p, Shelf: old.Shelf, Now: old.Now, Log: old.Log}
}

// TestAWitnessThatSawMore: a log that was rolled back learns it from a witness.
func TestAWitnessThatSawMore(t *testing.T) {
	h := newTestServer(t)
	h.add(someRecords(10)...)
	w := startWitness(t, h.vkey())
	longer, _ := h.fork(someRecords(30))
	if status, text := w.ask(0, nil, longer); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	h.witnesses.Policy = h.policyOf("all", w)
	h.show()
	if a := h.witnessed(); a.Last != "" || !strings.Contains(a.Witnesses[0].Error, "30 records and this one has 10: the log was rolled back") {
		t.Errorf("%+v", a)
	}
}
