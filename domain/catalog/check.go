package catalog

import (
	"fmt"
	"slices"

	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// CheckStep refuses a step that is not as its rule says.
func CheckStep(kind Step, fields []policy.Field, of Case) (StepRule, error) {
	r, ok := StepRuleOf(kind)
	if !ok || r.Of != of {
		return r, refusal.At(refusal.WrongStream, "type",
			"this is no step of "+article(of)+"; see consentledger schema list")
	}
	if err := CheckFields(string(kind), r.Fields, fields); err != nil {
		return r, err
	}
	return r, checkPublic(r, fields)
}

// Allow refuses a step that is not legal as things stand.
func Allow(m Marks, r StepRule) error {
	mark, refused := m.Refuse(r)
	if !refused {
		return nil
	}
	there := m.Has(mark)
	text := fmt.Sprintf("%s is not possible now: the %s %s", r.Kind, r.Of, mark.Says(there))
	if mark == Open && !there || mark == Closed && there {
		text += fmt.Sprintf("; if it happened before that, say when (time); if the %s goes on, record %s.reopened",
			r.Of, r.Of)
	}
	return refusal.New(refusal.IllegalMove, text)
}

// checkPublic refuses words that hold what looks personal: the fields of a step
// are kept in the clear, for ever.
func checkPublic(r StepRule, fields []policy.Field) error {
	for _, f := range fields {
		i := slices.IndexFunc(r.Fields, func(rule FieldRule) bool { return rule.Name == f.Name })
		switch form := r.Fields[i].Form; {
		case form != FormName && form != FormText && form != FormNames &&
			form != FormReason && form != FormCodes:
		case form == FormName && f.Name == "of": // an id of ours, which is random
		case ident.HoldsPersonal(f.Value):
			return refusal.At(refusal.Malformed, "data."+f.Name,
				"holds what looks like a phone number, an e-mail address or an identity-card number: this is kept in "+
					"the clear; leave it out, or seal it in details")
		}
	}
	return nil
}

func article(of Case) string {
	if of == Incident {
		return "an incident"
	}
	return "a " + string(of)
}

// CheckFields refuses fields that are not as the rules of their kind say.
func CheckFields(kind string, rules []FieldRule, fields []policy.Field) error {
	p, wrong := Check(kind, rules, fields)
	switch {
	case !wrong:
		return nil
	case p.Missing:
		return refusal.At(refusal.Incomplete, p.Path, p.Text)
	}
	return refusal.At(refusal.Malformed, p.Path, p.Text)
}
