package domain

import (
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// ends returns when a grant ends as a whole, and which of its purposes end before
// that: where the policy says for how long a consent lasts it ends by then,
// whatever was asked for. What does not count has no end.
func (y *grant) ends(items []Item) (until deadline.Instant, before []End) {
	until = y.cmd.Until
	var ends []End
	counted, same := 0, true
	for _, item := range items {
		if item.Short != "" {
			continue
		}
		counted++
		p, _ := y.version.Document.Purpose(item.Purpose)
		end := y.lasts(p)
		if end == 0 || until != 0 && until <= end {
			continue
		}
		same = same && (len(ends) == 0 || ends[0].Until == end)
		ends = append(ends, End{p.ID, end})
	}

	if same && len(ends) > 0 && len(ends) == counted {
		return ends[0].Until, nil
	}
	return until, ends
}

// lasts returns when a consent to the purpose that is given now ends, zero if
// the policy does not say. The day on which it is given is not counted, and the
// period ends with the day of the same number, or else with the last day of
// the month (Civil Code 201 to 203), in the time of the app.
func (y *grant) lasts(p policy.Purpose) deadline.Instant {
	if p.ConsentLasts == 0 {
		return 0
	}
	zone := y.zone()
	return zone.End(zone.Date(y.at).AddMonths(p.ConsentLasts))
}

// zone returns the time zone of the app, or else that of the policy.
func (y *grant) zone() deadline.Zone {
	for _, name := range []string{y.ref.Service.App.TimeZone, y.version.Document.TimeZone} {
		if z, err := deadline.ParseZone(name); err == nil {
			return z
		}
	}
	return deadline.Zone{}
}
