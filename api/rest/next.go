package rest

import (
	"context"
	"net/http"
	"slices"

	"consentledger/api/wire"
	"consentledger/domain/cases"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/domain/request"
	"consentledger/projections/requests"

	"github.com/danielgtaylor/huma/v2"
)

// NextSteps is which steps of a request or an incident are possible now.
type NextSteps struct {
	App        string     `json:"app"`
	ID         string     `json:"id"`
	Steps      []NextStep `json:"steps"`
	RecordedBy string     `json:"recorded_by" doc:"whom a step names that is sent with the same key"`
	AsOf       string     `json:"as_of" doc:"the position of the newest record of the case"`
}

// A NextStep is one of them: the type of an operator's event, and what its data say.
type NextStep struct {
	Type     string      `json:"type" example:"request.answered"`
	Says     string      `json:"says"`
	Source   string      `json:"source,omitzero" doc:"the section of the policy or the law"`
	Fields   []NextField `json:"fields" doc:"members of data, beside the id of the case"`
	Details  bool        `json:"details,omitzero" doc:"data may have details: words that are sealed for the person"`
	Reasons  bool        `json:"reasons,omitzero" doc:"it needs details or evidence"`
	Two      bool        `json:"two,omitzero" doc:"it takes two principals: it is proposed (POST .../proposals), and another one approves it"`
	Evidence bool        `json:"evidence,omitzero" doc:"it needs evidence: without it, it comes too late"`
}

// A NextField is a member of a step's data. Its value is a text, also where it is a
// number or says yes.
type NextField struct {
	Name     string   `json:"name"`
	Form     string   `json:"form" doc:"name, text, number, yes-or-no, amount, time, codes, names, choice, reason or principal"`
	Says     string   `json:"says,omitzero" doc:"how it is written"`
	Required bool     `json:"required"`
	Several  bool     `json:"several,omitzero" doc:"several options may be named, with commas between them"`
	Options  []Option `json:"options,omitempty" doc:"one of these; absent: whatever fits the form. Of a person's earlier requests there are those of the first hundred that may be meant"`
}

// An Option is one of what a field may say.
type Option struct {
	Code  string `json:"code"`
	Title string `json:"title,omitzero" doc:"in the language of the policy"`
}

type nextIn struct {
	App string `path:"app"`
	ID  string `path:"id"`
}

func (s *server) nextRoutes(api huma.API) {
	for _, noun := range []ident.Noun{ident.RequestNoun, ident.IncidentNoun} {
		route(s, api, "next-"+string(noun), http.MethodGet, "/v1/apps/{app}/"+string(noun)+"s/{id}/next",
			"Which steps of it are possible now, and what each may say",
			func(ctx context.Context, in *nextIn) (*out[NextSteps], error) { return s.nextSteps(ctx, noun, in) })
	}
}

// nextSteps folds the case from its own records, so that a step that was just taken
// counts, whether or not a projection has heard of it.
func (s *server) nextSteps(ctx context.Context, noun ident.Noun, in *nextIn) (*out[NextSteps], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	ref, err := s.Ledger.App(ctx, app)
	if err != nil {
		return nil, err
	}

	var request cases.Request
	var incident cases.Incident
	a := NextSteps{App: in.App, ID: in.ID, Steps: []NextStep{}, RecordedBy: s.principal(ctx)}
	for e, err := range s.Ledger.Stream(ctx, ident.StreamID{Noun: noun, App: app, ID: in.ID}) {
		if err != nil {
			return nil, err
		}
		if a.AsOf = wire.FormatPosition(e.Position); noun == ident.RequestNoun {
			request = request.Evolve(e.Fact())
		} else {
			incident = incident.Evolve(e.Fact())
		}
	}
	if a.AsOf == "" {
		return nil, failure{plain(http.StatusNotFound, "there is no "+string(noun)+" of that id")}
	}

	steps := incident.NextSteps()
	if noun == ident.RequestNoun {
		steps = request.NextSteps(ref, s.Ledger.Now())
	}
	for _, step := range steps {
		n := nextStepOf(step, ref.Service.App.Jurisdiction)
		if n.Two = s.Approvals != nil && s.Approvals.Needs(app, n.Type); n.Two {
			n.Fields = slices.DeleteFunc(n.Fields, func(f NextField) bool { return f.Name == "approved_by" })
		}
		a.Steps = append(a.Steps, n)
	}
	if err := s.offerOriginals(ctx, &a, app, request); err != nil {
		return nil, err
	}
	return ok(a)
}

func nextStepOf(step catalog.NextStep, jurisdiction string) NextStep {
	source := step.Source.Elsewhere()
	if request.UnderGDPR(jurisdiction) {
		source = step.Source.UnderGDPR()
	}
	n := NextStep{
		Type:     string(step.Kind),
		Says:     step.Says,
		Source:   source,
		Fields:   []NextField{},
		Details:  step.Sealed,
		Reasons:  step.Reasoned,
		Evidence: step.Letter,
	}
	for _, f := range step.Ask {
		field := NextField{Name: f.Name, Form: f.Form.Code(), Required: f.Required, Several: f.Several}
		if len(f.Options) == 0 {
			field.Says = f.String()
		}
		for _, o := range f.Options {
			field.Options = append(field.Options, Option{Code: o.Code, Title: o.Title})
		}
		n.Fields = append(n.Fields, field)
	}
	return n
}

// offerOriginals lists the earlier requests in which a request can go on: of the same person, also
// under another account that is linked. Where there is none the step is left out. Of somebody who
// is not known any request may be meant, and its id is asked for.
func (s *server) offerOriginals(ctx context.Context, a *NextSteps, app ident.AppName, r cases.Request) error {
	i := slices.IndexFunc(a.Steps, func(n NextStep) bool { return n.Type == "request.duplicate" })
	if i < 0 || r.Received.Subject == "" {
		return nil
	}

	person, err := s.Ledger.Subject(ctx, ident.SubjectStream(app, r.Received.Subject))
	if err != nil {
		return err
	}
	askers := []string{r.Received.Subject}
	for _, l := range person.Links() {
		if l.Until == 0 && !slices.Contains(askers, l.Other) {
			askers = append(askers, l.Other)
		}
	}

	of, unseen := &a.Steps[i].Fields[0], false
	for _, name := range askers {
		asker, err := s.Ledger.Subject(ctx, ident.SubjectStream(app, name))
		if err != nil {
			return err
		}
		found, more, err := s.originalsOf(ctx, app, name, a.ID, r, cases.Parties{Person: &person, Asker: &asker})
		if err != nil {
			return err
		}
		of.Options, unseen = append(of.Options, found...), unseen || more
	}
	if len(of.Options) == 0 && !unseen { // where some are unseen, the id is asked for
		a.Steps = slices.Delete(a.Steps, i, i+1)
	}
	return nil
}

// originalsOfAsker is how many requests of one asker are looked at: those that came first.
const originalsOfAsker = 100

// originalsOf lists the requests of one asker in which r can go on, and reports whether some were
// not looked at. The list of requests says which may be, those that ask for the same and that had not
// all their answers when r came in; each is then read itself, since it knows what it owes.
func (s *server) originalsOf(
	ctx context.Context, app ident.AppName, asker, id string, r cases.Request, parties cases.Parties,
) (all []Option, more bool, err error) {
	q := requests.CaseQuery{App: app, Noun: ident.RequestNoun, Person: asker, Since: r.Recorded, Limit: originalsOfAsker + 1}
	for _, t := range r.Received.Types {
		if !slices.Contains(r.Done, t) {
			q.Type = t.String()
		}
	}
	list, _, err := s.Requests.Cases(ctx, q)
	if err != nil {
		return nil, false, behind(err)
	}

	more = len(list) > originalsOfAsker
	for _, c := range list[:min(len(list), originalsOfAsker)] {
		if c.ID == id || c.At > r.At {
			continue
		}
		original, err := s.Ledger.Case(ctx, ident.RequestStream(app, c.ID))
		if err != nil {
			return nil, false, err
		}
		if parties.Original = &original; r.MayGoOnIn(parties) == nil {
			all = append(all, Option{Code: c.ID})
		}
	}
	return all, more, nil
}
