package domain

import (
	"slices"

	"consentledger/domain/content"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
	"consentledger/domain/surface"
)

// A Shortfall says why a grant does not count.
type Shortfall string

const (
	ActGivesNone   Shortfall = "act-gives-no-consent"
	TickedBefore   Shortfall = "ticked-before"
	NeedsSeparate  Shortfall = "separate-consent-missing"
	NeedsControl   Shortfall = "not-on-this-control"
	NeedsAct       Shortfall = "not-by-this-act"
	NeedsExplicit  Shortfall = "explicit-consent-missing"
	NeedsDocument  Shortfall = "document-missing"
	NeedsGuardian  Shortfall = "guardian-consent-missing"
	GuardianLapsed Shortfall = "guardian-consent-lapsed"
	NoBindingText  Shortfall = "no-authoritative-text"
	NoVersionThen  Shortfall = "no-version-then"
)

// A CountRule is a row of the table of what is consent and what is not. The
// first row that holds says why a grant does not count.
type CountRule struct {
	Short  Shortfall
	Says   string
	Source string
	short  func(y *grant, p policy.Purpose) bool
}

// CountRules is the table. What falls short is recorded with its reason and
// does not count; nothing is dropped.
var CountRules = []CountRule{
	{ActGivesNone, "use of the service, a permission of the operating system and a machine's signal never give consent",
		"PIPL 14; policy Introduction, I(5)",
		func(y *grant, p policy.Purpose) bool {
			return y.act.Counts == policy.NoConsent || y.ref.Policies.IsSignal(y.act.ID)
		}},
	{TickedBefore, "a box that was ticked before is no act of the person",
		"PIPL 14; GB/T 35273-2020 5.4",
		func(y *grant, p policy.Purpose) bool { return y.initial == surface.Ticked }},
	{NeedsGuardian, "a child under 14 cannot consent alone",
		"PIPL 31",
		func(y *grant, p policy.Purpose) bool {
			return y.band == ChildUnder14 && y.kind != policy.GuardianConsent
		}},
	{GuardianLapsed, "from 14 on a person consents for themselves",
		"PIPL 31, policy VIII",
		func(y *grant, p policy.Purpose) bool {
			return y.kind == policy.GuardianConsent && y.band > ChildUnder14
		}},
	{NeedsSeparate, `a general "Agree" never covers a separate consent, which is one item with a control of its own`,
		"PIPL 23, 25, 26, 29, 39; Order 790 art. 62(7)",
		func(y *grant, p policy.Purpose) bool { return p.Separate && !y.separate(p.ID) }},
	{NeedsDocument, "a written or a guardian's consent needs its document, how it was checked and by whom",
		"PIPL 29, 31; policy VIII(2)",
		func(y *grant, p policy.Purpose) bool {
			return (y.kind == policy.WrittenConsent || y.kind == policy.GuardianConsent) && !y.cmd.Proof.whole()
		}},
	{NeedsControl, "a yes covers the purposes on the control that was used",
		"PIPL 14 (fully informed)",
		func(y *grant, p policy.Purpose) bool { return y.control != nil && !y.control.Offers(p.ID) }},
	{NeedsAct, "a yes covers the purposes that its act stands for, if the policy says which",
		"PIPL 14, 17; GDPR 4(11) (specific)",
		func(y *grant, p policy.Purpose) bool {
			said := y.control != nil && len(y.control.Purposes) > 0
			return !said && len(y.act.Purposes) > 0 && !slices.Contains(y.act.Purposes, p.ID)
		}},
	{NeedsExplicit, "what a material change added needs an explicit consent",
		"PIPL 14; policy II(2), III(III), XI(II)",
		func(y *grant, p policy.Purpose) bool { return y.kind == policy.GeneralConsent && y.stale(p.ID) }},
	{NoBindingText, "outside tests nobody consents to a text that does not bind",
		"PIPL 14, 17",
		func(y *grant, p policy.Purpose) bool {
			return y.ref.Service.App.Environment == Production && !y.cmd.Import && !y.bindingIn(y.cmd.Locale)
		}},
	{NoVersionThen, "it was said before the policy had a version here, and it does not name the version that was shown",
		"PIPL 14, 17",
		func(y *grant, p policy.Purpose) bool { return y.guessed }},
}

// shortfall returns why y does not count for p; empty: it counts.
func (y *grant) shortfall(p policy.Purpose) Shortfall {
	for _, r := range CountRules {
		if r.short(y, p) {
			return r.Short
		}
	}
	return ""
}

// separate reports whether y is a separate consent for a purpose: one item, by
// an act that is more than a general one, on a control of a published surface
// that has nothing else. Where no control is known it takes an act that the
// policy declares as separate for exactly that purpose, or a document: a written
// consent's or a guardian's.
func (y *grant) separate(p policy.PurposeID) bool {
	switch {
	case y.act.Counts == policy.GeneralConsent || y.kind == policy.GeneralConsent || y.named != 1:
		return false
	case y.control != nil:
		return len(y.control.Purposes) == 1 && y.control.Purposes[0] == p
	case y.kind == policy.WrittenConsent || y.kind == policy.GuardianConsent:
		return y.cmd.Proof.whole()
	}
	return y.kind == policy.SeparateConsent && len(y.act.Purposes) == 1 && y.act.Purposes[0] == p
}

// whole reports whether a proof names its document, how it was checked and by
// whom.
func (p Proof) whole() bool {
	return p.Document != (content.Hash{}) && p.Method != "" && p.CheckedBy != ""
}

// bindingIn reports whether the version has an authoritative text in a locale.
func (y *grant) bindingIn(locale string) bool {
	for _, t := range y.version.Document.Texts {
		if t.Force == policy.Authoritative && form.SameLocale(t.Locale, locale) {
			return true
		}
	}
	return false
}
