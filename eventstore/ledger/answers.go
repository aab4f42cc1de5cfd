package ledger

import (
	"strings"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// answers is what the requests of a stream were answered, in their order. It is
// owned by the stream's lock; whoever holds an older one sees no more than it
// held.
type answers struct {
	list  []answer
	index map[[16]byte]int // by request; nil while the list is short, or nobody looked
}

// An answer is a request's identity and its receipt, in few bytes: there is one
// for nearly every record.
type answer struct {
	id, digest [16]byte
	event      eventstore.EventID
	position   eventstore.Position
	counts     Counting
	words      *words // nil: the receipt has none
}

// words are the texts of a receipt.
type words struct{ unknown, notUnderstood, short, rests string }

// few is how many answers are looked through one by one: a person has few, and
// that is quicker than a map.
const few = 32

func answerOf(q codec.Request, r Receipt) answer {
	a := answer{id: q.ID, digest: q.Digest, event: r.Event, position: r.Position, counts: r.Counts}
	if w := (words{r.Unknown, r.NotUnderstood, r.Short, r.Rests}); w != (words{}) {
		a.words = &w
	}
	return a
}

// receipt is what answerOf was given.
func (a *answer) receipt() Receipt {
	r := Receipt{Event: a.event, Position: a.position, Counts: a.counts}
	if w := a.words; w != nil {
		r.Unknown, r.NotUnderstood, r.Short, r.Rests = w.unknown, w.notUnderstood, w.short, w.rests
	}
	return r
}

// find returns the answer to a request, and whether there is one.
func (a *answers) find(id [16]byte) (*answer, bool) {
	if len(a.list) > few {
		if a.index == nil {
			a.reindex()
		}
		i, ok := a.index[id]
		if !ok || i >= len(a.list) || a.list[i].id != id {
			return nil, false
		}
		return &a.list[i], true
	}
	for i := len(a.list) - 1; i >= 0; i-- {
		if a.list[i].id == id {
			return &a.list[i], true
		}
	}
	return nil, false
}

// of returns the receipt of a record, as its request was answered.
func (a *answers) of(id eventstore.EventID) (Receipt, bool) {
	for i := range a.list {
		if a.list[i].event == id {
			return a.list[i].receipt(), true
		}
	}
	return Receipt{}, false
}

// add adds an answer. Only whoever may change the newest fold grows the list
// where it is, and writes to the index: others have both to themselves from then
// on.
func (a *answers) add(x answer, own domain.Own) {
	if own == domain.Shared {
		a.list, a.index = a.list[:len(a.list):len(a.list)], nil
	}
	a.list = append(a.list, x)
	if a.index != nil {
		a.index[x.id] = len(a.list) - 1
	}
}

func (a *answers) reindex() {
	a.index = make(map[[16]byte]int, len(a.list))
	for i := range a.list {
		a.index[a.list[i].id] = i
	}
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

func restsOf(rests []domain.Rest) string {
	var words []string
	for _, x := range rests {
		words = append(words, string(x.Purpose)+"="+x.Basis.String())
	}
	return strings.Join(words, ",")
}
