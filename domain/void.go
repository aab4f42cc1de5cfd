package domain

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/link"
	"consentledger/domain/lists"
	"consentledger/domain/refusal"
)

// A known is a fact of a history, and whether it can be voided.
type known struct {
	id      ident.EventID
	lasting lasting
}

// lasting says why a fact cannot be voided; zero: it can. What speaks against
// processing never goes by a void, and what was done outside is not undone by
// one: each has a way of its own.
type lasting uint8

const (
	lastsByItself lasting = iota + 1
	lastsAsEnd
	lastsAsUse
	lastsAsHistory
	lastsAsVoid
	lastsAsRequest
	lastsAsDuty
	lastsOutside
)

var lastingTexts = [...]string{
	lastsByItself:  "a hold or a restriction is not voided: end it by hold.released or restriction.lifted",
	lastsAsEnd:     "the end of a guardian's part or of an exemption is not voided: verify or invoke anew",
	lastsAsUse:     "the use of a consent is not voided: ask again",
	lastsAsHistory: "a history that has ended is not begun again: who comes with the outside id is somebody new",
	lastsAsVoid:    "a void is not voided: record anew what was right",
	lastsAsRequest: "a request is not voided: take a step, as request.withdrawn or request.duplicate",
	lastsAsDuty:    "what was found about a minor is not voided: void the age, and what is owed by obligation.voided",
	lastsOutside:   "the operating system's no is not voided: record what it says now",
}

// Place returns how many facts of the history come before one; -1: it is not of it.
func (s Subject) Place(id ident.EventID) int {
	return slices.IndexFunc(s.known, func(k known) bool { return k.id == id })
}

// A dispute is a fact that says that others are wrong.
type dispute struct {
	id      ident.EventID
	records []ident.EventID
}

// void returns s without what was recorded by mistake. What let more be done is
// gone: a grant, an age that is no child's, a guardian's verification, an
// exemption, the end of a hold or of a link. What let less be done still stands
// in the way of what was said before it: voiding an opt-out, a child's age or a link
// that an opt-out had crossed restores nothing, and the person is asked again.
func (s Subject) void(ids []ident.EventID, f Fact, own lists.Own) Subject {
	hit := func(id ident.EventID) bool { return slices.Contains(ids, id) }
	s.said = lists.Altered(own, s.said, func(x **said) {
		if (*x).more().voided == 0 && hit((*x).ID) {
			*x = (*x).owned(own)
			(*x).alter(func(r *rest) { r.voided = f.Recorded })
		}
	})
	s.ages = lists.Altered(own, s.ages, func(a *aged) {
		if hit(a.ID) && a.voided == 0 {
			a.voided = f.Recorded
		}
	})
	s.guardians = lists.Altered(own, s.guardians, func(g *Guardianship) {
		if hit(g.Because) && g.Voided == 0 {
			g.Voided = f.Recorded
		}
	})
	s.links = link.Void(own, s.links, hit, f.Recorded)
	s.holds, s.limits = reopen(own, s.holds, hit), reopen(own, s.limits, hit)
	s.exemptions = lists.Dropped(own, s.exemptions, func(e exemption) bool { return hit(e.id) })
	s.notices = lists.Dropped(own, s.notices, func(n Fact) bool { return hit(n.ID) })
	s.tests = lists.Dropped(own, s.tests, hit)
	s.disputes = lists.Dropped(own, s.disputes, func(d dispute) bool { return hit(d.id) })
	s.permissions = lists.Dropped(own, s.permissions,
		func(p PermissionState) bool { return p.Change == Granted && hit(p.Because) })
	for i := len(s.readBy) - 1; i >= 0; i-- {
		if hit(s.readBy[i]) {
			s.read, s.readBy = lists.DropAt(own, s.read, i), lists.DropAt(own, s.readBy, i)
		}
	}
	return s
}

// reopen returns spans whose end was a mistake: they go on.
func reopen(own lists.Own, all []span, hit func(ident.EventID) bool) []span {
	return lists.Altered(own, all, func(s *span) {
		if s.endedBy != (ident.EventID{}) && hit(s.endedBy) {
			s.until, s.endedBy = 0, ident.EventID{}
		}
	})
}

// isDisputed reports whether somebody says that a fact of the history is wrong.
func (s *Subject) isDisputed(id ident.EventID) bool {
	return slices.ContainsFunc(s.disputes, func(d dispute) bool { return slices.Contains(d.records, id) })
}

func (s Subject) voidRecords(cmd VoidRecords) (Event, error) {
	if err := s.checkRecords(cmd.Records, cmd.Reason); err != nil {
		return nil, err
	}
	for _, k := range s.known {
		if k.lasting != 0 && slices.Contains(cmd.Records, k.id) {
			return nil, refusal.At(refusal.NotVoidable, "data.records", lastingTexts[k.lasting])
		}
	}
	if err := twoPersons(cmd.By); err != nil {
		return nil, err
	}
	return RecordVoided(cmd), evidenced(cmd.Evidence)
}

// checkRecords refuses to speak about records that are not of this person.
func (s Subject) checkRecords(ids []ident.EventID, reason string) error {
	if len(ids) == 0 {
		return refusal.At(refusal.NothingNamed, "data.records", "name the records")
	}
	if err := CheckReason(reason); err != nil {
		return err
	}
	for _, id := range ids {
		if s.Place(id) < 0 {
			return refusal.At(refusal.UnknownRecord, "data.records", "a record is not of this person")
		}
	}
	return nil
}

func twoPersons(by [2]string) error {
	if by[0] == "" || by[1] == "" || by[0] == by[1] {
		return refusal.At(refusal.TwoPersons, "data.by", "voiding takes two different persons")
	}
	return nil
}

// evidenced refuses a void that rests on nothing.
func evidenced(h content.Hash) error {
	if h == (content.Hash{}) {
		return refusal.At(refusal.Incomplete, "data.evidence",
			"voiding takes evidence: give the hash of the document that shows the mistake")
	}
	return nil
}

func (e BuildVoided) check() error {
	if err := checkSpan(e.Build, e.From, e.To); err != nil {
		return err
	}
	if err := CheckReason(e.Reason); err != nil {
		return err
	}
	if err := twoPersons(e.By); err != nil {
		return err
	}
	return evidenced(e.Evidence)
}

func (e BuildDisputed) check() error {
	if err := checkSpan(e.Build, e.From, e.To); err != nil {
		return err
	}
	return CheckReason(e.Reason)
}

func checkSpan(build string, from, to deadline.Instant) error {
	if build == "" || from == 0 || to <= from {
		return refusal.New(refusal.Incomplete, "name the build, and the span of time in which it recorded wrongly")
	}
	return nil
}

// VoidedAnswers returns how many answers of the history itself were mistakes,
// by what they were: each once, whether it was voided alone or with its build.
func (s Subject) VoidedAnswers(ref Reference) map[Status]int {
	var counts map[Status]int // most histories have no mistake
	for _, x := range s.said {
		if x.crossed || x.ended || !isVoided(x, &ref) {
			continue
		}
		if counts == nil {
			counts = map[Status]int{}
		}
		if x.no == 0 {
			counts[Given]++
		} else {
			counts[x.no]++
		}
	}
	return counts
}
