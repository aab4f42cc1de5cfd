package react

import (
	"strings"

	"consentledger/domain"
	"consentledger/eventstore/codec"
)

// membersOf returns what a duty's When may ask of a fact: the fields of notes
// and steps, and a few members of other facts that may open duties.
func membersOf(e domain.Event) []domain.Field {
	switch x := e.(type) {
	case domain.Noted:
		return x.Fields
	case domain.Stepped:
		return x.Fields
	case domain.ConsentWithdrawn:
		return members("all", yesNo(x.Scope.All), "purposes", joined(x.Scope.Purposes))
	case domain.PermissionRevoked:
		return members("permission", string(x.Permission), "purposes", joined(x.Withdraws))
	case domain.PolicyPublished:
		return members("material", strings.Join(x.Material, ","), "policy", x.Document.Name, "rights_reduced", yesNo(x.RightsReduced))
	case domain.SubjectClosed:
		return members("reason", x.Reason)
	case domain.ErasureOrdered:
		return members("reason", x.Reason)
	case domain.SubjectReassigned:
		return members("reason", x.Reason)
	case domain.ServiceCeased:
		return members("reason", x.Reason)
	case domain.RestrictionApplied:
		return members("reason", x.Reason)
	case domain.HoldReleased:
		return members("reason", x.Reason)
	case domain.GuardianEnded:
		return members("reason", x.Reason)
	case domain.ConsentRefused:
		return members("all", yesNo(x.Scope.All), "purposes", joined(x.Scope.Purposes))
	case domain.RecordVoided:
		return members("reason", x.Reason)
	case domain.BuildVoided:
		return members("build", x.Build, "reason", x.Reason)
	case domain.MinorDataFound:
		return members("band", x.Band.String())
	case domain.AgeRecorded:
		return members("band", x.Band.String(), "basis", x.Basis)
	case domain.ExemptionInvoked:
		return members("code", x.Code, "doubtful", yesNo(x.Doubtful), "list", x.List.String())
	}
	return nil
}

// members pairs names with values.
func members(pairs ...string) []domain.Field {
	var fields []domain.Field
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, domain.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return fields
}

func member(fields []domain.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func joined(ids []domain.PurposeID) string {
	var names []string
	for _, id := range ids {
		names = append(names, string(id))
	}
	return strings.Join(names, ",")
}

// scopeOf returns which purposes a fact is about: all, unless it says which.
func scopeOf(e domain.Event) domain.Scope {
	switch x := e.(type) {
	case domain.ConsentWithdrawn:
		return x.Scope
	case domain.PermissionRevoked:
		return domain.Scope{Purposes: x.Withdraws}
	case domain.Noted:
		if id := member(x.Fields, "purpose"); id != "" {
			return domain.Scope{Purposes: []domain.PurposeID{domain.PurposeID(id)}}
		}
	}
	return domain.Scope{All: true}
}

// saidOf returns which purposes an opt-out was said of, also if it ended the consent to
// fewer: what stays is told of all of them. Of any other fact it returns those.
func saidOf(e domain.Event, ended domain.Scope) domain.Scope {
	switch x := e.(type) {
	case domain.ConsentRefused:
		return x.Scope
	case domain.ConsentWithdrawn, domain.PermissionRevoked, domain.ErasureOrdered:
		return scopeOf(x)
	}
	return ended
}

// evidenceOf returns the document that a fact rests on.
func evidenceOf(e domain.Event) domain.Hash {
	switch x := e.(type) {
	case domain.Noted:
		return x.Evidence
	case domain.Stepped:
		return x.Evidence
	}
	return domain.Hash{}
}

// fits reports whether a fact is about whom an obligation is owed by. What
// names neither a system nor a recipient nor a processor is about all of them.
func fits(fields []domain.Field, target string) bool {
	names := 0
	for _, f := range fields {
		if f.Name == "system" || f.Name == "recipient" || f.Name == "processor" {
			if f.Value == target {
				return true
			}
			names++
		}
	}
	return target == "" || names == 0
}

// contradicts reports whether a note is about another thing than the note that
// an obligation follows from: another audit, another recipient. The first
// member of a note says what it is about.
func contradicts(e domain.Event, about []domain.Field) bool {
	n, ok := e.(domain.Noted)
	rule, known := domain.NoteRuleOf(n.Kind)
	if !ok || !known {
		return false
	}
	name := rule.Fields[0].Name
	was := member(about, name)
	return was != "" && was != member(n.Fields, name)
}

// causeOf names a fact that something follows from.
func causeOf(e codec.Entry) domain.Cause {
	c := domain.Cause{Event: domain.EventID(e.ID), Kind: e.Kind(), Stream: e.Stream.String()}
	switch x := e.Event.(type) {
	case domain.RequestReceived:
		c.Subject = x.Subject
	default:
		if e.Stream.Noun == domain.SubjectNoun {
			c.Subject = e.Stream.ID
		}
	}
	return c
}
