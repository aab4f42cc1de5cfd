package followup

import (
	"context"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
)

// duplicates are what an app remembers of requests that go on in others: those
// are owed again once the other one ends without an answer.
type duplicates struct {
	goOn  map[string]string           // by the stream's id: that of the request in which it goes on
	ended map[string]bool             // requests that ended without an answer
	in    map[string][]ident.StreamID // by the id of a request: those that went on in it, some of them no longer
}

// learnDuplicate takes note of a step of a request. What is owed again follows
// whichever came first, the duplicate or the end: both may be under way at once.
func (r *Process) learnDuplicate(a *app, e codec.Entry, s domain.Stepped) {
	if e.Stream.Noun != ident.RequestNoun {
		return
	}
	id, d := e.Stream.ID, &a.duplicates

	switch s.Kind {
	case "request.duplicate":
		of := s.Field("of")
		d.end(id)
		d.goOn[id], d.in[of] = of, append(d.in[of], e.Stream)
		if d.ended[of] {
			r.oweAgain(e.Stream, of, e)
		}
	case "request.withdrawn":
		d.end(id)
	case "request.reopened":
		delete(d.ended, id)
		delete(d.goOn, id)
		r.waiting.remove(owedAgainKey(e.Stream))
		return
	default:
		return
	}

	for _, b := range d.in[id] {
		if d.goOn[b.ID] == id {
			r.oweAgain(b, id, e)
		}
	}
}

// learnMistake takes note that records of a person were a mistake: a link may be among
// them, by which a request went on in another person's. Whether one is, the request knows.
func (r *Process) learnMistake(ctx context.Context, a *app, e codec.Entry) error {
	d := &a.duplicates
	if e.Stream.Noun != ident.SubjectNoun || len(d.goOn) == 0 {
		return nil
	}

	s, err := r.Ledger.Subject(ctx, e.Stream)
	if err != nil {
		return err
	}

	for _, id := range s.Requests() {
		if of, goesOn := d.goOn[id]; goesOn {
			r.oweAgain(ident.RequestStream(e.Stream.App, id), of, e)
		}
		for _, b := range d.in[id] {
			if d.goOn[b.ID] == id {
				r.oweAgain(b, id, e)
			}
		}
	}
	return nil
}

// end remembers that a request ended without an answer.
func (d *duplicates) end(id string) {
	d.ended[id] = true
}

// oweAgain lets a request be owed again, because of the end of the one in which
// it went on, or of what told that it goes on there.
func (r *Process) oweAgain(b ident.StreamID, original string, because codec.Entry) {
	r.follow(owedAgainKey(b), 0, b, "owed again since "+because.ID.String(), 0, domain.OweAgain{Original: original})
}

func owedAgainKey(s ident.StreamID) string { return "owed again " + s.String() }
