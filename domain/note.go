package domain

import (
	"slices"
	"strings"

	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// Noted records another fact about processing: plain, with the fields that its
// kind has. Nothing is decided by it.
type Noted struct {
	Kind     catalog.Note
	Fields   []policy.Field // sorted by name
	Evidence content.Hash
	Details  Personal // about a person only
}

func (Noted) isEvent() {}

// Field returns the value of the field of that name; empty if there is none.
func (n Noted) Field(name string) string { return policy.FieldOf(n.Fields, name) }

// check refuses a note that is not as its rule says.
func (n Noted) check(person bool) error {
	r, ok := catalog.NoteRuleOf(n.Kind)
	switch {
	case !ok:
		return refusal.At(refusal.Incomplete, "type", "there is no such kind of fact; see consentledger schema list")
	case r.Person != person:
		return refusal.New(refusal.WrongStream, map[bool]string{true: "this is about a person: name one",
			false: "this is about the app: name no person"}[r.Person])
	}
	return catalog.CheckFields(string(n.Kind), r.Fields, n.Fields)
}

// ErrOwnNote refuses what the ledger says of itself when somebody else says it.
var ErrOwnNote = refusal.At(refusal.NotForApps, "type",
	"type: this is what the ledger says of itself: neither apps nor operators send it")

// note answers Noted about the app. Whether a ground to disclose is doubtful in
// law is what the policy says of it, whatever the sender does.
func (ref Reference) note(n Noted, at deadline.Instant) (Event, error) {
	if r, _ := catalog.NoteRuleOf(n.Kind); r.Own && (ref.By.App || ref.By.Principal != ident.Ledger) {
		return nil, ErrOwnNote
	}
	if err := n.check(false); err != nil || n.Kind != catalog.DisclosureMade {
		return n, err
	}

	code, known := policy.FieldOf(n.Fields, "ground"), []string{}
	for _, v := range ref.Policies.AllInForce(at) {
		for _, g := range v.Document.Disclosures {
			if g.Code == code {
				n.Fields = slices.DeleteFunc(slices.Clone(n.Fields),
					func(f policy.Field) bool { return f.Name == "doubtful" })
				n.Fields = append(n.Fields, policy.Field{Name: "doubtful",
					Value: map[bool]string{true: "yes", false: "no"}[g.Doubtful]})
				slices.SortFunc(n.Fields, func(a, b policy.Field) int { return strings.Compare(a.Name, b.Name) })
				return n, nil
			}
			known = append(known, g.Code)
		}
	}

	return nil, refusal.At(refusal.UnknownGround, "data.ground",
		"the policy in force names no such ground to disclose; it names: "+strings.Join(known, ", "))
}
