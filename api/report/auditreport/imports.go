package auditreport

import (
	"cmp"
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore/codec"
)

// An Import is what came of one list on one day: consents from before the ledger
// knew of them. Whoever was erased between the oldest of them and the day may
// be in the list; the ledger itself does not remember who they were.
type Import struct {
	Day        string   `json:"day" format:"date" doc:"on which it was recorded, in UTC"`
	FilteredBy string   `json:"filtered_by" doc:"the principal by whose list of erased persons it says that it was filtered; empty: it does not say"`
	Consents   int64    `json:"consents"`
	Oldest     string   `json:"oldest" format:"date-time"`
	Newest     string   `json:"newest" format:"date-time"`
	Erased     int64    `json:"erased_since" doc:"persons who were erased after the oldest of them and before it was recorded"`
	Orders     []string `json:"orders" doc:"of these erasures, the newest 20"`
}

// An erasing is an order to erase somebody.
type erasing struct {
	at    deadline.Instant
	event string
}

// imported counts an import, by its day and by whose list it was filtered.
func (c *counting) imported(e codec.Entry, x domain.ConsentGiven) {
	if !x.Import {
		return
	}
	key := [2]string{e.Recorded.String()[:len("2006-01-02")], x.FilteredBy}
	i := c.imports[key]
	if i == nil {
		i = &importing{oldest: e.At, newest: e.At}
		c.imports[key] = i
	}
	i.consents++
	i.oldest, i.newest, i.recorded = min(i.oldest, e.At), max(i.newest, e.At), max(i.recorded, e.Recorded)
}

// An importing is an import that is being counted.
type importing struct {
	consents       int64
	oldest, newest deadline.Instant
	recorded       deadline.Instant // the last of them
}

// importsOf ties imports to the erasures that they may contradict.
func (c *counting) importsOf() []Import {
	list := []Import{}
	for key, i := range c.imports {
		x := Import{Day: key[0], FilteredBy: key[1], Consents: i.consents, Oldest: moment(i.oldest),
			Newest: moment(i.newest), Orders: []string{}}
		for _, o := range slices.Backward(c.erasings) {
			if o.at < i.oldest || o.at > i.recorded {
				continue
			}
			if x.Erased++; len(x.Orders) < 20 {
				x.Orders = append(x.Orders, o.event)
			}
		}
		list = append(list, x)
	}

	slices.SortFunc(list, func(a, b Import) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.FilteredBy, b.FilteredBy))
	})
	return list
}

// unfiltered counts the consents of imports that may hold somebody who was
// erased, and do not say by whose list they were filtered.
func (r Report) unfiltered() (n int64) {
	for _, i := range r.Imports {
		if i.FilteredBy == "" && i.Erased > 0 {
			n += i.Consents
		}
	}
	return n
}

func (s speaker) imports(r Report) Section {
	var rows [][]string
	for _, i := range r.Imports {
		rows = append(rows, []string{i.Day, orText(s.who(i.FilteredBy), s.say("unsaid")), number(i.Consents), i.Oldest,
			i.Newest, s.none(i.Erased), s.list(i.Orders)})
	}
	return s.section("imports", "recorded filtered count oldest newest erased-since orders", rows)
}
