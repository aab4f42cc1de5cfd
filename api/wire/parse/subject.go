package parse

import (
	"consentledger/domain"

	"github.com/go-json-experiment/json"
)

var subjectKinds = []kind{
	{name: "age.recorded", lessens: true, read: as(ageRecorded), example: `"band": "15-17", "basis": "declared", "birth_date": "2009-06-30"`},
	{name: "guardian.verified", read: as(guardianVerified), example: `"guardian": "account:parent-1", "proof": {"document": "` + sampleText + `", "method": "in-person", "checked_by": "operator:ann"}, "identity": "the mother"`},
	{name: "guardian.ended", lessens: true, read: as(guardianEnded), example: `"guardian": "account:parent-1", "reason": "court-order"`},
	{name: "subject.linked", lessens: true, fans: true, read: as(subjectLinked), example: `"other": "device:tablet-1", "proof": "login"`},
	{name: "subject.unlinked", fans: true, read: as(subjectUnlinked), example: `"other": "device:tablet-1", "reason": "logout"`},
	{name: "subject.reassigned", lessens: true, fans: true, read: reasoned(func(s string) domain.Event { return domain.SubjectReassigned{Reason: s} }), example: `"reason": "number-reassigned"`},
	{name: "subject.closed", lessens: true, fans: true, read: reasoned(func(s string) domain.Event { return domain.SubjectClosed{Reason: s} }), example: `"reason": "account-deleted"`},
	{name: "subject.test", alias: "subject.marked_test", fans: true, read: reasoned(func(s string) domain.Event { return domain.SubjectMarkedTest{Reason: s} }), example: `"reason": "load-test"`},
}

// The data of what is found out about a person. Guardian and other name a
// person as the outside does; the ledger puts its own name in their place.
type (
	AgeRecorded struct {
		Band      string `json:"band"`
		Basis     string `json:"basis"`
		BirthDate string `json:"birth_date"`
	}
	GuardianVerified struct {
		Guardian string `json:"guardian"`
		Proof    *Proof `json:"proof"`
		Identity string `json:"identity"`
	}
	GuardianEnded struct {
		Guardian string `json:"guardian"`
		Reason   string `json:"reason"`
	}
	SubjectLinked struct {
		Other    string `json:"other"`
		Proof    string `json:"proof"`
		Evidence string `json:"evidence"`
	}
	SubjectUnlinked struct {
		Other  string `json:"other"`
		Reason string `json:"reason"`
	}
	ReasonOnly struct {
		Reason string `json:"reason"`
	}
)

func ageRecorded(r *reader, c AgeRecorded) domain.Command {
	r.need("band", c.Band != "")
	r.need("basis", c.Basis != "")
	return domain.Say{Event: domain.AgeRecorded{
		Band: parseAs(r, "band", c.Band, domain.ParseAgeBand), Basis: r.name("basis", c.Basis, 64),
		BirthDate: r.date("birth_date", c.BirthDate),
	}}
}

func guardianVerified(r *reader, c GuardianVerified) domain.Command {
	r.person("guardian", c.Guardian)
	r.need("proof", c.Proof != nil)
	return domain.Say{Event: domain.GuardianVerified{Proof: readProof(r, c.Proof),
		Identity: r.sealed("identity", c.Identity)}}
}

func guardianEnded(r *reader, c GuardianEnded) domain.Command {
	r.person("guardian", c.Guardian)
	return domain.Say{Event: domain.GuardianEnded{Reason: r.reason(c.Reason)}}
}

func subjectLinked(r *reader, c SubjectLinked) domain.Command {
	r.person("other", c.Other)
	r.need("proof", c.Proof != "")
	return domain.Say{Event: domain.SubjectLinked{Proof: r.name("proof", c.Proof, 64),
		Evidence: r.hash("evidence", c.Evidence)}}
}

func subjectUnlinked(r *reader, c SubjectUnlinked) domain.Command {
	r.person("other", c.Other)
	return domain.Say{Event: domain.SubjectUnlinked{Reason: r.reason(c.Reason)}}
}

// reasoned reads an event that has a reason, by a code, and nothing else.
func reasoned(event func(reason string) domain.Event) func(*reader, []byte) domain.Command {
	return func(r *reader, data []byte) domain.Command {
		if asked[ReasonOnly](r) {
			return nil
		}
		var shape ReasonOnly
		if err := json.Unmarshal(data, &shape, json.RejectUnknownMembers(true)); err != nil {
			r.err = wrongShape(err, "data")
			return nil
		}
		return domain.Say{Event: event(r.reason(shape.Reason))}
	}
}
