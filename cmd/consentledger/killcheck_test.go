package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/api/wire"
	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/views"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
	"consentledger/projections"
	"consentledger/projections/readmodel"
)

const (
	personPrefix = "killed-person-"
	killSource   = "kill-test"
)

// A wish is an event that a client sends, and what the client learned of it.
type wish struct {
	id, kind, person string
	body             []byte
	queued           bool // for JetStream, not for the request road

	receipt   wire.Receipt // zero: none yet
	refused   bool
	sequences []uint64 // that JetStream acknowledged
}

// A book is what all clients together know.
type book struct {
	mu     sync.Mutex
	rng    *rand.Rand
	people int
	wishes []*wish
	newest []*wish // with a receipt since fresh was last called
}

// next returns a new wish. One person in four was never seen before.
func (b *book) next(queued bool) *wish {
	b.mu.Lock()
	defer b.mu.Unlock()
	who := b.people
	if b.people > 0 && b.rng.IntN(4) > 0 {
		who = b.rng.IntN(b.people)
	} else {
		b.people++
	}
	w := &wish{id: fmt.Sprint("wish-", len(b.wishes)), person: fmt.Sprint(personPrefix, who), queued: queued}
	var data demo.Object
	w.kind, data = b.say()
	e := demo.Event(w.id, w.kind, w.person, time.Time{}, data)
	e["source"] = killSource
	body, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and maps make JSON
	}
	w.body = body
	b.wishes = append(b.wishes, w)
	return w
}

// say returns what a person says, one time in twelve what no policy knows.
func (b *book) say() (string, demo.Object) {
	details := demo.Object{"device": fmt.Sprint("phone-", b.rng.IntN(100)), "ip": "203.0.113.9"}
	switch b.rng.IntN(12) {
	case 0:
		return "consent.given", demo.Object{"act": "nod", "details": details}
	case 1, 2:
		return "consent.withdrawn", demo.Object{"all": true, "details": details}
	case 3, 4:
		return "consent.withdrawn", demo.Object{"purposes": []string{"personalisation"}}
	case 5:
		return "consent.refused", demo.Object{"all": true, "act": "agree-popup", "locale": "en"}
	case 6:
		return "permission.revoked", demo.Object{"permission": "network", "details": details}
	case 7, 8:
		return "consent.given", demo.Object{"act": "confirm-next", "purposes": []string{"personalisation", "network-diagnosis"}}
	}
	return "consent.given", demo.Object{"act": "agree-popup", "locale": "en", "details": details}
}

func (b *book) moment() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return 50*time.Millisecond + time.Duration(b.rng.IntN(350))*time.Millisecond
}

// unknown returns half of the wishes that have no answer, by road.
func (b *book) unknown() (asked, sent []*wish) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wishes {
		switch {
		case w.refused || w.receipt != (wire.Receipt{}) || len(w.sequences) > 0 || b.rng.IntN(2) == 0:
		case w.queued:
			sent = append(sent, w)
		default:
			asked = append(asked, w)
		}
	}
	return asked, sent
}

// fresh returns the wishes that have had a receipt since it was last called.
func (b *book) fresh() []*wish {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.newest
	b.newest = nil
	return list
}

func (b *book) answered() (list []*wish) {
	for _, w := range b.wishes {
		if w.receipt != (wire.Receipt{}) {
			list = append(list, w)
		}
	}
	return list
}

func (b *book) log(t *testing.T) {
	t.Helper()
	n := map[string]int{}
	for _, w := range b.wishes {
		switch {
		case w.receipt != (wire.Receipt{}):
			n["receipts"]++
		case w.refused:
			n["refused"]++
		case len(w.sequences) > 0:
			n["acknowledged by JetStream"]++
		default:
			n["unknown"]++
		}
	}
	t.Logf("%d persons, %d events: %v", b.people, len(b.wishes), n)
	if n["receipts"] == 0 || n["acknowledged by JetStream"] == 0 {
		t.Error("nothing was promised, so nothing was tested")
	}
}

// checkDir reads everything in the directory of a stopped server.
func checkDir(t *testing.T, dir string, b *book, rejected []intake.RejectedMessage) {
	t.Helper()
	d, err := server.OpenDataDir(t.Context(), dir, "live", false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	checkWishes(t, d, b, rejected)
	checkViews(t, d, filepath.Join(dir, "views"))
}

// checkWishes holds what the clients were told of their requests against what is in the
// ledger: nothing else is.
func checkWishes(t *testing.T, d *server.DataDir, b *book, rejected []intake.RejectedMessage) {
	t.Helper()
	records := readRecords(t, d)
	inRejected := map[uint64]int{}
	for _, m := range rejected {
		inRejected[m.InSeq]++
	}
	claimed := 0
	for _, w := range b.wishes {
		got, err := recordsOf(t.Context(), d, records, w)
		if err == nil {
			err = checkWish(w, got, inRejected)
		}
		if err != nil {
			t.Errorf("%s %s: %v", w.id, w.kind, err)
		}
		claimed += min(len(got), 1)
	}
	if claimed != len(records) {
		t.Errorf("%d requests are in the ledger, the clients know %d of them", len(records), claimed)
	}
}

// A trace is where the records of one request are.
type trace struct {
	stream  string
	request [16]byte
}

// readRecords returns the records about persons by their request, each with its
// personal parts opened.
func readRecords(t *testing.T, d *server.DataDir) map[trace][]codec.Entry {
	t.Helper()
	records := map[trace][]codec.Entry{}
	for e, err := range d.Ledger.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Stream.Noun != ident.SubjectNoun {
			continue
		}
		if err := checkParts(t.Context(), d.Vault, e); err != nil {
			t.Errorf("record %d: %v", e.Position, err)
		}
		at := trace{e.Stream.String(), e.Request.ID}
		records[at] = append(records[at], e)
	}
	return records
}

// checkParts opens the personal parts of a record.
func checkParts(ctx context.Context, v *vault.Vault, e codec.Entry) error {
	if bound := len(e.Parts) > 0 && e.Parts[0].Role == "binding"; bound != (e.Revision == 1) {
		return fmt.Errorf("revision %d is bound to a person: %v", e.Revision, bound)
	}
	for _, part := range e.Parts {
		name, err := vault.ParsePseudonym(part.Ref)
		if err != nil {
			return err
		}
		p, ok, err := v.ByPseudonym(ctx, string(e.Stream.App), name)
		if err != nil || !ok {
			return fmt.Errorf("its person is in the vault: %v, %v", ok, err)
		}
		plain, ok, err := v.Part(ctx, p, e.ID, e.Stream.String(), part.Role)
		if err != nil || !ok {
			return fmt.Errorf("part %s is in the vault: %v, %v", part.Role, ok, err)
		}
		if p.Commit(e.ID, part.Role, plain) != part.Commitment {
			return fmt.Errorf("part %s is not what the record committed to", part.Role)
		}
	}
	return nil
}

// recordsOf returns the records of a wish: the facts of one request, together.
func recordsOf(ctx context.Context, d *server.DataDir, records map[trace][]codec.Entry, w *wish) ([]codec.Entry, error) {
	who, err := ident.ParsePersonKey(w.person)
	if err != nil {
		return nil, err
	}
	p, ok, err := d.Vault.Find(ctx, vault.Lookup{App: "smartkey", Kind: who.Kind, ID: who.ID})
	if err != nil || !ok {
		return nil, err
	}
	stream := ident.SubjectStream("smartkey", p.Pseudonym.String())
	request := p.RequestID(killSource, w.id)
	got := records[trace{stream.String(), request}]
	for i, e := range got {
		if e.ID != p.EventID(request, i) || e.Revision != got[0].Revision+eventstore.Revision(i) {
			return got, fmt.Errorf("record %d is not fact %d of its request", e.Position, i)
		}
	}
	return got, nil
}

// checkWish says what of a client's knowledge the ledger contradicts. Each of
// these events is one fact.
func checkWish(w *wish, got []codec.Entry, rejected map[uint64]int) error {
	if len(got) > 1 {
		return fmt.Errorf("is in the ledger %d times", len(got))
	}
	if w.refused && len(got) > 0 {
		return fmt.Errorf("was refused, and is in the ledger at %d", got[0].Position)
	}
	if w.receipt != (wire.Receipt{}) {
		if len(got) == 0 {
			return fmt.Errorf("has a receipt for %s, and is lost", w.receipt.Position)
		}
		if id, at := got[0].ID.String(), wire.FormatPosition(got[0].Position); id != w.receipt.EventID || at != w.receipt.Position {
			return fmt.Errorf("has the receipt %v, and is %s at %s", w.receipt, id, at)
		}
	}
	for _, seq := range w.sequences {
		if n := rejected[seq]; n+len(got) != 1 {
			return fmt.Errorf("sequence %d of JetStream is %d times in the ledger and %d times rejected", seq, len(got), n)
		}
	}
	return nil
}

// checkViews compares the projections that lived through the kills with others
// that are built from nothing.
func checkViews(t *testing.T, d *server.DataDir, dir string) {
	t.Helper()
	lived, built := hashViews(t, d, dir), hashViews(t, d, t.TempDir())
	for name := range built {
		if len(built[name]) == 0 || !maps.Equal(lived[name], built[name]) {
			t.Errorf("projection %s is not what history makes of it: %x, want %x", name, lived[name], built[name])
		}
	}
}

// hashViews brings the projections in dir up to date, as a start does, and
// returns what is in their tables.
func hashViews(t *testing.T, d *server.DataDir, dir string) map[string]map[string]readmodel.Sum {
	t.Helper()
	head, err := d.Ledger.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]map[string]readmodel.Sum{}
	for _, kind := range views.All {
		v, err := kind.Open(t.Context(), readmodel.Dir(dir), d.Ledger)
		if err != nil {
			t.Fatal(err)
		}
		ctx, done := context.WithCancel(t.Context())
		var at eventstore.Position
		err = projections.Run(ctx, d.Ledger, v, func(p eventstore.Position) {
			if at = p; at >= head {
				done()
			}
		})
		done()
		if at != head {
			t.Errorf("%v", err)
		}
		if sums[v.Name()], _, err = v.Hash(t.Context()); err != nil {
			t.Error(err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
	return sums
}
