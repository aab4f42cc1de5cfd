package dashboard

import (
	"maps"
	"net/url"
	"slices"
)

// today is what is due, and what somebody must look at; or what was at the end of a day that is past, by
// what was known then. How the ledger does, its integrity, alarms, and whether somebody has looked at a
// rejected message are known of now alone.
type today struct {
	Lanes       []lane
	Provisional int          // of the dates in the lanes, those that are provisional
	Later       int          // replies that are due after those in the lanes, counted
	Others      []stateCount // everything else that is owed, counted
	Incidents   []clockedCase
	Changes     []suddenChange // of builds, in the last 30 days
	Falls       []answersFall  // of screens, likewise
	NotSought   []string       // of changes and falls, those of which nobody can tell
	Alarms      []alarm
	Rejected    []rejected // that may be an opt-out, and nobody has seen
	Checks      []check    // that are red
	Integrity   *integrity // nil: whoever looks may not see it
	Ready       bool
	AsOf        string
}

// A lane is replies that are due in the same time.
type lane struct {
	Name        string
	Obligations []obligation
}

type alarm struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
	App    string `json:"app"`
}

// integrity is whether what is recorded is what was signed.
type integrity struct {
	ReadOnly  string      `json:"read_only"`
	Mismatch  *mismatch   `json:"mismatch"`
	Logs      []signedLog `json:"logs"`
	Witnessed bool        `json:"witnessed"`
	Backup    string      `json:"backup"`
}

type mismatch struct {
	App    string `json:"app"`
	Detail string `json:"detail"`
}

type signedLog struct {
	App       string `json:"app"`
	Size      int64  `json:"size"`
	Root      string `json:"root"`
	Verified  bool   `json:"verified"`
	At        string `json:"at"`
	Witnesses *struct {
		Size  int64  `json:"size"`
		At    string `json:"at"`
		Error string `json:"error"`
	} `json:"witnesses"`
}

// Of returns the log of an app; nil if it has no signed checkpoint.
func (i *integrity) Of(app string) *signedLog {
	for n := range i.Logs {
		if i.Logs[n].App == app {
			return &i.Logs[n]
		}
	}
	return nil
}

// readIntegrity returns the ledger's integrity; nil if whoever looks may not see it.
func readIntegrity(a *ask) (*integrity, error) {
	var status struct{ Integrity *integrity }
	if err := a.getIfMay("/v1/status", nil, &status); err != nil && !isForbidden(err) {
		return nil, err
	}
	return status.Integrity, nil
}

type rejected struct {
	MayBeOptOut bool `json:"may_be_no"`
	Seen        bool `json:"seen"`
}

// readiness is whether the ledger can do its work, and each check of that for who may
// see them.
type readiness struct {
	OK     bool    `json:"ok"`
	Checks []check `json:"checks"`
}

// ready asks how the ledger is. The checks name apps, and are left out for who may not
// see them all.
func (a *ask) ready() (r readiness, err error) {
	err = a.getIfMay("/readyz", url.Values{"verbose": {"1"}}, &r)
	if isForbidden(err) {
		err = a.get("/readyz", nil, &r)
	}
	return r, err
}

type check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// laneNames are the lanes of a day, the most urgent first.
var laneNames = []string{"overdue", "0", "3", "7", "later", "paused"}

// mostReplies is how many replies the lanes have, those that are due first.
const mostReplies = "200"

func readToday(a *ask) (any, error) {
	var t today
	day, known, err := a.pastDay()
	if err != nil {
		return nil, err
	}
	if day == "" {
		if err := t.health(a); err != nil {
			return nil, err
		}
	}
	if a.App == "" {
		return t, nil
	}

	if err := t.owed(a, known); err != nil {
		return nil, err
	}
	if err := t.incidents(a, known); err != nil {
		return nil, err
	}
	err = t.changes(a, day)
	return t, err
}

// owed reads what is owed, as it was known at a moment; empty: as it is now.
func (t *today) owed(a *ask, known string) error {
	// Requests of persons have dates by law: they are never mixed with what follows from thousands of
	// changed preferences.
	var replies report
	query := url.Values{"group": {"requests"}, "state": {stillOpen}, "sort": {"due"}, "limit": {mostReplies}}
	maps.Copy(query, knownAt(known))
	if err := a.get(a.of("/reports/deadlines"), query, &replies); err != nil {
		return err
	}
	t.AsOf, t.Lanes = replies.AsOf, lanes(replies.Obligations)
	t.Later = max(0, replies.Summary.Obligations-len(replies.Obligations))
	if t.Later > 0 {
		if err := t.paused(a, known); err != nil {
			return err
		}
	}
	for _, o := range slices.Concat(t.shown()...) {
		if o.Provisional {
			t.Provisional++
		}
	}

	var others report
	query = url.Values{"group": {"other"}, "state": {stillOpen}, "limit": {"1"}}
	maps.Copy(query, knownAt(known))
	if err := a.get(a.of("/reports/deadlines"), query, &others); err != nil {
		return err
	}
	t.Others = others.Summary.States
	return nil
}

// shown returns the replies of each lane.
func (t *today) shown() (all [][]obligation) {
	for _, l := range t.Lanes {
		all = append(all, l.Obligations)
	}
	return all
}

// paused fills the lane of what is paused, which has no due date and so stands behind all that has
// one: where there is more than the page shows, it is asked for by itself.
func (t *today) paused(a *ask, known string) error {
	var replies report
	query := url.Values{"group": {"requests"}, "state": {"paused,held"}, "sort": {"opened"}, "limit": {mostReplies}}
	maps.Copy(query, knownAt(known))
	if err := a.get(a.of("/reports/deadlines"), query, &replies); err != nil {
		return err
	}

	last := &t.Lanes[len(t.Lanes)-1]
	t.Later -= len(replies.Obligations) - len(last.Obligations)
	last.Obligations = replies.Obligations
	return nil
}

// incidents reads which are open, and the clocks of the newest: they run by the hour.
func (t *today) incidents(a *ask, known string) error {
	query := url.Values{"state": {"open"}, "limit": {"1000"}}
	maps.Copy(query, knownAt(known))
	var open []caseRow
	for more := true; more; {
		page, err := a.incidents(query)
		if err != nil {
			return err
		}
		open = append(open, page.Cases...)
		more = page.Next != ""
		query.Set("cursor", page.Next)
	}

	slices.Reverse(open) // the newest first
	var err error
	t.Incidents, err = a.withClocks(open, known)
	return err
}

// changes reads of which builds another share agrees than of the build before, and which screens have
// far fewer answers than before. Who may not see numbers sees none. It asks by purpose: answers by screen
// are refused where a client names too many builds, and the page must not go with them. Of a day that is
// past they are those of the 30 days up to it, without answers that were voided since: what was a mistake
// counts on no day.
func (t *today) changes(a *ask, day string) error {
	query := url.Values{"by": {"purpose"}}
	if day != "" {
		query.Set("until", day)
	}
	var answers struct {
		Changes   []suddenChange
		Falls     []answersFall
		NotSought []string `json:"not_sought"`
	}
	err := a.getIfMay(a.of("/consents/over-time"), query, &answers)
	if isForbidden(err) {
		return nil
	}
	t.Changes, t.Falls, t.NotSought = answers.Changes, answers.Falls, answers.NotSought
	return err
}

// health reads what somebody must look at, whichever app it is of. What speaks of every
// app is left out for who may see some of them.
func (t *today) health(a *ask) error {
	ready, err := a.ready()
	if err != nil {
		return err
	}
	t.Ready, t.Checks = ready.OK, slices.DeleteFunc(ready.Checks, func(c check) bool { return c.OK })

	if t.Integrity, err = readIntegrity(a); err != nil {
		return err
	}

	var alarms struct{ Alarms []alarm }
	if err := a.getIfMay("/v1/alarms", nil, &alarms); err != nil && !isForbidden(err) {
		return err
	}
	t.Alarms = alarms.Alarms

	var all struct{ Rejected []rejected }
	if err := a.getIfMay("/v1/rejected", nil, &all); err != nil && !isForbidden(err) {
		return err
	}
	t.Rejected = slices.DeleteFunc(all.Rejected, func(r rejected) bool { return !r.MayBeOptOut || r.Seen })
	return nil
}

// lanes sorts what is open by how many working days are left.
func lanes(open []obligation) []lane {
	all := make([]lane, len(laneNames))
	for i, name := range laneNames {
		all[i].Name = name
	}
	for _, o := range open {
		i := laneOf(o)
		all[i].Obligations = append(all[i].Obligations, o)
	}
	return all
}

func laneOf(o obligation) int {
	switch {
	case o.State == "paused" || o.State == "held":
		return 5
	case o.State == "overdue":
		return 0
	case o.Days == nil || *o.Days > 7:
		return 4
	case *o.Days <= 0:
		return 1
	case *o.Days <= 3:
		return 2
	}
	return 3
}
