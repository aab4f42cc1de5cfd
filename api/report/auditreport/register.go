package auditreport

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"consentledger/api/audit/bundle"
	"consentledger/api/report"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/published"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/requests"
)

// A Register is a list that the law asks to be kept, as it stood at a moment.
// The lists that it is not about are absent.
type Register struct {
	Schema      string              `json:"schema" doc:"register/1"`
	Name        string              `json:"register" enum:"processing,recipients,assessments,retention"`
	App         App                 `json:"app"`
	AsOf        string              `json:"as_of" format:"date-time"`
	Position    string              `json:"position"`
	Purposes    []Purpose           `json:"purposes,omitempty"`
	Declared    []Recipient         `json:"declared,omitempty" doc:"recipients that the policies in force name"`
	Notes       []Note              `json:"notes,omitempty" doc:"what was recorded of recipients and data abroad, or of deletions"`
	Assessments []Assessment        `json:"assessments,omitempty"`
	Due         []report.Obligation `json:"due,omitempty" doc:"what is to be kept, stopped or deleted, and is not done"`

	versions []published.Policy // that say what codes are called, the newest first
}

// A Recipient is somebody whom a policy names.
type Recipient struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Section  string   `json:"section"`
	Policy   string   `json:"policy"`
	Purposes []string `json:"purposes"`
	Abroad   bool     `json:"abroad"`
}

// An Assessment is an impact assessment, from its beginning to the day until
// which it is kept: three years after it was final.
type Assessment struct {
	ID        string `json:"id"`
	Subject   string `json:"subject,omitzero"`
	Started   string `json:"started,omitzero" format:"date-time"`
	Final     string `json:"final,omitzero" format:"date-time"`
	Report    string `json:"report,omitzero"`
	HighRisk  string `json:"high_risk,omitzero"`
	Published string `json:"published,omitzero"`
	Keep      string `json:"keep_until,omitzero" format:"date"`
	State     string `json:"state" enum:"started,kept,may-go"`
}

// Registers are the names of the registers.
var Registers = []string{"processing", "recipients", "assessments", "retention"}

// Owed is what a register reads of what is owed; see [requests.View].
type Owed interface {
	Deletions(
		ctx context.Context, app ident.AppName, k requests.Known,
	) ([]requests.Deletion, eventstore.Position, error)
	Each(ctx context.Context, q requests.Query, do func(requests.Obligation) error) (eventstore.Position, error)
}

// MakeRegister makes a register as of a moment.
func MakeRegister(
	ctx context.Context, l Ledger, owed Owed, app ident.AppName, name string, at deadline.Instant,
) (Register, error) {
	if !slices.Contains(Registers, name) {
		return Register{}, refusal.Refusal{Code: refusal.Malformed,
			Text: "register: there are " + strings.Join(Registers, ", ")}
	}
	c, err := open(ctx, l, app, 0, at+1)
	if err != nil {
		return Register{}, err
	}
	a := c.service.App
	r := Register{Schema: "register/1", Name: name,
		App: App{string(a.Name), a.Handler, a.Environment.String(), a.Jurisdiction,
			a.TimeZone}, AsOf: at.String(), Position: wire.FormatPosition(c.end)}

	var policies domain.Policies
	found := map[string]*Assessment{}
	for e, err := range c.until(l.Own(ctx, app)) {
		if err != nil {
			return Register{}, err
		}
		switch x := e.Event.(type) {
		case domain.PolicyPublished:
			policies = policies.Evolve(e.Fact())
		case domain.Noted:
			r.note(e, x, found)
		}
	}
	r.versions = versionsOf(policies, at)

	switch name {
	case "processing":
		r.Purposes = promised(policies, at).Purposes
	case "recipients":
		r.Declared = declared(policies, at)
	case "assessments":
		r.assessments(found, at)
	case "retention":
		r.Purposes = promised(policies, at).Purposes
		return r, r.retention(ctx, owed, app, c.end, at)
	}
	return r, nil
}

func declared(p domain.Policies, at deadline.Instant) (list []Recipient) {
	for _, v := range inForce(p, at) {
		for _, x := range v.Document.Recipients {
			list = append(list, Recipient{string(x.ID), x.Title, x.Section, v.Document.Name, texts(x.Purposes),
				x.Abroad})
		}
	}
	return list
}

// note takes up a note that the register is about.
func (r *Register) note(e codec.Entry, x domain.Noted, found map[string]*Assessment) {
	switch x.Kind {
	case "recipient.added", "recipient.changed", "recipient.removed", "entrustment.agreed", "entrustment.ended",
		"transfer.merger",
		"crossborder.started", "crossborder.stopped", "crossborder.filed":
		if r.Name == "recipients" {
			r.Notes = append(r.Notes, noteOf(e.ID.String(), e.Recorded, x.Kind, x.Fields))
		}
	case "assessment.started", "assessment.final", "assessment.published":
		id := field(x.Fields, "assessment")
		a := found[id]
		if a == nil {
			a = &Assessment{ID: id}
			found[id] = a
		}
		a.step(x, max(e.At, e.Recorded))
	}
}

func (a *Assessment) step(x domain.Noted, at deadline.Instant) {
	switch x.Kind {
	case "assessment.started":
		a.Subject, a.Started = field(x.Fields, "subject"), moment(at)
	case "assessment.final":
		a.Final, a.Report, a.HighRisk = moment(at), field(x.Fields, "report"), field(x.Fields, "high_risk")
		a.Keep = at.Time().AddDate(3, 0, 0).Format("2006-01-02")
	case "assessment.published":
		a.Published = field(x.Fields, "where")
	}
}

func (r *Register) assessments(found map[string]*Assessment, at deadline.Instant) {
	today := at.Time().Format("2006-01-02")
	for _, a := range found {
		switch {
		case a.Final == "":
			a.State = "started"
		case today <= a.Keep:
			a.State = "kept"
		default:
			a.State = "may-go"
		}
		r.Assessments = append(r.Assessments, *a)
	}
	slices.SortFunc(r.Assessments, func(a, b Assessment) int { return cmp.Compare(a.ID, b.ID) })
}

// retention lists what was deleted, and what is to be kept, stopped or deleted and is
// neither done nor void.
func (r *Register) retention(
	ctx context.Context, owed Owed, app ident.AppName, end eventstore.Position, at deadline.Instant,
) error {
	deleted, _, err := owed.Deletions(ctx, app, requests.Known{Past: true, At: end})
	if err != nil {
		return fmt.Errorf("what was deleted: %w", err)
	}

	for _, d := range deleted {
		r.Notes = append(r.Notes, noteOf(d.Event, d.Recorded, d.Kind, d.Fields))
	}

	open := []requests.State{requests.StateOverdue, requests.StateAtRisk, requests.StateOpen, requests.StatePaused,
		requests.StateNotStarted}
	for _, kind := range []policy.DutyKind{policy.DutyDelete, policy.DutyStop, policy.DutyKeep} {
		q := requests.Query{App: app, At: at, Known: requests.Known{Past: true, At: end}, Kind: kind, States: open}
		_, err := owed.Each(ctx, q, func(o requests.Obligation) error {
			r.Due = append(r.Due, report.Of(o))
			return nil
		})
		if err != nil {
			return fmt.Errorf("what is owed: %w", err)
		}
	}
	return nil
}

// Document returns the register in a language: en, zh.
func (r Register) Document(lang string) Document {
	s := speak(lang, r.versions...)
	d := Document{Lang: s.lang, Title: s.say("register."+r.Name, r.App.Name), None: s.say("none"),
		Contents: s.say("contents")}
	d.About = []string{s.say("register.about", r.AsOf),
		s.say("about.handler", s.handler(r.App), s.name(r.App.Environment))}
	switch r.Name {
	case "processing":
		d.Sections = s.processing(r.Purposes)
	case "recipients":
		d.Sections = []Section{s.declared(r.Declared), s.notes("recipients", r.Notes)}
	case "assessments":
		d.Sections = []Section{s.assessed(r.Assessments)}
	case "retention":
		d.Sections = append([]Section{s.dutiesDue(r.Due), s.notes("erasures", r.Notes)}, s.processing(r.Purposes)...)
	}
	return d
}

func (s speaker) declared(list []Recipient) Section {
	var rows [][]string
	for _, x := range list {
		rows = append(rows, []string{x.ID, x.Title, s.policy(x.Policy), x.Section, s.list(each(x.Purposes, s.purpose)),
			s.yes(x.Abroad)})
	}
	return s.section("recipients-declared", "recipient title policy section purposes abroad", rows)
}

func (s speaker) assessed(list []Assessment) Section {
	var rows [][]string
	for _, a := range list {
		no := s.say("never")
		rows = append(rows, []string{a.ID, orText(a.Subject, s.say("unsaid")), orText(a.Started, no),
			orText(a.Final, no), orText(bundle.ValueName(s.lang, "high_risk", a.HighRisk),
				s.say("unsaid")), orText(a.Published, no), orText(a.Keep, s.say("none")), s.name(a.State)})
	}
	return s.section("assessments", "assessment what since final high-risk published keep-until state", rows)
}

func (s speaker) dutiesDue(list []report.Obligation) Section {
	var rows [][]string
	for _, o := range list {
		rows = append(rows, []string{report.DutyName(s.lang, o.Kind), orText(o.Target, s.say("handler")), o.Rule,
			report.StateName(s.lang, o.State), orText(o.DueDate, orText(o.Due, s.say("unsaid"))),
			orText(s.list(each(o.Keeps, s.purpose)), s.say("none")), o.Stream})
	}
	return s.section("retention-duties", "kind target rule state due keeps stream", rows)
}
