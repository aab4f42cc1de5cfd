package dashboard

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// The page of a person shows where they stood at a moment, by what was known at another:
// two sliders, of which each stop is a moment at which something happened or was recorded.

// maxStops is how many stops a slider has, and maxSamples at how many moments the API is
// asked where the person stood, for the chart. There are as many as the newest.
const (
	maxStops   = 200
	maxSamples = 40
)

// A slider is one of the two.
type slider struct {
	Name  string
	Value int
	Max   int    // which is now
	At    string // the moment; empty: now
}

// stops returns the moments of a history, the oldest first.
func stops(entries []entry) []string {
	all := map[string]bool{}
	for _, e := range entries {
		all[e.At], all[e.Recorded] = true, true
	}
	moments := slices.SortedFunc(maps.Keys(all), compareInstants)
	return moments[max(0, len(moments)-maxStops):]
}

func compareInstants(x, y string) int { return instant(x).Compare(instant(y)) }

// instant reads a time of the API, all of which are RFC 3339.
func instant(text string) time.Time {
	t, _ := time.Parse(time.RFC3339, text)
	return t
}

// sliderOf returns a slider as the form left it.
func sliderOf(a *ask, name string, stops []string) slider {
	s := slider{Name: name, Value: len(stops), Max: len(stops)}
	if n, err := strconv.Atoi(a.PostFormValue(name)); err == nil && n >= 0 && n < len(stops) {
		s.Value, s.At = n, stops[n]
	}
	return s
}

// A life is where a person stood with a purpose, one time after the other.
type life struct {
	Purpose string
	Spans   []span
}

// A span is a time in which that was the same. X and Width are in per mille of the chart.
type span struct {
	Status   string
	From, To string // To is empty: it goes on
	X, Width int
}

// stand asks where the person stood at a moment, by what was known at another; empty: now.
func (p *person) stand(a *ask, valid, known string) ([]standing, error) {
	asked := map[string]string{"subject": p.Subject}
	if valid != "" {
		asked["valid_at"] = valid
	}
	if known != "" {
		asked["known_at"] = known
	}
	var state struct{ Purposes []standing }
	err := a.do(http.MethodPost, a.of("/subjects/state"), asked, &state)
	return state.Purposes, err
}

// draw makes the chart: the person's life with each purpose that they were ever asked
// about, by what was known at a moment.
func (p *person) draw(a *ask, stops []string) error {
	samples := stops[max(0, len(stops)-maxSamples):]
	p.Older = len(samples) < len(stops) || p.Next != ""
	known, end := p.Known.At, a.now.UTC()
	if known != "" {
		samples = slices.DeleteFunc(slices.Clone(samples), func(m string) bool { return compareInstants(m, known) > 0 })
	}
	if len(samples) == 0 {
		return nil
	}

	lives := map[string]*life{}
	var order []string
	for i, moment := range append(slices.Clone(samples), "") { // the last one is now
		stood, err := p.stand(a, moment, known)
		if err != nil {
			return err
		}
		for _, st := range stood {
			l := lives[st.Purpose]
			if l == nil {
				l = &life{Purpose: st.Purpose}
				lives[st.Purpose], order = l, append(order, st.Purpose)
			}
			if n := len(l.Spans); n > 0 && l.Spans[n-1].Status == st.Status {
				continue
			}
			from := moment
			if i > 0 && st.Since != "" && compareInstants(st.Since, samples[i-1]) > 0 {
				from = st.Since // it ran out, or the policy changed, between two records
			}
			if from == "" {
				from = end.Format(time.RFC3339)
			}
			l.Spans = append(l.Spans, span{Status: st.Status, From: from})
		}
	}

	for _, purpose := range order {
		l := lives[purpose]
		if !slices.ContainsFunc(l.Spans, func(s span) bool { return s.Status != "never-asked" }) {
			continue
		}
		place(l, instant(samples[0]), end)
		for _, s := range l.Spans {
			if !slices.Contains(p.Statuses, s.Status) {
				p.Statuses = append(p.Statuses, s.Status)
			}
		}
		p.Lives = append(p.Lives, *l)
	}
	slices.SortFunc(p.Statuses, func(x, y string) int { return rank(x) - rank(y) })
	p.Marks = marks(instant(samples[0]), end, p.Valid.At)
	return nil
}

// place gives the spans of a life their places between two moments.
func place(l *life, begin, end time.Time) {
	for i := range l.Spans {
		s := &l.Spans[i]
		until := end
		if i+1 < len(l.Spans) {
			s.To = l.Spans[i+1].From
			until = instant(s.To)
		}
		s.X = share(begin, end, instant(s.From))
		s.Width = max(share(begin, end, until)-s.X, 4) // what was short is seen still
	}
}

// share returns where a moment stands between two, in per mille.
func share(begin, end, at time.Time) int {
	whole := end.Sub(begin)
	if whole <= 0 {
		return 0
	}
	return int(1000 * float64(at.Sub(begin)) / float64(whole))
}

// marks returns where the moment stands that is looked at; none: it is now.
func marks(begin, end time.Time, at string) []int {
	if at == "" {
		return nil
	}
	return []int{max(0, share(begin, end, instant(at)))}
}
