package cases_test

import (
	"slices"
	"strings"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// filled returns a step as an officer would send it who chooses the first of what is
// offered for every field.
func filled(t *testing.T, n catalog.NextStep, at deadline.Instant) TakeStep {
	t.Helper()
	values := map[string]string{}
	for _, f := range n.Ask {
		if len(f.Options) > 0 {
			values[f.Name] = f.Options[0].Code
			continue
		}
		values[f.Name] = map[catalog.Form]string{catalog.FormName: "x", catalog.FormText: "x", catalog.FormNumber: "1", catalog.FormAmount: "10.00 CNY", catalog.FormTime: at.String(), catalog.FormPrincipal: "boss"}[f.Form]
		if values[f.Name] == "" {
			t.Fatalf("%s: %s is asked for without a list, and has the form %s", n.Kind, f.Name, f.Form.Code())
		}
	}
	s := TakeStep{Kind: n.Kind, Fields: policy.Fields(values)}
	if n.Reasoned {
		s.Details = "because"
	}
	if n.Letter {
		s.Evidence = content.Hash{9}
		s.Fields = policy.Fields(map[string]string{"reason": "many-requests", "notified": t0.Add(2 * deadline.Hour).String()})
	}
	return s
}

// earlier returns others in which a request of newRun may be said to go on, by what they are.
func earlier(t *testing.T) map[string]cases.Parties {
	all := []request.Type{request.Complaint, request.Copy, request.Access, request.Question}
	ids := "identity.passed elements=IDE-4 checked_by=desk"
	of := func(subject string, at deadline.Instant, types []request.Type, steps ...string) cases.Parties {
		return cases.Parties{Original: &told(t, asks(subject, types...), at, steps...).Request}
	}
	linked := func(other string) *Subject {
		return new(Subject{}.Evolve(Fact{ID: ident.EventID{1}, At: t0, Recorded: t0, Event: SubjectLinked{Other: other}}))
	}

	account := of("0a0a", t0, all)
	account.Person, account.Asker = linked("0a0a"), linked("00ff")
	half := of("0a0a", t0, all)
	half.Person = linked("0a0a")
	return map[string]cases.Parties{
		"the same asked before":         of("00ff", t0, all),
		"whose asker is known":          of("00ff", t0, all, ids),
		"of a linked account":           account,
		"of one that is linked in half": half,
		"another person's":              of("0a0a", t0, all),
		"withdrawn":                     of("00ff", t0, all, "request.withdrawn"),
		"of one type":                   of("00ff", t0, []request.Type{request.Access}),
		"later":                         of("00ff", t0.Add(deadline.Day), all),
		"none":                          {},
	}
}

// Every step that is offered is taken, and none is taken that was not offered: of
// requests in every state that their steps lead to, also of each other request in which they may go on.
func TestWhatIsOfferedNextIsWhatIsTaken(t *testing.T) {
	offered := map[catalog.Step]bool{}
	others, goesOn, refused := earlier(t), map[string]bool{}, map[string]bool{}
	for _, types := range [][]request.Type{{request.Access}, {request.Copy}, {request.Complaint, request.Copy}, {request.Question}} {
		seen := map[string]bool{}
		var walk func(r *run, at deadline.Instant, depth int)
		walk = func(r *run, at deadline.Instant, depth int) {
			marks := slices.Sorted(slices.Values(r.Marks.Names()))
			state := strings.Join(marks, " ") + r.states()
			if seen[state] || depth == 0 {
				return
			}
			seen[state] = true

			next := r.NextSteps(r.ref.Reference, at)
			for _, rule := range catalog.StepRules {
				i := slices.IndexFunc(next, func(n catalog.NextStep) bool { return n.Kind == rule.Kind })
				if i < 0 {
					if rule.Of == catalog.Request && rule.Kind != "request.repeated" {
						if _, err := r.Decide(TakeStep{Kind: rule.Kind, Fields: fieldsOf(t, rule), Details: "because"}, r.ref, at, at); err == nil {
							t.Errorf("%v: %s is taken, and was not offered", r.Marks, rule.Kind)
						}
					}
					continue
				}

				offered[rule.Kind] = true
				after := *r
				if rule.Kind == "request.duplicate" {
					after.ref.Parties = others["whose asker is known"]
				}
				if err := after.do(filled(t, next[i], at), at); err != nil {
					t.Errorf("%v: %s is offered, and refused: %v", r.Marks, rule.Kind, err)
				}
				walk(&after, at+1, depth-1)
			}

			duplicate := slices.ContainsFunc(next, func(n catalog.NextStep) bool { return n.Kind == "request.duplicate" })
			for name, parties := range others {
				ref := r.ref
				ref.Parties = parties
				_, err := r.Decide(TakeStep{Kind: "request.duplicate", Fields: policy.Fields(map[string]string{"of": "abc"})}, ref, at, at)
				if offer := duplicate && r.MayGoOnIn(parties) == nil; offer != (err == nil) {
					t.Errorf("%v: going on in one %s is offered: %v, and answered: %v", r.Marks, name, offer, err)
				}
				goesOn[name], refused[name] = goesOn[name] || err == nil, refused[name] || duplicate && err != nil
			}
		}
		walk(newRun(t, types...), t0+deadline.Instant(2*deadline.Hour), 4)
	}
	for _, rule := range catalog.StepRules {
		found := rule.Kind == "request.repeated" || strings.HasPrefix(string(rule.Kind), "fee.")
		if rule.Of == catalog.Request && !found && rule.Kind != "clock.paused" && rule.Kind != "clock.resumed" && !offered[rule.Kind] {
			t.Errorf("%s was never offered: the walk does not get there", rule.Kind)
		}
	}
	for name := range others {
		never := name == "another person's" || name == "of one that is linked in half" || name == "withdrawn" || name == "later" || name == "none"
		if goesOn[name] == never || never && !refused[name] {
			t.Errorf("a request goes on in one %s: %v, and is refused to: %v", name, goesOn[name], refused[name])
		}
	}
}

// An extension of which the person is told too late is offered with the letter that
// shows otherwise, and a clock that stands still for nothing is not paused.
func TestWhatIsOfferedDependsOnTheClocks(t *testing.T) {
	r := newRun(t, request.Copy)
	offer := func(kind catalog.Step, at deadline.Instant) *catalog.NextStep {
		all := r.NextSteps(r.ref.Reference, at)
		if i := slices.IndexFunc(all, func(n catalog.NextStep) bool { return n.Kind == kind }); i >= 0 {
			return &all[i]
		}
		return nil
	}
	if e := offer("request.extended", t0.Add(2*deadline.Hour)); e == nil || e.Letter {
		t.Errorf("in time: %+v", e)
	}
	late := offer("request.extended", t0.Add(60*deadline.Day))
	if late == nil || !late.Letter {
		t.Errorf("too late: %+v", late)
	} else if err := r.do(filled(t, *late, t0.Add(60*deadline.Day)), t0.Add(60*deadline.Day)); err != nil {
		t.Errorf("with the letter: %v", err)
	}
	if e := offer("request.extended", t0.Add(61*deadline.Day)); e != nil {
		t.Errorf("extended already: %+v", e)
	}
	if p := offer("clock.paused", t0.Add(2*deadline.Hour)); p != nil {
		t.Errorf("both reasons have a step of their own: %+v", p)
	}
	if q := newRun(t, request.Question).NextSteps(r.ref.Reference, t0.Add(2*deadline.Hour)); slices.ContainsFunc(q, func(n catalog.NextStep) bool { return n.Kind == "request.extended" }) {
		t.Error("what has no longer period is offered one")
	}
}

func TestWhatIsOfferedNextOfAnIncidentIsWhatIsTaken(t *testing.T) {
	if got := (cases.Incident{}).NextSteps(); got != nil {
		t.Errorf("of none: %v", got)
	}
	type path struct {
		i  cases.Incident
		at deadline.Instant
	}
	first := Stepped{Kind: "incident.suspected", Fields: policy.Fields(map[string]string{"kind": "leak", "what": "table"})}
	todo := []path{{cases.Incident{}.Evolve(Fact{At: t0, Recorded: t0, Event: first}), t0}}
	seen := map[string]bool{}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		state := p.i.State + strings.Join(slices.Sorted(slices.Values(p.i.Marks.Names())), " ")
		if seen[state] {
			continue
		}
		seen[state] = true
		next := p.i.NextSteps()
		for _, rule := range catalog.StepRules {
			if rule.Of != catalog.Incident {
				continue
			}
			i := slices.IndexFunc(next, func(n catalog.NextStep) bool { return n.Kind == rule.Kind })
			step := TakeStep{Kind: rule.Kind, Fields: fieldsOf(t, rule)}
			if i >= 0 {
				step = filled(t, next[i], p.at)
			}
			events, err := p.i.Decide(step, promises().Reference, p.at+1, p.at+1)
			if (err == nil) != (i >= 0) {
				t.Errorf("%s: %s is offered %v: %v", state, rule.Kind, i >= 0, err)
			}
			for _, e := range events {
				todo = append(todo, path{p.i.Evolve(Fact{At: p.at + 1, Recorded: p.at + 1, Event: e}), p.at + 1})
			}
		}
	}
	if len(seen) < 6 {
		t.Errorf("only %d states were reached", len(seen))
	}
}
