package catalog

import (
	"slices"
	"strings"

	"consentledger/domain/amount"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
)

// A Form says how a field is written.
type Form uint8

const (
	FormName      Form = iota + 1 // 1 to 64 of a-z, 0-9 and "-"
	FormText                      // public text, up to 500 bytes
	FormDate                      // 2006-01-02
	FormHash                      // sha256:...
	FormNumber                    // digits
	FormYes                       // "yes" or "no"
	FormRecord                    // the id of a record
	FormAmount                    // 12.50 CNY
	FormTime                      // RFC 3339
	FormCodes                     // codes of grounds, with commas
	FormNames                     // names, with commas
	FormChoice                    // one of the rule's choices
	FormReason                    // a reason of a rule to pause: a name that may hold "_"
	FormCode                      // code of a ground
	FormPrincipal                 // who did something, see ident.ParsePrincipal
)

// A FieldRule says what a field of a kind is.
type FieldRule struct {
	Name     string
	Form     Form
	Required bool
	Choices  []string // of FormChoice
}

// A Problem is what is wrong with a field. Missing: it is not there.
type Problem struct {
	Missing bool
	Path    string // of the member, as in data.reason
	Text    string
}

// Check returns what is wrong with the fields of a kind by its rules, and whether
// something is.
func Check(kind string, rules []FieldRule, fields []policy.Field) (Problem, bool) {
	for _, f := range fields {
		i := slices.IndexFunc(rules, func(rule FieldRule) bool { return rule.Name == f.Name })
		if i < 0 {
			return Problem{Path: "data", Text: "there is no such member in " + kind}, true
		}
		if !rules[i].fits(f.Value) {
			return Problem{Path: "data." + f.Name, Text: "must be " + rules[i].String()}, true
		}
	}

	for _, rule := range rules {
		has := slices.ContainsFunc(fields, func(f policy.Field) bool { return f.Name == rule.Name })
		if rule.Required && !has {
			return Problem{true, "data." + rule.Name, "is missing: give " + rule.String()}, true
		}
	}
	return Problem{}, false
}

// String says how the field is written.
func (r FieldRule) String() string {
	switch {
	case r.Form == FormChoice:
		return "one of " + strings.Join(r.Choices, ", ")
	case r.Form == FormCodes && r.Name == "elements":
		return `codes of the policy's identity_elements with commas between them, as in "IDE-1,IDE-2"`
	}
	return r.Form.String()
}

func (r FieldRule) fits(s string) bool {
	if r.Form == FormChoice {
		return slices.Contains(r.Choices, s)
	}
	return r.Form.fits(s)
}

var formNames = [...]string{"", `a name of 1 to 64 of a-z, 0-9 and "-"`, "a public text of 1 to 500 bytes",
	"a date as in 2026-03-02",
	"a hash: sha256: and 64 hex digits", "a number of 1 to 15 digits", `"yes" or "no"`, "the id of a record",
	`an amount as in "12.50 CNY"`, "a time as in 2026-03-02T09:30:00Z",
	`codes of the policy's grounds with commas between them, as in "REJ-1,REJ-D2"`,
	"names with commas between them", "", "a reason of 1 to 64 of a-z, 0-9, _ and -",
	`the code of a ground, as in "DIS-2"`,
	"a principal as in operator:ann, and no e-mail address or phone number"}

func (f Form) String() string { return formNames[f] }

func (f Form) fits(s string) bool {
	switch f {
	case FormName:
		return form.IsName(s, 64)
	case FormText:
		return s != "" && len(s) <= 500
	case FormDate:
		_, err := deadline.ParseInstant(s + "T00:00:00Z")
		return err == nil && len(s) == len("2006-01-02")
	case FormHash:
		_, err := content.ParseNamedHash(s)
		return err == nil
	case FormNumber:
		return s != "" && len(s) <= 15 && form.DigitsOnly(s)
	case FormYes:
		return s == "yes" || s == "no"
	case FormRecord:
		return form.IsName(s, 64)
	case FormAmount:
		_, err := amount.Parse(s)
		return err == nil
	case FormTime:
		_, err := deadline.ParseInstant(s)
		return err == nil
	case FormCode:
		return form.IsName(strings.ToLower(s), 64)
	case FormCodes:
		return each(s, func(code string) bool { return form.IsName(strings.ToLower(code), 64) })
	case FormNames:
		return each(s, func(name string) bool { return form.IsName(name, 64) })
	case FormReason:
		return form.IsName(strings.ReplaceAll(s, "_", "-"), 64)
	case FormPrincipal:
		_, err := form.ParsePrincipal(s)
		return err == nil
	}
	return false
}

// each reports whether every part of a list with commas is as it should be.
func each(list string, ok func(string) bool) bool {
	for part := range strings.SplitSeq(list, ",") {
		if !ok(part) {
			return false
		}
	}
	return true
}

// formCodes name the forms of fields for programs, in the order of the constants.
var formCodes = [...]string{"", "name", "text", "date", "hash", "number", "yes-or-no", "record", "amount", "time",
	"codes", "names", "choice", "reason", "code", "principal"}

// Code returns the form's name for programs, as in "yes-or-no".
func (f Form) Code() string { return formCodes[f] }

// The fields of a kind, by how they are written. Each is required unless it is optional.
func name(of string) FieldRule      { return field(FormName, of) }
func text(of string) FieldRule      { return field(FormText, of) }
func date(of string) FieldRule      { return field(FormDate, of) }
func hash(of string) FieldRule      { return field(FormHash, of) }
func number(of string) FieldRule    { return field(FormNumber, of) }
func yes(of string) FieldRule       { return field(FormYes, of) }
func sum(of string) FieldRule       { return field(FormAmount, of) }
func moment(of string) FieldRule    { return field(FormTime, of) }
func code(of string) FieldRule      { return field(FormCode, of) }
func codes(of string) FieldRule     { return field(FormCodes, of) }
func names(of string) FieldRule     { return field(FormNames, of) }
func reason(of string) FieldRule    { return field(FormReason, of) }
func principal(of string) FieldRule { return field(FormPrincipal, of) }

func field(form Form, name string) FieldRule {
	return FieldRule{Name: name, Form: form, Required: true}
}

func choice(name string, choices ...string) FieldRule {
	return FieldRule{Name: name, Form: FormChoice, Required: true, Choices: choices}
}

func optional(r FieldRule) FieldRule { r.Required = false; return r }
