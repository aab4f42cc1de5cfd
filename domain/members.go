package domain

import (
	"strings"

	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/policy"
)

// Members returns what a duty's When may ask of a fact: the fields of notes and
// steps, and a few members of other facts that may open duties.
func Members(e Event) []policy.Field {
	switch x := e.(type) {
	case Noted:
		return x.Fields
	case Stepped:
		return x.Fields
	case ConsentWithdrawn:
		return members("all", yesNo(x.Scope.All), "purposes", joined(x.Scope.Purposes))
	case PermissionRevoked:
		return members("permission", string(x.Permission), "purposes", joined(x.Withdraws))
	case PolicyPublished:
		return members("material", strings.Join(x.Material, ","), "policy", x.Document.Name, "rights_reduced",
			yesNo(x.RightsReduced))
	case SubjectClosed:
		return members("reason", x.Reason)
	case ErasureOrdered:
		return members("reason", x.Reason)
	case SubjectReassigned:
		return members("reason", x.Reason)
	case ServiceCeased:
		return members("reason", x.Reason)
	case RestrictionApplied:
		return members("reason", x.Reason)
	case HoldReleased:
		return members("reason", x.Reason)
	case GuardianEnded:
		return members("reason", x.Reason)
	case ConsentRefused:
		return members("all", yesNo(x.Scope.All), "purposes", joined(x.Scope.Purposes))
	case RecordVoided:
		return members("reason", x.Reason)
	case BuildVoided:
		return members("build", x.Build, "reason", x.Reason)
	case MinorDataFound:
		return members("band", x.Band.String())
	case AgeRecorded:
		return members("band", x.Band.String(), "basis", x.Basis)
	case ExemptionInvoked:
		return members("code", x.Code, "doubtful", yesNo(x.Doubtful), "list", x.List.String())
	}
	return nil
}

// members pairs names with values.
func members(pairs ...string) []policy.Field {
	var fields []policy.Field
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, policy.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return fields
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func joined(ids []policy.PurposeID) string {
	var names []string
	for _, id := range ids {
		names = append(names, string(id))
	}
	return strings.Join(names, ",")
}

// ScopeOf returns which purposes a fact is about: all, unless it says which.
func ScopeOf(e Event) policy.Scope {
	switch x := e.(type) {
	case ConsentWithdrawn:
		return x.Scope
	case PermissionRevoked:
		return policy.Scope{Purposes: x.Withdraws}
	case Noted:
		if id := policy.FieldOf(x.Fields, "purpose"); id != "" {
			return policy.Scope{Purposes: []policy.PurposeID{policy.PurposeID(id)}}
		}
	}
	return policy.Scope{All: true}
}

// saidOf returns which purposes an opt-out was said of, also if it ended the consent to
// fewer: what stays is told of all of them. Of any other fact it returns those.
func saidOf(e Event, ended policy.Scope) policy.Scope {
	switch x := e.(type) {
	case ConsentRefused:
		return x.Scope
	case ConsentWithdrawn, PermissionRevoked, ErasureOrdered:
		return ScopeOf(x)
	}
	return ended
}

// EvidenceOf returns the document that a fact rests on.
func EvidenceOf(e Event) content.Hash {
	switch x := e.(type) {
	case Noted:
		return x.Evidence
	case Stepped:
		return x.Evidence
	}
	return content.Hash{}
}

// IsOf reports whether a fact with these members is about whom an obligation is
// owed by. What names neither a system nor a recipient nor a processor is about all
// of them.
func IsOf(target string, fields []policy.Field) bool {
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

// Contradicts reports whether a note is about another thing than the note that an
// obligation follows from, which had the members about: another audit, another
// recipient. The first member of a note says what it is about.
func (n Noted) Contradicts(about []policy.Field) bool {
	rule, known := catalog.NoteRuleOf(n.Kind)
	if !known {
		return false
	}
	name := rule.Fields[0].Name
	was := policy.FieldOf(about, name)
	return was != "" && was != policy.FieldOf(n.Fields, name)
}
