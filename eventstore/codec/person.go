package codec

import "consentledger/domain"

// personShapes are of what is found out about a person.
var personShapes = []shape{
	split[ageRecordedV1]("age.recorded.v1", func(e domain.AgeRecorded) (any, []Plain) {
		return ageRecordedV1{Band: e.Band.String(), Basis: e.Basis}, personal("birth-date", e.BirthDate)
	}),
	written[minorFoundV1]("minor.found.v1", func(e domain.MinorDataFound) any {
		return minorFoundV1{
			Band: e.Band.String(),
		}
	}),
	split[guardianVerifiedV1]("guardian.verified.v1", func(e domain.GuardianVerified) (any, []Plain) {
		plains := personal("identity", e.Identity)
		for i := range plains {
			plains[i].Ref = string(e.Guardian)
		}
		return guardianVerifiedV1{Guardian: string(e.Guardian), Proof: proofShape(e.Proof)}, plains
	}),
	written[guardianEndedV1]("guardian.ended.v1",
		func(e domain.GuardianEnded) any {
			return guardianEndedV1{Guardian: string(e.Guardian), Reason: e.Reason}
		}),
	written[subjectLinkedV1]("subject.linked.v1",
		func(e domain.SubjectLinked) any {
			return subjectLinkedV1{
				Evidence: hash(e.Evidence),
				Other:    e.Other,
				Proof:    e.Proof,
			}
		}),
	written[subjectUnlinkedV1]("subject.unlinked.v1",
		func(e domain.SubjectUnlinked) any { return subjectUnlinkedV1(e) }),
	written[subjectReassignedV1]("subject.reassigned.v1",
		func(e domain.SubjectReassigned) any { return subjectReassignedV1(e) }),
	written[subjectClosedV1]("subject.closed.v1", func(e domain.SubjectClosed) any { return subjectClosedV1(e) }),
	written[subjectTestV1]("subject.test.v1", func(e domain.SubjectMarkedTest) any { return subjectTestV1(e) }),
	older[erasureOrderedV1]("erasure.ordered.v1"),
	written[erasureOrderedV2]("erasure.ordered.v2", func(e domain.ErasureOrdered) any {
		return erasureOrderedV2{
			By: e.By[:], Evidence: hash(e.Evidence), Proof: keptProofShape(e.Proof), Reason: e.Reason,
		}
	}),
	written[subjectErasedV1]("subject.erased.v1",
		func(e domain.SubjectErased) any { return subjectErasedV1{Order: eventID(e.Order)} }),
	written[proofDisclosedV1]("proof.disclosed.v1", func(e domain.ProofDisclosed) any {
		return proofDisclosedV1{By: e.By[:], Evidence: hash(e.Evidence), Reason: e.Reason, To: e.To}
	}),
	written[destructionOrderedV1]("destruction.ordered.v1", destructionShape),
	written[proofDestroyedV1]("proof.destroyed.v1",
		func(e domain.ProofDestroyed) any { return proofDestroyedV1{Order: eventID(e.Order)} }),
}

// The shapes of what is found out about a person.
type (
	ageRecordedV1 struct {
		Band  string `json:"band"`
		Basis string `json:"basis"`
	}
	minorFoundV1 struct {
		Band string `json:"band"`
	}
	guardianVerifiedV1 struct {
		Guardian string   `json:"guardian"`
		Proof    *proofV1 `json:"proof"`
	}
	guardianEndedV1 struct {
		Guardian string `json:"guardian"`
		Reason   string `json:"reason"`
	}
	subjectLinkedV1 struct {
		Evidence string `json:"evidence,omitzero"`
		Other    string `json:"other"`
		Proof    string `json:"proof"`
	}
	subjectUnlinkedV1 struct {
		Other  string `json:"other"`
		Reason string `json:"reason,omitzero"`
	}
	subjectReassignedV1 reasonV1
	subjectClosedV1     reasonV1
	subjectTestV1       reasonV1
)

func (s ageRecordedV1) event() (domain.Event, error) {
	var r reader
	return domain.AgeRecorded{Band: parse(&r, s.Band, domain.ParseAgeBand), Basis: s.Basis}, r.err
}

func (s minorFoundV1) event() (domain.Event, error) {
	var r reader
	return domain.MinorDataFound{Band: parse(&r, s.Band, domain.ParseAgeBand)}, r.err
}

func (s guardianVerifiedV1) event() (domain.Event, error) {
	var r reader
	return domain.GuardianVerified{Guardian: domain.GuardianRef(s.Guardian), Proof: s.Proof.proof(&r)}, r.err
}

func (s guardianEndedV1) event() (domain.Event, error) {
	return domain.GuardianEnded{Guardian: domain.GuardianRef(s.Guardian), Reason: s.Reason}, nil
}

func (s subjectLinkedV1) event() (domain.Event, error) {
	var r reader
	return domain.SubjectLinked{Other: s.Other, Proof: s.Proof, Evidence: r.hash(s.Evidence)}, r.err
}

func (s subjectUnlinkedV1) event() (domain.Event, error) { return domain.SubjectUnlinked(s), nil }

func (s subjectReassignedV1) event() (domain.Event, error) { return domain.SubjectReassigned(s), nil }

func (s subjectClosedV1) event() (domain.Event, error) { return domain.SubjectClosed(s), nil }

func (s subjectTestV1) event() (domain.Event, error) { return domain.SubjectMarkedTest(s), nil }
