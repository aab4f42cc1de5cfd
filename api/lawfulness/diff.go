package lawfulness

import (
	"context"
	"slices"

	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
)

func malformed(text string) error { return refusal.Refusal{Code: refusal.Malformed, Text: text} }

// A DiffRequest asks what changed for a person between two moments. How it
// stood at a moment is how it was known then.
type DiffRequest struct {
	Subject string `json:"subject" doc:"account:ID, device:ID or ID"`
	Action  string `json:"action,omitzero" doc:"collect, use (the default), provide, publish or export"`
	From    string `json:"from" format:"date-time"`
	To      string `json:"to" format:"date-time"`
	wire.Accessor
}

// Diff is what changed, for every purpose for which something did.
type Diff struct {
	App      string              `json:"app"`
	From     Moment              `json:"from"`
	To       Moment              `json:"to"`
	Purposes []PurposeDifference `json:"purposes"`
	Same     int                 `json:"same" doc:"for how many other purposes nothing changed"`
}

// A Moment is a time and the last position that was known then.
type Moment struct {
	At       string `json:"at" format:"date-time"`
	Position string `json:"position"`
}

// A PurposeDifference is what changed for one purpose. ByTime says that time alone
// changed something: a grant ran out, a version began to bind.
type PurposeDifference struct {
	Purpose string          `json:"purpose"`
	Changed bool            `json:"changed" doc:"false: it changed, and came back to what it was"`
	Before  Stand           `json:"before"`
	After   Stand           `json:"after"`
	ByTime  bool            `json:"by_time,omitzero" doc:"time alone changed it: a grant ran out, or a version began to bind"`
	By      []ChangingEvent `json:"by" doc:"the events that changed it, in the order in which they were known"`
}

// Differs reports whether anything is not what it was.
func (d Diff) Differs() bool {
	return slices.ContainsFunc(d.Purposes, func(x PurposeDifference) bool { return x.Changed })
}

// Reading returns what of history d shows: how many events, and of whom.
func (d Diff) Reading(ctx context.Context, l Ledger, app ident.AppName, r DiffRequest) (domain.DataAccessed, error) {
	who, _, from, to, err := r.parse()
	if err != nil {
		return domain.DataAccessed{}, err
	}

	events := map[string]bool{}
	for _, p := range d.Purposes {
		for _, e := range p.By {
			events[e.EventID] = true
		}
		for _, id := range slices.Concat(p.Before.Events, p.After.Events) {
			events[id] = true
		}
	}

	a := wire.AccessOf(r.Accessor, domain.AccessReplay)
	a.From, a.To, a.Records = from, to, len(events)
	a.Subject, _, err = l.Pseudonym(ctx, app, who)
	return a, err
}

// Check returns a refusal if r cannot be asked of any ledger. It begins with
// the name of the member that is wrong.
func (r DiffRequest) Check() error {
	_, _, _, _, err := r.parse()
	return err
}

func (r DiffRequest) parse() (who ident.PersonKey, action policy.Action, from, to deadline.Instant, err error) {
	if who, err = ident.ParsePersonKey(r.Subject); err != nil {
		return who, 0, 0, 0, malformed("subject: " + err.Error())
	}
	if action, err = actionOf(r.Action); err != nil {
		return who, 0, 0, 0, err
	}
	if from, to, err = span(r.From, r.To); err != nil {
		return who, 0, 0, 0, err
	}
	return who, action, from, to, nil
}

func actionOf(text string) (policy.Action, error) {
	if text == "" {
		return policy.Use, nil
	}
	a, err := policy.ParseAction(text)
	if err != nil {
		return 0, malformed("action: " + err.Error())
	}
	return a, nil
}

// span reads two moments.
func span(fromText, toText string) (from, to deadline.Instant, err error) {
	if from, err = deadline.ParseInstant(fromText); err != nil {
		return 0, 0, malformed("from: " + err.Error())
	}
	if to, err = deadline.ParseInstant(toText); err != nil {
		return 0, 0, malformed("to: " + err.Error())
	}
	if to < from {
		return 0, 0, malformed("to: is before from")
	}
	return from, to, nil
}

// DiffOf says what changed. First it lets time go by with nothing new known,
// then it takes what came to be known, event by event.
func DiffOf(ctx context.Context, l Ledger, app ident.AppName, r DiffRequest) (Diff, error) {
	who, action, from, to, err := r.parse()
	if err != nil {
		return Diff{}, err
	}
	if from, err = query.HasCome("from", from, l.Now()); err != nil {
		return Diff{}, err
	}
	if to, err = query.HasCome("to", to, l.Now()); err != nil {
		return Diff{}, err
	}

	past, err := l.Past(ctx, app)
	if err != nil {
		return Diff{}, err
	}

	pseudonym, _, err := l.Pseudonym(ctx, app, who)
	if err != nil {
		return Diff{}, err
	}

	known, err := l.KnownAt(ctx, from)
	if err != nil {
		return Diff{}, err
	}

	until, err := l.KnownAt(ctx, to)
	if err != nil {
		return Diff{}, err
	}

	d := differ{person: person{past, pseudonym}, action: action}
	if err := d.run(ctx, from, to, known, until); err != nil {
		return Diff{}, err
	}

	return Diff{string(app), Moment{from.String(), wire.FormatPosition(known)},
		Moment{to.String(), wire.FormatPosition(until)}, d.found(), d.same()}, nil
}

// A differ compares answers as they change.
type differ struct {
	person
	action   policy.Action
	purposes []policy.PurposeID
	all      []PurposeDifference // by purpose
}

func (d *differ) run(ctx context.Context, from, to deadline.Instant, known, until eventstore.Position) error {
	ref, err := d.Reference(ctx, until)
	if err != nil {
		return err
	}

	for _, v := range ref.Policies.Versions() {
		for _, p := range v.Document.Purposes {
			if !slices.Contains(d.purposes, p.ID) {
				d.purposes = append(d.purposes, p.ID)
			}
		}
	}

	before, err := d.stands(ctx, from, known)
	if err != nil {
		return err
	}

	last, err := d.stands(ctx, to, known)
	if err != nil {
		return err
	}

	for i, p := range d.purposes {
		d.all = append(d.all, PurposeDifference{Purpose: string(p), Before: before[i], ByTime: !before[i].same(last[i]),
			By: []ChangingEvent{}})
	}

	for e, err := range d.Changes(ctx, d.pseudonym, known, until) {
		if err != nil {
			return err
		}
		now, err := d.stands(ctx, to, e.Position)
		if err != nil {
			return err
		}
		for i := range d.purposes {
			if !now[i].same(last[i]) {
				d.all[i].By = append(d.all[i].By, eventOf(e))
			}
		}
		last = now
	}

	for i := range d.all {
		d.all[i].After, d.all[i].Changed = last[i], !last[i].same(before[i])
	}
	return nil
}

// stands returns the answer for every purpose.
func (d *differ) stands(ctx context.Context, at deadline.Instant, known eventstore.Position) ([]Stand, error) {
	ref, err := d.Reference(ctx, known)
	if err != nil {
		return nil, err
	}
	s, err := d.Subject(ctx, d.pseudonym, known)
	if err != nil {
		return nil, err
	}
	all := make([]Stand, len(d.purposes))
	for i, p := range d.purposes {
		all[i] = standOf(domain.May(s, ref, domain.Question{Purpose: p, Action: d.action, At: at}))
	}
	return all, nil
}

func (d *differ) found() []PurposeDifference {
	list := []PurposeDifference{}
	for _, x := range d.all {
		if x.Changed || x.ByTime || len(x.By) > 0 {
			list = append(list, x)
		}
	}
	return list
}

func (d *differ) same() int { return len(d.all) - len(d.found()) }
