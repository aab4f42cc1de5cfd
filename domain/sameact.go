package domain

import "consentledger/domain/ident"

// SameAct returns the opt-outs that the person said in the same act as the answer
// id: to the same presentation, or, where none is named, at the same moment, which
// one source said of both. An answer that is not known has none.
func (s Subject) SameAct(id ident.EventID) []Fact {
	var answer *said
	for _, x := range s.said {
		if x.ID == id {
			answer = x
		}
	}
	if answer == nil {
		return nil
	}

	var all []Fact
	for _, x := range s.said {
		if x.no != 0 && !x.ended && x.ID != id && sameAct(&answer.Fact, &x.Fact) {
			all = append(all, x.Fact)
		}
	}
	return all
}

func sameAct(a, b *Fact) bool {
	if n := presentation(a.Event); n != (ident.EventID{}) || presentation(b.Event) != (ident.EventID{}) {
		return n == presentation(b.Event)
	}
	return a.At == b.At && a.Source == b.Source
}

// presentation returns which presentation an answer names; zero: none.
func presentation(e Event) ident.EventID {
	switch e := e.(type) {
	case ConsentGiven:
		return e.Notice
	case ConsentRefused:
		return e.Notice
	}
	return ident.EventID{}
}
