package followup

import (
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// An app is what a Process remembers of one: what was published and noted, and
// what is owed. Of what is owed no more it remembers nothing.
type app struct {
	policies  domain.Policies
	service   domain.Service
	meets     map[string]bool                        // the kinds of facts that meet a duty in some version
	began     map[string]map[string]deadline.Instant // incidents: when a fact of a kind happened first, see learnBegun
	steps     map[string][]codec.Entry               // incidents: every step that may meet what is owed
	owed      map[string]map[string]bool             // incidents: what was opened, by kind and rule, see openOne
	reached   map[string]bool                        // duties and rules that a count of persons has opened
	held      map[ident.StreamID]bool                // persons whose data a legal hold keeps
	agreed    map[string]struct{}                    // the pseudonyms of persons who ever granted anything
	linked    map[string]struct{}                    // and of those who were ever linked to another
	crossed   map[crossing]struct{}                  // opt-outs by which grants of other histories ended
	done      map[string]deadline.Instant            // of persons of whom something was done that may meet what is owed: the latest time of it
	calendars deadline.Calendars
	newest    ident.EventID // the calendar that was published last

	duplicates duplicates

	streams map[string]*shelved // what is at hand of what is open, by the id of its stream, see [shelf]
	places  map[ident.StreamID]*place

	opened  *opening // what opened last, by which request: its facts stand together
	request [16]byte
}

// A place is where a fact and what follows from it lie together: the history
// of a person, an incident, a request, or what concerns the app as a whole.
type place struct {
	open     []*openDuty // what is at hand
	whole    bool        // that is all of it
	openings []*opening
}

// An openDuty is an obligation that is open.
type openDuty struct {
	stream ident.StreamID
	id     string
	opened eventstore.Position
	kind   policy.DutyKind
	target string
	metBy  []string
	cause  ident.StreamID // the place of the fact that it follows from; zero: a request's own
	since  ident.EventID  // that fact
	about  []policy.Field // of that fact, if it was noted
	due    deadline.Due

	causeKind string           // of that fact
	backward  bool             // its date is the last for a notice of what begins it
	startsBy  string           // of an incident: what its clock runs from, see [policy.DutyRule]
	notBefore deadline.Instant // an incident's beginning: nobody was told of it sooner

	atRisk, overdue deadline.Instant // the times up to which it was said
	riskAt, lateAt  deadline.Instant // when it is to be said; zero: never, or it was
}

// An opening is an obligation, or several of one rule, that shall open and is
// not in the log yet.
type opening struct {
	wanted
	facts []codec.Entry // that may meet it, which came first
}

// Wanted is what shall open.
type wanted struct {
	stream ident.StreamID
	since  ident.EventID // the fact from which it follows
	kind   policy.DutyKind
	rule   deadline.RuleID
	metBy  []string
	place  ident.StreamID
	about  []policy.Field
	void   string // why nothing will be owed after all

	causeKind string
}

func (o *opening) key() string {
	return "open " + o.stream.String() + " " + string(o.kind) + " " + string(o.rule)
}

func (r *Process) app(name ident.AppName) *app {
	a := r.apps[name]
	if a == nil {
		a = &app{meets: map[string]bool{}, reached: map[string]bool{}, began: map[string]map[string]deadline.Instant{},
			steps: map[string][]codec.Entry{}, owed: map[string]map[string]bool{}, held: map[ident.StreamID]bool{},
			agreed: map[string]struct{}{}, linked: map[string]struct{}{}, crossed: map[crossing]struct{}{},
			done: map[string]deadline.Instant{},
			duplicates: duplicates{goOn: map[string]string{}, ended: map[string]bool{},
				in: map[string][]ident.StreamID{}},
			streams: map[string]*shelved{}, places: map[ident.StreamID]*place{}}
		r.apps[name] = a
	}
	return a
}

// placeOf returns the place of a stream: whatever concerns the app as a whole
// is one, wherever it is recorded.
func placeOf(s ident.StreamID) ident.StreamID {
	switch s.Noun {
	case ident.PolicyNoun, ident.SurfaceNoun, ident.CalendarNoun, ident.ServiceNoun:
		return ident.ServiceStream(s.App)
	}
	return s
}

func (a *app) place(id ident.StreamID) *place {
	p := a.places[id]
	if p == nil {
		p = &place{}
		a.places[id] = p
	}
	return p
}

// keep remembers an obligation that opened, in a stream that is at hand.
func (a *app) keep(o *openDuty) {
	s := a.streams[streamKey(o.stream)]
	s.open = append(s.open, o)
	if o.cause != (ident.StreamID{}) {
		p := a.place(o.cause)
		p.open = append(p.open, o)
	}
}

// drop forgets an obligation that is closed.
func (a *app) drop(o *openDuty) {
	s := a.streams[streamKey(o.stream)]
	s.open = without(s.open, o)
	if p := a.places[o.cause]; p != nil {
		p.open = without(p.open, o)
		a.tidy(o.cause, p)
	}
}

// await remembers what shall open; it returns false if that was known.
func (a *app) await(o *opening) bool {
	p := a.place(o.place)
	if slices.ContainsFunc(p.openings, o.same) {
		return false
	}
	p.openings = append(p.openings, o)
	return true
}

func (o *opening) same(x *opening) bool {
	return x.stream == o.stream && x.kind == o.kind && x.rule == o.rule
}

// arrived returns what should open, now that it did, and forgets it; nil if it
// was not known.
func (a *app) arrived(o *openDuty, request [16]byte) *opening {
	if request == a.request && a.opened != nil && a.opened.is(o) {
		return a.opened // another system's
	}

	p := a.places[o.cause]
	if p == nil {
		return nil
	}

	i := slices.IndexFunc(p.openings, func(x *opening) bool { return x.is(o) })
	if i < 0 {
		return nil
	}

	a.opened, a.request = p.openings[i], request
	p.openings = slices.Delete(p.openings, i, i+1)
	a.tidy(o.cause, p)
	return a.opened
}

func (o *opening) is(x *openDuty) bool {
	return x.stream == o.stream && x.kind == o.kind && x.due.Rule == o.rule
}

func (a *app) tidy(id ident.StreamID, p *place) {
	if len(p.open)+len(p.openings) == 0 {
		delete(a.places, id)
	}
}

// find returns an open obligation of a stream that is at hand; nil if there is none.
func (a *app) find(s ident.StreamID, id string) *openDuty {
	for _, o := range a.streams[streamKey(s)].open {
		if o.id == id {
			return o
		}
	}
	return nil
}

// streamKey tells the streams of one app apart.
func streamKey(s ident.StreamID) string { return string(s.Noun) + s.ID }

func without[T comparable](list []T, x T) []T {
	i := slices.Index(list, x)
	if i < 0 {
		return list
	}
	return slices.Delete(list, i, i+1)
}
