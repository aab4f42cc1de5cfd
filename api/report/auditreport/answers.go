package auditreport

import (
	"consentledger/domain"
	"consentledger/domain/policy"
)

func (c *counting) given(x domain.ConsentGiven) {
	c.r.Consents.Given++
	if x.Import {
		c.r.Consents.Imported++
	}
	if x.Kind == policy.GuardianConsent {
		c.minors["guardian consent"]++
	}

	c.versions[hash(x.Version)]++
	c.acts[string(x.Act)]++
	c.surfaces[hash(x.Surface)]++
	c.locales[x.Locale]++
	quality := x.Evidence.Quality.String()
	if quality == "" {
		quality = "unrated"
	}

	c.evidence[quality]++
	for _, i := range x.Items {
		if i.Short == "" {
			c.asked(i.Purpose).Counted++
			continue
		}
		c.asked(i.Purpose).Short++
		c.short[string(i.Short)]++
	}
}

func (c *counting) asked(id policy.PurposeID) *Asked {
	a := c.purposes[id]
	if a == nil {
		a = &Asked{Purpose: string(id)}
		c.purposes[id] = a
	}
	return a
}

// everything is the name under which an opt-out to all there is is counted.
const everything = "*"

func (c *counting) scoped(s policy.Scope, note func(*Asked)) {
	if s.All {
		note(c.asked(everything))
		return
	}
	for _, id := range s.Purposes {
		note(c.asked(id))
	}
}

func (c *counting) answered(x domain.CheckAnswered) {
	if x.Allowed {
		c.r.Answers.Yes++
	} else {
		c.r.Answers.No++
	}
	if x.Why == domain.WhyExempt {
		c.r.Answers.Exempt++
	}
	c.why[string(x.Why)]++
}
