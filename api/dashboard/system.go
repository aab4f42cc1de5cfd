package dashboard

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

type policies struct {
	Policies []policy `json:"policies"`
	AsOf     string   `json:"as_of"`
}

type policy struct {
	Policy    string   `json:"policy"`
	Version   string   `json:"version"`
	Effective string   `json:"effective"`
	Material  []string `json:"material"`
	InForce   bool     `json:"in_force"`
}

func readPolicies(a *ask) (any, error) {
	_, end, err := a.pastDay()
	if err != nil {
		return nil, err
	}
	var p policies
	if a.App == "" {
		return &p, nil
	}
	if err := a.get(a.of("/policies"), knownAt(end), &p); err != nil && !isUnknown(err) {
		return nil, err
	}
	slices.Reverse(p.Policies) // the newest first
	return &p, nil
}

// system is how the ledger does, which keys its vault has, and by which calendars the app's due
// dates are counted.
type system struct {
	Version     string `json:"version"`
	Store       string `json:"store"`
	Started     string `json:"started"`
	Head        string `json:"head"`
	Projections []struct {
		Name     string `json:"name"`
		Position string `json:"position"`
		Behind   uint64 `json:"behind"`
	} `json:"projections"`
	Past      *systemThen `json:"-"` // nil: it is as of now
	Checks    []check     `json:"-"`
	Keys      *vaultKeys  `json:"-"` // nil: whoever looks may not see them
	Calendars *calendars  `json:"-"` // nil: there is no app, or whoever looks may not see them
}

// systemThen is what was recorded of the ledger itself by the end of a day. What else the page has
// is known of now alone.
type systemThen struct {
	Apps    []appThen `json:"apps"`
	AsOf    string    `json:"-"`
	Keys    []logKey  `json:"-"`
	SeeKeys bool      `json:"-"` // whoever looks may see the keys of the app's log, and there is one
}

// An appThen is an app, and how many versions of policies it had.
type appThen struct {
	App      string `json:"app"`
	Policies int    `json:"policies"`
}

// A logKey signed the log of the page's app.
type logKey struct{ Key, Joined, Retired string }

// Hash is the part of a verifier key that tells it from others of its log.
func (k logKey) Hash() string {
	_, rest, _ := strings.Cut(k.Key, "+")
	hash, _, _ := strings.Cut(rest, "+")
	return hash
}

// vaultKeys is what becomes of the keys that wrap the persons' keys.
type vaultKeys struct {
	State   string           `json:"state"`
	Epoch   uint32           `json:"epoch"`
	Epochs  []uint32         `json:"epochs"`
	Wrapped map[uint32]int64 `json:"wrapped"`
	Total   int64            `json:"total"`
	Done    int64            `json:"done"`
	Error   string           `json:"error"`
}

// calendars is what is known of working days, and what is missing for what is owed.
type calendars struct {
	Years   []calendarYear
	Missing []missingYear // nil also if whoever looks may not see what is owed
	Owed    bool          // whoever looks may see what is owed
	Looked  int           // at how many obligations that rest on a missing year, those due first
	Of      int           // how many there are
	AsOf    string
}

// A calendarYear is the newest that was said of one jurisdiction's year.
type calendarYear struct {
	Jurisdiction string `json:"jurisdiction"`
	Year         int    `json:"year"`
	Version      int    `json:"version"`
	Notice       string `json:"notice"`
	Partial      bool   `json:"partial"`
	Projected    bool   `json:"projected"`
	Reported     bool   `json:"reported"`
}

// Standing returns the code of how much the calendar says: only one that is announced makes
// a due date firm.
func (y calendarYear) Standing() string {
	switch {
	case y.Projected:
		return "projected"
	case y.Reported:
		return "reported"
	case y.Partial:
		return "partial"
	}
	return "announced"
}

// A missingYear is a year that is not announced, and how much of what is owed rests on it.
type missingYear struct {
	Year        int
	Obligations int
	Due         string // the earliest date that rests on it
}

func readSystem(a *ask) (any, error) {
	day, end, err := a.pastDay()
	if err != nil {
		return nil, err
	}
	if day != "" {
		return readSystemThen(a, end)
	}
	var s system
	if err := a.get("/v1/status", nil, &s); err != nil {
		return nil, err
	}
	ready, err := a.ready()
	if err != nil {
		return nil, err
	}
	s.Checks = ready.Checks

	var k vaultKeys
	if err := a.getIfMay("/v1/vault/keys", nil, &k); err == nil {
		s.Keys = &k
	} else if !isForbidden(err) {
		return nil, err
	}
	s.Calendars, err = readCalendars(a, "")
	return &s, err
}

// readSystemThen reads what was known at a moment.
func readSystemThen(a *ask, known string) (any, error) {
	s := system{Past: &systemThen{}}
	if err := a.get("/v1/apps", url.Values{"known_at": {known}}, s.Past); err != nil {
		return nil, err
	}
	if err := s.Past.keys(a, instant(known)); err != nil {
		return nil, err
	}
	var err error
	s.Calendars, err = readCalendars(a, known)
	if s.Calendars != nil {
		s.Past.AsOf = s.Calendars.AsOf
	}
	return &s, err
}

// keys reads which keys signed the app's log at a moment, if it was registered by then.
func (s *systemThen) keys(a *ask, at time.Time) error {
	if !slices.ContainsFunc(s.Apps, func(app appThen) bool { return app.App == a.App }) {
		return nil
	}

	var now struct {
		Key, Joined, Next, Since string
		Former                   []logKey
	}
	err := a.getIfMay(a.of("/log/keys"), nil, &now)
	if isForbidden(err) || isUnknown(err) {
		return nil
	}
	if err != nil {
		return err
	}

	s.SeeKeys = true
	all := append(now.Former, logKey{Key: now.Key, Joined: now.Joined})
	if now.Next != "" {
		all = append(all, logKey{Key: now.Next, Joined: now.Since})
	}
	for _, k := range all {
		if joined := k.Joined == "" || !instant(k.Joined).After(at); joined &&
			(k.Retired == "" || instant(k.Retired).After(at)) {
			s.Keys = append(s.Keys, k)
		}
	}
	return nil
}

// readCalendars returns the calendars of the page's app, as known at a moment or, of none, now; nil if
// there is none to see.
func readCalendars(a *ask, known string) (*calendars, error) {
	if a.App == "" {
		return nil, nil
	}
	var answer struct {
		Calendars []calendarYear
		AsOf      string `json:"as_of"`
	}
	then := knownAt(known)
	if err := a.getIfMay(a.of("/calendars"), then, &answer); isForbidden(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	c := calendars{Years: newestYears(answer.Calendars), AsOf: answer.AsOf}

	var owed report
	query := url.Values{"provisional": {"true"}, "state": {stillOpen}, "sort": {"due"}, "limit": {mostReplies}}
	maps.Copy(query, then)
	if err := a.getIfMay(a.of("/reports/deadlines"), query, &owed); isForbidden(err) {
		return &c, nil
	} else if err != nil {
		return nil, err
	}
	c.Owed, c.Missing = true, missingYears(owed.Obligations)
	c.Looked, c.Of = len(owed.Obligations), owed.Summary.Obligations
	return &c, nil
}

// newestYears returns the last that was published of each jurisdiction's year and standing,
// by jurisdiction and year.
func newestYears(published []calendarYear) []calendarYear {
	type key struct {
		jurisdiction string
		year         int
		standing     string
	}
	newest := map[key]calendarYear{}
	for _, y := range published {
		k := key{y.Jurisdiction, y.Year, y.Standing()}
		if y.Version >= newest[k].Version {
			newest[k] = y
		}
	}
	return slices.SortedFunc(maps.Values(newest), func(a, b calendarYear) int {
		return cmp.Or(cmp.Compare(a.Jurisdiction, b.Jurisdiction), cmp.Compare(a.Year, b.Year),
			cmp.Compare(a.Standing(), b.Standing()))
	})
}

// missingYears returns the years whose calendars what is owed waits for, the first before.
func missingYears(owed []obligation) []missingYear {
	years := map[int]*missingYear{}
	for _, o := range owed {
		year, err := strconv.Atoi(o.Gap[:min(4, len(o.Gap))])
		if err != nil {
			continue // its date rests on no year that is named
		}
		y := years[year]
		if y == nil {
			y = &missingYear{Year: year}
			years[year] = y
		}
		if y.Obligations++; o.DueDate != "" && (y.Due == "" || o.DueDate < y.Due) {
			y.Due = o.DueDate
		}
	}

	var list []missingYear
	for _, year := range slices.Sorted(maps.Keys(years)) {
		list = append(list, *years[year])
	}
	return list
}
