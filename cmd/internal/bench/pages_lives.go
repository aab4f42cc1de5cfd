package bench

import (
	"bytes"
	"fmt"
	"time"
)

// daysFor are what is typed where a form asks for a day: today, the day before where the page shows a day
// that is past, and where it may be to come, one that is not far.
func daysFor(name string) []string {
	now := time.Now().UTC()
	all := []string{now.Format(time.DateOnly)}
	switch name {
	case "as_of", "day":
		all = append(all, now.AddDate(0, 0, -1).Format(time.DateOnly))
	case "due_before":
		all = append(all, now.AddDate(0, 0, 14).Format(time.DateOnly))
	}
	return all
}

func joinEvents(events [][]byte) []byte { return bytes.Join(events, []byte(",")) }

// proof is what a guardian showed.
const proof = `"proof":{"document":"sha256:40529c2085aed8cc8bba5ce6c83994a217ed98daf51490f12fa8afce3cf3366d",` +
	`"method":"paper","checked_by":"desk"}`

// lives returns what happened to some of so many persons: of a hundred two are minors, of whom one
// has a guardian who consented, one asks for a copy of their data, and ten consent until a moment
// that is past by the time somebody looks.
func (c *Crowd) lives(persons int) (events [][]byte) {
	bands := []string{"under-14", "14", "15-17"}
	add := func(person int, kind, data string) {
		events = append(events, c.event(c.count.Add(1), uint64(person), dayEvent{kind, data}))
	}
	soon := time.Now().Add(20 * time.Second).UTC().Format(time.RFC3339)
	for n := 1; n <= persons; n++ {
		switch {
		case n%50 == 1:
			add(n, "age.recorded", fmt.Sprintf(`{"band":%q,"basis":"declared"}`, bands[n/50%3]))
			if n%100 == 1 {
				add(n, "guardian.verified", `{"guardian":"parent-1",`+proof+`}`)
				add(n, "consent.given", `{"act":"guardian-written","guardian":"parent-1",`+
					`"purposes":["personalisation"],`+proof+`}`)
			}
		case n%100 == 2:
			add(n, "request.received", `{"types":["copy"],"channel":"app","authenticated":true}`)
		case n%10 == 3:
			add(n, "consent.given", `{"act":"agree-popup","locale":"en","purposes":["personalisation"],"until":"`+
				soon+`"}`)
		}
	}
	return events
}

// affairs returns what operators record of the app: incidents, and what left the organisation.
func (c *Crowd) affairs() (events [][]byte) {
	add := func(kind, data string) {
		events = append(events, fmt.Appendf(nil,
			`{"specversion":"1.0","id":"%s-%d","source":"smartkey/desk","type":"%s",`+
				`"time":"%s","datacontenttype":"application/json","data":%s}`, c.run, c.count.Add(1), kind,
			time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), data))
	}
	for n := range 10 {
		add("incident.suspected", fmt.Sprintf(`{"kind":"leak","what":"a folder, number %d"}`, n))
	}
	for n := range 200 {
		add("recipient.added", fmt.Sprintf(`{"recipient":"partner-%d","categories":"device data","purposes":"support"}`, n))
	}
	return events
}
