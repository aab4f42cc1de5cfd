package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
)

// A Holding holds the records of an app's log, in their order, against what is
// kept beside the log: the store's own records with their revisions, every
// personal part whose owner's key lives, and who the vault says that a person
// is. It reads personal parts and shows nobody any of them: its findings name
// records, roles and pseudonyms.
type Holding struct {
	Commitments int64 // parts that were computed again
	Bindings    int64 // persons whom the vault leads to as their first record says
	Erased      int64 // parts whose owner was erased
	Unkept      int64 // parts that belong to nobody in the vault, and are not kept

	ledger    *Ledger
	ctx       context.Context // of the pass; Check is called back and takes none
	app       ident.AppName
	next      func() (eventstore.Recorded, error, bool)
	stop      func()
	revisions map[eventstore.Stream]eventstore.Revision
	broken    error
}

// Holding begins a pass over an app's records, or over those of all apps if none is named.
// Close ends it.
func (l *Ledger) Holding(ctx context.Context, app ident.AppName) *Holding {
	h := &Holding{ledger: l, ctx: ctx, app: app, revisions: map[eventstore.Stream]eventstore.Revision{}}
	h.next, h.stop = iter.Pull2(l.store.ReadAll(ctx, 0))
	return h
}

// Close ends the pass, and returns what kept it from being made.
func (h *Holding) Close() error {
	h.stop()
	return h.broken
}

// Check says what is wrong with what is kept of the next record of the log.
func (h *Holding) Check(record []byte) []string {
	if h.broken != nil {
		return nil
	}

	r, err := h.stored()
	if err != nil {
		return h.fail(err)
	}
	if r == nil {
		return []string{"the store has no such record: it ends before the log does"}
	}
	if !bytes.Equal(r.Data, record) {
		return []string{fmt.Sprintf("the store has another record here, %s of %s", r.Type, r.Stream)}
	}

	var wrong []string
	if want := h.revisions[r.Stream] + 1; r.Revision != want {
		wrong = append(wrong, fmt.Sprintf("the store has it as revision %d of %s, and it is the record number %d of "+
			"the stream", r.Revision, r.Stream, want))
	}

	h.revisions[r.Stream] = r.Revision
	e, err := codec.Decode(*r)
	if err != nil {
		return append(wrong, err.Error())
	}

	for _, p := range e.Parts {
		text, err := h.part(e, p)
		if err != nil {
			return h.fail(err)
		}
		if text != "" {
			wrong = append(wrong, text)
		}
	}

	text, err := h.proof(e)
	if err != nil {
		return h.fail(err)
	}
	if text != "" {
		wrong = append(wrong, text)
	}
	return wrong
}

// proof says what is wrong with the proof that is kept of somebody, by the record that says
// that they are erased, or that it is destroyed; empty: nothing is.
func (h *Holding) proof(e codec.Entry) (string, error) {
	_, erased := e.Event.(domain.SubjectErased)
	_, destroyed := e.Event.(domain.ProofDestroyed)
	if !erased && !destroyed {
		return "", nil
	}
	f, err := h.ledger.fold(h.ctx, e.Stream)
	if err != nil {
		return "", err
	}
	name, err := vault.ParsePseudonym(e.Stream.ID)
	if err != nil {
		return "", err
	}
	there, err := h.ledger.vault.HasProof(h.ctx, string(e.Stream.App), name)
	if err != nil {
		return "", err
	}

	p, is := f.subject.Proof()
	switch {
	case destroyed && there:
		return fmt.Sprintf("the proof of person %s is destroyed, and is in the vault", e.Stream.ID), nil
	case destroyed || there || !is || p.Ordered != (ident.EventID{}):
		return "", nil
	}
	// Of an older vault that still has the person, it is made when they are erased again.
	if still, err := h.ledger.Kept(h.ctx, e.Stream.App, name); err != nil || still {
		return "", err
	}
	return fmt.Sprintf("the proof of person %s is kept up to %s, and is not in the vault", e.Stream.ID, p.Until), nil
}

// fail keeps what broke the pass: that is no finding.
func (h *Holding) fail(err error) []string {
	h.broken = err
	return nil
}

// stored returns the store's next record of the app; nil: there is none.
func (h *Holding) stored() (*eventstore.Recorded, error) {
	prefix := "-" + string(h.app) + "-"
	for {
		r, err, ok := h.next()
		if !ok || err != nil {
			return nil, err
		}
		if h.app == "" {
			return &r, nil
		}
		if _, rest, _ := strings.Cut(string(r.Stream), "-"); strings.HasPrefix("-"+rest, prefix) {
			return &r, nil
		}
	}
}

// part says what is wrong with a part; empty: nothing is, or nothing can be.
func (h *Holding) part(e codec.Entry, p codec.Part) (string, error) {
	if _, err := vault.ParsePseudonym(p.Ref); err != nil {
		h.Unkept++
		return "", nil
	}

	text, ok, err := h.ledger.reveal(h.ctx, e, p.Role)
	switch {
	case h.ctx.Err() != nil:
		return "", h.ctx.Err()
	case err != nil:
		return fmt.Sprintf("of person %s: %v", p.Ref, err), nil
	case !ok:
		h.Erased++
		return h.gone(e, p)
	}

	h.Commitments++
	if p.Role != "binding" || e.Stream.Noun != ident.SubjectNoun {
		return "", nil
	}
	return h.binding(e, text)
}

// gone says what is wrong when somebody has no entry any more, in the first
// record of their history: an entry goes by an order that is recorded.
func (h *Holding) gone(e codec.Entry, p codec.Part) (string, error) {
	if p.Role != "binding" || e.Stream.Noun != ident.SubjectNoun {
		return "", nil
	}
	f, err := h.ledger.fold(h.ctx, e.Stream)
	if err != nil || f.subject.Ordered() != (ident.EventID{}) {
		return "", err
	}
	return fmt.Sprintf("person %s has no entry in the vault, and nobody ordered to erase them", e.Stream.ID), nil
}

var errBinding = errors.New("the text that ties the stream to a person is none")

// binding holds who a person is, as their first record says, against whom the
// vault leads to. An outside id that was detached leads to somebody else or to
// nobody, and that is as it should be.
func (h *Holding) binding(e codec.Entry, text domain.Personal) (string, error) {
	var who struct{ App, ID, Kind, Pseudonym string }
	if err := json.Unmarshal([]byte(text.Reveal()), &who); err != nil {
		return errBinding.Error(), nil
	}

	if who.App != string(e.Stream.App) || who.Pseudonym != e.Stream.ID {
		return fmt.Sprintf("the text that ties the stream to a person ties %s of the app %s", who.Pseudonym,
			refusal.Quote(who.App)), nil
	}

	f, err := h.ledger.fold(h.ctx, e.Stream)
	if err != nil {
		return "", err
	}

	p, found, err := h.ledger.find(h.ctx, ident.AppName(who.App), ident.PersonKey{Kind: who.Kind, ID: who.ID})
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "", err
	case err != nil:
		return fmt.Sprintf("whom the outside id of %s leads to cannot be read: %v", e.Stream.ID, err), nil
	case found && p.Pseudonym.String() == e.Stream.ID:
		h.Bindings++
	case f.subject.Ended() != 0:
	case found:
		return fmt.Sprintf("the outside id that it ties to %s leads to %s in the vault: an entry was swapped",
			e.Stream.ID, p.Pseudonym), nil
	default:
		return fmt.Sprintf("the outside id that it ties to %s leads to nobody in the vault, and the person is not "+
			"erased", e.Stream.ID), nil
	}
	return "", nil
}
