package domain

import (
	"fmt"
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
)

// An Event is what happened. Facts are past tense and are never changed. Each type has
// a row in [Events]; what a new one needs, file by file, stands in docs/contributing.md.
//
//sumtype:decl
type Event interface{ isEvent() }

// MustBeIdle is called by a fold that has no case for an event: there is none to have if
// its row says that nothing of the noun changes by it. Else this program is mistaken.
func MustBeIdle(e Event, noun ident.Noun) {
	if r := RuleOf(e); !r.Idle || !slices.Contains(r.Nouns, noun) {
		panic(fmt.Sprintf("domain: event %T has no case in the fold of a %s stream", e, noun))
	}
}

// A Fact is an event as the ledger took it.
type Fact struct {
	ID       ident.EventID
	At       deadline.Instant // when it happened, as its source says; for an opt-out never after Recorded
	Recorded deadline.Instant // when the ledger took it
	Claimed  deadline.Instant // what an opt-out said before it was clamped to Recorded; else zero
	Source   Source           // who numbered it; zero: nobody
	Sequence uint64           // the source's own number, zero if it gave none
	Rules    uint8            // by which it folds, see [Rules]; zero: those before they had a number
	Event    Event
}

// Rules is the version of the rules by which facts that are recorded now fold.
// A fact keeps the version that it was recorded under, so that a rule that
// changed leaves past answers as they were.
//
// Version 1: a number lets no grant outlive an opt-out that is later in both
// times, see [Fact.overrides]; and an opt-out reaches everybody who is the same
// person, not only whom its own history is linked to, see [Subject.Whole]; and the
// newest consent counts: when it ends, none that was given before it takes its
// place.
//
// Version 2: a consent does not cover what was given up on the way and is declared
// again: a recipient, or one abroad, that a later version left out, and a purpose that
// another policy declares now after a time in which none did, or otherwise than the
// one that was consented to; and what is to be stopped and deleted follows for the
// linked histories too in which a grant ended, see [OwedAcross].
//
// Version 3: a fact of a person's history says itself what is owed by rule since,
// see [Subject.Owes]; what else follows from it is found as before.
const Rules = 3

// OwedApart is the version of the rules by which a fact is recorded that does not
// say what is owed since: because it is of before version 3, or because there is
// more than its record has room for. Then that is recorded after it, in a stream of
// its own.
const OwedApart = 2

// SaysOwed reports whether a fact of a person's history says itself what is owed.
func SaysOwed(rules uint8) bool { return rules > OwedApart }

// again is the first version of the rules by which a consent does not cover what was
// given up on the way.
const again = 2

// OwedAcross reports whether what is owed by a fact is owed for linked histories
// too. Facts of before that rule opened what they opened: nothing of them is found
// to be overdue years later.
func OwedAcross(rules uint8) bool { return rules >= 2 }

// A Source is a keyed digest of the name of whoever sent an event: good for
// "the same as before", for nothing else.
type Source [8]byte
