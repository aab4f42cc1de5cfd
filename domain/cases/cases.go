// Package cases says how a matter goes on that is settled by steps, or by a day: what a
// person asked for ([Request]), what happened to personal data ([Incident]), and what is
// owed to whom by when ([Duties]). A request has duties of its own, since a reply to it is
// owed.
//
// Like the nouns of package domain each has Decide, which turns a command into facts, and
// Evolve, which turns a fact into the next state; both are plain functions. Their events
// and commands are rows of that package's tables. Nothing there looks at a case: whether a
// person consents does not depend on what they asked for.
package cases

import "consentledger/domain"

// A Reference is what decisions about a request look up.
type Reference struct {
	domain.Reference
	Parties
}

// Parties are whom a request is of, and the other one that it is said to repeat.
type Parties struct {
	Person   *domain.Subject // whom the request is of; nil: nobody who is known
	Original *Request        // which it is said to be a duplicate of; nil: there is none
	Asker    *domain.Subject // whom Original is of; nil: nobody who is known
}

// person returns whom the request is of, nobody's history if they are not known.
func (p Parties) person() domain.Subject { return orNobody(p.Person) }

// asker returns whom the original is of, as person does.
func (p Parties) asker() domain.Subject { return orNobody(p.Asker) }

func orNobody(s *domain.Subject) domain.Subject {
	if s == nil {
		return domain.Subject{}
	}
	return *s
}
