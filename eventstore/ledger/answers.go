package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// answers says of each record of a stream, in their order, which request it answers:
// the first bytes of its keyed ID; zero: none. All else that a receipt says stands in
// the record, which is read when a request comes again: that is rare, and everybody
// who is in memory has answers. The facts of one request stand together.
type answers []uint64

func markOf(id [16]byte) uint64 { return binary.BigEndian.Uint64(id[:]) }

// An answer is what a request was answered, and a digest of what it asked.
type answer struct {
	receipt Receipt
	digest  [16]byte
}

// answer returns the answer to a request, and whether there is one.
func (l *Ledger) answer(ctx context.Context, stream ident.StreamID, f *fold, id [16]byte) (answer, bool, error) {
	for i, m := range f.answered {
		if m != markOf(id) {
			continue
		}
		a, asked, err := l.answerAt(ctx, stream, i)
		if err != nil || asked == id {
			return a, err == nil, err
		}
	}
	return answer{}, false, nil
}

// answerAt returns the answer that begins with a record, which is known by how many
// come before it in its stream, and the request that it is to.
func (l *Ledger) answerAt(ctx context.Context, stream ident.StreamID, i int) (a answer, id [16]byte, err error) {
	first := eventstore.Revision(i + 1)
	for e, err := range entries(l.store.ReadStream(ctx, eventstore.Stream(stream.String()), first-1)) {
		if err != nil {
			return answer{}, id, err
		}
		if e.Revision == first {
			id, a = e.Request.ID, answer{receiptOf(e.Envelope, e.Position, e.Event), e.Request.Digest}
		}
		if e.Request.ID != id {
			break
		}
		a.receipt.Position = e.Position
	}

	if a.receipt.Event == (eventstore.EventID{}) {
		err = fmt.Errorf("%s: record %d was there, and is no more", stream, first)
	}
	return a, id, err
}

// receiptOfFact returns the receipt of a fact of a person's history, as its request
// was answered, and whether it is the first fact of one.
func (l *Ledger) receiptOfFact(
	ctx context.Context, stream ident.StreamID, f *fold, id ident.EventID,
) (Receipt, bool, error) {
	i := f.subject.Place(id)
	if i < 0 || f.answered[i] == 0 || i > 0 && f.answered[i] == f.answered[i-1] {
		return Receipt{}, false, nil
	}
	a, _, err := l.answerAt(ctx, stream, i)
	return a.receipt, err == nil, err
}

// receiptOf returns the receipt of a request by the first of its facts. It says
// of the fact what stands in it, so that it is the same for ever.
func receiptOf(env codec.Envelope, at eventstore.Position, e domain.Event) Receipt {
	r := Receipt{Event: env.ID, Position: at, NotUnderstood: env.NotUnderstood}
	switch e := e.(type) {
	case domain.ConsentGiven:
		r.Counts, r.Short = countsOf(e, env.Rules)
	case domain.ConsentRefused:
		r.Unknown, r.Rests = e.Unknown, restsOf(e.Rests)
	case domain.ConsentWithdrawn:
		r.Unknown, r.Rests = e.Unknown, restsOf(e.Rests)
	case domain.PermissionRevoked:
		r.Rests = restsOf(e.Rests)
	}
	return r
}

// countsOf returns whether a consent counts for all that it names, and where it
// does not, why. Of a consent from before facts said what hinders them nothing is
// said.
func countsOf(e domain.ConsentGiven, rules uint8) (Counting, string) {
	if rules == 0 {
		return NotSaid, ""
	}

	var words []string
	for _, item := range e.Items {
		if item.Short != "" {
			words = append(words, string(item.Purpose)+"="+string(item.Short))
		}
	}

	for _, h := range e.Hindered {
		words = append(words, string(h.Purpose)+"="+string(h.Why))
	}

	switch len(words) {
	case 0:
		return CountsForAll, ""
	case len(e.Items):
		return CountsNot, strings.Join(words, ",")
	}
	return CountsPartly, strings.Join(words, ",")
}

func restsOf(rests []policy.Rest) string {
	var words []string
	for _, x := range rests {
		words = append(words, string(x.Purpose)+"="+x.Basis.String())
	}
	return strings.Join(words, ",")
}
