package parse

import (
	"maps"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/policy"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// noteKinds are the other facts about processing, by the domain's table, but
// for what the ledger says of itself.
func noteKinds() []kind {
	var list []kind
	for _, rule := range catalog.NoteRules {
		if rule.Own {
			continue
		}
		k := kind{name: string(rule.Kind), about: theApp, read: readNote, example: noteExample(rule)}
		if rule.Person {
			k.about = aPerson
			if rule.OptOut {
				k.lessens, k.optOut = true, []string{rule.Fields[0].Name}
			}
		}
		list = append(list, k)
	}
	return list
}

// readNote reads the data of a note: the members that its kind has, all of them
// strings, and evidence and details. Whether a string has the right form is
// the domain's to say.
func readNote(r *reader, data []byte) domain.Command {
	rule, _ := catalog.NoteRuleOf(catalog.Note(r.kind))
	n := domain.Noted{Kind: rule.Kind}
	var shape map[string]jsontext.Value
	if err := json.Unmarshal(data, &shape); err != nil {
		r.err = wrongShape(err, "data")
		return nil
	}

	fields := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(shape)) {
		known := slices.ContainsFunc(rule.Fields, func(f catalog.FieldRule) bool { return f.Name == name })
		switch {
		case known:
			fields[name] = r.text(name, shape[name])
		case name == "evidence":
			n.Evidence = r.hash(name, r.text(name, shape[name]))
		case name == "details" && rule.Person:
			n.Details = r.details(shape[name])
		default:
			r.unknown(name, fieldNames(rule.Fields))
		}
	}

	n.Fields = policy.Fields(fields)
	return domain.Say{Event: n}
}

// fieldNames returns the names of the members that data of a note or a step may have.
func fieldNames(fields []catalog.FieldRule) []string {
	list := []string{"evidence", "details"}
	for _, f := range fields {
		list = append(list, f.Name)
	}
	return list
}

// unknown refuses a member that is not among those that are known.
func (r *reader) unknown(member string, known []string) {
	if meant := spelled(member, known); meant != "" {
		r.fail(shown(member), "is no member that is known here: it is spelled %s", meant)
		return
	}
	r.fail(shown(member), "is no member that is known here")
}

// text reads a member that is a string.
func (r *reader) text(member string, v jsontext.Value) string {
	var s string
	if err := json.Unmarshal(v, &s); err != nil || v.Kind() != '"' {
		r.fail(member, "must be a string")
	}
	return s
}

// sample is an example of what stands in a member, where its form says little.
var sample = map[string]string{
	"recipient": "map-provider", "categories": "network status", "purposes": "network-diagnosis",
	"change": "gets network status too",
	"reason": "contract ended", "processor": "cloud-host", "ground": "DIS-2",
	"what": "the names of winners of a lottery", "successor": "new-handler",
	"contact": "privacy@new-handler.example", "mechanism": "standard-contract", "country": "Singapore",
	"assessment": "map-2026",
	"subject":    "sharing network status with a provider of maps", "where": "the website", "measure": "mea-1",
	"topic":  "privacy-basics",
	"office": "data-protection", "channel": "push", "clause": "xiii-2", "decision": "credit-limit",
	"winner":  "children-policy",
	"purpose": "personalisation", "limited_by": "trade-secret", "choice": "necessary-only", "approver": "minors-desk",
	"system": "warehouse",
	"method": "erased", "category": "cookies", "scope": "all that SmartKey processes",
	"how": "a message in the app, one by one",
}

func noteExample(rule catalog.NoteRule) string {
	var members []string
	for _, f := range rule.Fields {
		members = append(members, `"`+f.Name+`": "`+fieldExample(f)+`"`)
	}
	if rule.Person {
		members = append(members, `"details": {"ticket": "ticket-17"}`)
	}
	return strings.Join(members, ", ")
}

// fieldExample returns what a field may say.
func fieldExample(f catalog.FieldRule) string {
	value := sample[f.Name]
	switch f.Form {
	case catalog.FormHash:
		return sampleText
	case catalog.FormDate:
		return "{today}"
	case catalog.FormTime:
		return "{now}"
	case catalog.FormNumber:
		return "12"
	case catalog.FormYes:
		return "yes"
	case catalog.FormAmount:
		return "12.50 CNY"
	case catalog.FormCode:
		return value
	case catalog.FormCodes:
		if f.Name == "elements" {
			return "IDE-3,IDE-4"
		}
		return "REJ-1,REJ-D2"
	case catalog.FormPrincipal:
		return "operator:ann"
	case catalog.FormChoice:
		return f.Choices[0]
	case catalog.FormReason:
		return "identity_verification"
	case catalog.FormRecord:
		return "01234567-89ab-cdef-0123-456789abcdef"
	case catalog.FormName:
		if !IsName(value, 64) {
			return "front-desk"
		}
	case catalog.FormNames:
		if value == "" || strings.Contains(value, " ") {
			return "sms-code"
		}
	case catalog.FormText:
		if value == "" {
			return "what the record says"
		}
	}
	return value
}
