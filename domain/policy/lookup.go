package policy

import (
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/internal/form"
)

// QuietPeriod is how long after a refusal nobody asks again, where the policy
// does not say. The law says "not frequently" (Order 790, art. 22) and gives no
// number; two days is what app stores' reviews in the PRC go by.
const QuietPeriod = 48 * deadline.Hour

// TextIn returns the document's text in a locale, or else its first.
func (d *Document) TextIn(locale string) Text {
	for _, t := range d.Texts {
		if form.SameLocale(t.Locale, locale) {
			return t
		}
	}

	if len(d.Texts) > 0 {
		return d.Texts[0]
	}
	return Text{}
}

// Quiet returns for how long after a refusal nobody asks again.
func (d *Document) Quiet() deadline.Span {
	if d.QuietHours > 0 {
		return deadline.Span(d.QuietHours) * deadline.Hour
	}
	return QuietPeriod
}

// RulesOf returns the rules of those ids that the document has.
func (d *Document) RulesOf(ids []deadline.RuleID) []deadline.Rule {
	var rules []deadline.Rule
	for _, id := range ids {
		if r, ok := d.DeadlineRule(id); ok {
			rules = append(rules, r)
		}
	}
	return rules
}

// DeadlinesBy returns the rules that a request opens by the channel alone by
// which it came: a letter is a contact, whatever it asks for. Rights name a
// channel by its id or its kind.
func (d *Document) DeadlinesBy(channel ChannelID) []deadline.Rule {
	kind := ""
	for _, c := range d.Channels {
		if c.ID == channel {
			kind = c.Kind.String()
		}
	}

	var rules []deadline.Rule
	for _, right := range d.Rights {
		if slices.Contains(right.Channels, string(channel)) || kind != "" && slices.Contains(right.Channels, kind) {
			rules = append(rules, d.DeadlinesOf(right.ID)...)
		}
	}
	return rules
}

// DeadlinesOf returns the rules by which a right is answered.
func (d *Document) DeadlinesOf(id RightID) []deadline.Rule {
	var rules []deadline.Rule
	for _, right := range d.Rights {
		if right.ID != id {
			continue
		}

		for _, id := range right.Deadlines {
			if r, ok := d.DeadlineRule(id); ok {
				rules = append(rules, r)
			}
		}
	}
	return rules
}

// DeadlineRule returns the rule with that id, and whether there is one.
func (d *Document) DeadlineRule(id deadline.RuleID) (deadline.Rule, bool) {
	for _, r := range d.DeadlineRules {
		if r.ID == id {
			return r, true
		}
	}
	return deadline.Rule{}, false
}

// ActIDs returns the ids of the acts that d names, as a refusal lists them.
func (d *Document) ActIDs() (ids []string) {
	for _, a := range d.Acts {
		ids = append(ids, string(a.ID))
	}
	return ids
}

// PurposeIDs returns the ids of the purposes that d declares, as a refusal lists them.
func (d *Document) PurposeIDs() (ids []string) {
	for _, p := range d.Purposes {
		ids = append(ids, string(p.ID))
	}
	return ids
}
