package codec

import (
	"fmt"

	"consentledger/domain"
)

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

func shapeOfPerson(e domain.Event) (string, any, []Plain) {
	switch e := e.(type) {
	case domain.AgeRecorded:
		return "age.recorded.v1", ageRecordedV1{e.Band.String(), e.Basis}, personal("birth-date", e.BirthDate)
	case domain.MinorDataFound:
		return "minor.found.v1", minorFoundV1{e.Band.String()}, nil
	case domain.GuardianVerified:
		plains := personal("identity", e.Identity)
		for i := range plains {
			plains[i].Ref = string(e.Guardian)
		}
		return "guardian.verified.v1", guardianVerifiedV1{string(e.Guardian), proofShape(e.Proof)}, plains
	case domain.GuardianEnded:
		return "guardian.ended.v1", guardianEndedV1{string(e.Guardian), e.Reason}, nil
	case domain.SubjectLinked:
		return "subject.linked.v1", subjectLinkedV1{hash(e.Evidence), e.Other, e.Proof}, nil
	case domain.SubjectUnlinked:
		return "subject.unlinked.v1", subjectUnlinkedV1(e), nil
	case domain.SubjectReassigned:
		return "subject.reassigned.v1", subjectReassignedV1(e), nil
	case domain.SubjectClosed:
		return "subject.closed.v1", subjectClosedV1(e), nil
	case domain.SubjectMarkedTest:
		return "subject.test.v1", subjectTestV1(e), nil
	}
	panic(fmt.Sprintf("codec: event %T has no case in shapeOfPerson", e))
}

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
