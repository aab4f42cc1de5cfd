package dashboard

import (
	"maps"
	"net/url"
	"strconv"
	"time"
)

// An overTime is what people answered from one day to another, by one thing that answers have in
// common.
type overTime struct {
	By      string         `json:"by"`
	From    string         `json:"from"`
	Until   string         `json:"until"`
	Period  string         `json:"period"`
	Values  []timeValue    `json:"values"`
	Changes []suddenChange `json:"changes"`
	Falls   []answersFall  `json:"falls"`
	Unnamed int            `json:"unnamed"`

	NotSought []string `json:"not_sought"` // changes, falls

	AsOf  string     `json:"as_of"`
	Query url.Values `json:"-"` // what is asked, for links to a part of the same
	most  int        // answers of a value in a period
	bins  int        // periods from the first day to the last
	first time.Time  // of the first period
}

// A timeValue is a row of the chart.
type timeValue struct {
	Value  string `json:"value"`
	Others int    `json:"others"`
	answerCount
	Periods []timePeriod `json:"periods"`
}

// A suddenChange is a build of which another share agrees than of the build before it.
type suddenChange struct {
	Screen string      `json:"screen"`
	Build  string      `json:"build"`
	Before string      `json:"before"`
	Day    string      `json:"day"`
	Change string      `json:"change"`
	Now    askedAnswer `json:"now"`
	Then   askedAnswer `json:"then"`
}

// An answersFall is days on which a screen had far fewer answers than it usually has.
type answersFall struct {
	Screen  string `json:"screen"`
	Day     string `json:"day"`
	Days    int    `json:"days"`
	Answers int    `json:"answers"`
	Usual   int    `json:"usual"`
}

// Said returns what the page says of a fall.
func (f answersFall) Said(p *page) string {
	screen := f.Screen
	if screen == "" {
		screen = p.T("overtime.not-said")
	}
	return p.Say("overtime.fall", screen, f.Day, f.Answers, f.Usual, f.Days)
}

type askedAnswer struct {
	Given int `json:"given"`
	Asked int `json:"asked"`
}

// Rate returns how many agreed, in percent.
func (a askedAnswer) Rate() string {
	return answerCount{Given: a.Given, Refused: a.Asked - a.Given}.Rate()
}

// Said returns what the page says of a change.
func (c suddenChange) Said(p *page) string {
	screen := c.Screen
	if screen == "" {
		screen = p.T("overtime.not-said")
	}
	return p.Say("overtime.change", c.Build, screen, c.Day, c.Now.Rate(), c.Now.Asked, c.Before, c.Then.Rate(),
		c.Then.Asked)
}

type timePeriod struct {
	Day string `json:"day"`
	answerCount
}

type answerCount struct {
	Given     int `json:"given"`
	Refused   int `json:"refused"`
	Withdrawn int `json:"withdrawn"`
	Signal    int `json:"signal"`
	Imported  int `json:"imported"`
}

func (n answerCount) all() int { return n.Given + n.Refused + n.Withdrawn + n.Signal + n.Imported }

// Rate returns how many of those who were asked and answered agreed, in percent; a dash: nobody was.
func (n answerCount) Rate() string {
	if n.Given+n.Refused == 0 {
		return "–"
	}
	return strconv.FormatFloat(100*float64(n.Given)/float64(n.Given+n.Refused), 'f', 1, 64) + " %"
}

// answerKinds are the answers in the order of the chart, from the bottom, and the status whose colour
// each has.
var answerKinds = []struct{ Name, Colour string }{
	{"given", "given"}, {"refused", "refused"}, {"withdrawn", "withdrawn"}, {"signal", "expired"},
	{"imported", "never-asked"},
}

// timeFilters are the members of the query, in the order of the form.
var timeFilters = []string{"by", "purpose", "version", "screen", "language", "build", "from", "until"}

// read asks for what the address says.
func (o *overTime) read(a *ask) error {
	o.Query = url.Values{}
	for _, name := range timeFilters {
		if v := a.URL.Query().Get(name); v != "" {
			o.Query.Set(name, v)
		}
	}
	if err := a.get(a.of("/consents/over-time"), o.Query, o); err != nil {
		return err
	}

	first, err := time.Parse(time.DateOnly, o.From)
	if err != nil {
		return err
	}
	last, err := time.Parse(time.DateOnly, o.Until)
	if err != nil {
		return err
	}
	if o.Period == "week" {
		first = first.AddDate(0, 0, -(int(first.Weekday())+6)%7) // its Monday
	}
	o.first, o.bins = first, int(last.Sub(first)/o.length())+1
	for _, v := range o.Values {
		for _, p := range v.Periods {
			o.most = max(o.most, p.all())
		}
	}
	return nil
}

func (o *overTime) length() time.Duration {
	if o.Period == "week" {
		return 7 * 24 * time.Hour
	}
	return 24 * time.Hour
}

// Bys is what answers are counted by, Texts the filters that are written, in the order of the form.
func (*overTime) Bys() []string   { return []string{"purpose", "version", "screen", "language", "build"} }
func (*overTime) Texts() []string { return timeFilters[1:6] }

// Kinds are the answers that occur, in the order of the chart.
func (o *overTime) Kinds() (kinds []struct{ Name, Colour string }) {
	var all answerCount
	for _, v := range o.Values {
		all = answerCount{all.Given + v.Given, all.Refused + v.Refused, all.Withdrawn + v.Withdrawn,
			all.Signal + v.Signal, all.Imported + v.Imported}
	}
	for i, n := range all.list() {
		if n > 0 {
			kinds = append(kinds, answerKinds[i])
		}
	}
	return kinds
}

// list are the counts in the order of the chart.
func (n answerCount) list() []int {
	return []int{n.Given, n.Refused, n.Withdrawn, n.Signal, n.Imported}
}

// Count returns how many answers of a kind there are.
func (n answerCount) Count(kind string) int {
	for i, one := range n.list() {
		if answerKinds[i].Name == kind {
			return one
		}
	}
	return 0
}

const (
	timeWidth  = 1000 // of a row of the chart
	timeHeight = 60
)

// A timeBar is the part of a period that answers of a kind are.
type timeBar struct {
	Colour              string
	X, Y, Width, Height float64
}

// Bars returns a row of the chart. All rows have the same scale.
func (o *overTime) Bars(v timeValue) (bars []timeBar) {
	wide := float64(timeWidth) / float64(o.bins)
	for _, p := range v.Periods {
		day, err := time.Parse(time.DateOnly, p.Day)
		if err != nil {
			continue // the API's days are days
		}
		x, y := float64(day.Sub(o.first)/o.length())*wide, float64(timeHeight)
		for i, n := range p.list() {
			if n == 0 {
				continue
			}
			high := float64(n) * timeHeight / float64(o.most)
			y -= high
			bars = append(bars, timeBar{answerKinds[i].Colour, round(x), round(y), round(wide * 0.9), round(high)})
		}
	}
	return bars
}

// Changed returns the changes that are marked in a row, in one period; an empty day: in all of them.
func (o *overTime) Changed(v timeValue, day string) (changes []suddenChange) {
	of := map[string]func(suddenChange) string{
		"build":  func(c suddenChange) string { return c.Build },
		"screen": func(c suddenChange) string { return c.Screen },
	}[o.By]
	if of == nil || v.Others > 0 {
		return nil
	}
	for _, c := range o.Changes {
		if of(c) == v.Value && (day == "" || day == c.Day) {
			changes = append(changes, c)
		}
	}
	return changes
}

// Fallen returns the falls that are marked in a row, in one period; an empty day: in all of them.
func (o *overTime) Fallen(v timeValue, day string) (falls []answersFall) {
	for _, f := range o.Falls {
		if o.By == "screen" && v.Others == 0 && f.Screen == v.Value && (day == "" || day == f.Day) {
			falls = append(falls, f)
		}
	}
	return falls
}

// Mark returns where what began on a day is drawn in a row.
func (o *overTime) Mark(began string) float64 {
	day, err := time.Parse(time.DateOnly, began)
	if err != nil {
		return 0 // the API's days are days
	}
	return round(float64(day.Sub(o.first)/o.length()) * timeWidth / float64(o.bins))
}

// round leaves a decimal, which is less than what can be seen.
func round(x float64) float64 { return float64(int(x*10+0.5)) / 10 }

// Name returns what a value is called.
func (o *overTime) Name(p *page, v timeValue) string {
	switch {
	case v.Others > 0:
		return p.Say("overtime.others", v.Others)
	case v.Value == "" && o.By == "purpose":
		return p.T("overtime.everything")
	case v.Value == "":
		return p.T("overtime.not-said")
	case v.Value == "*" && o.By == "build":
		return p.T("overtime.other-builds")
	case o.By == "version":
		return p.Short(v.Value)
	}
	return v.Value
}

// Only returns the address of the same, of one value alone; empty: there is none.
func (o *overTime) Only(p *page, v timeValue) string {
	if v.Value == "" || o.Query.Get(o.By) == v.Value {
		return ""
	}
	query := maps.Clone(o.Query)
	query.Set("app", p.App)
	query.Set(o.By, v.Value)
	return Root + "consents?" + query.Encode()
}
