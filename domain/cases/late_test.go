package cases_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
)

// taking takes steps of an incident or of a request, each a day, a kind and its
// fields, all of them recorded on the day after the last.
type taking struct {
	day  int
	step string
	code string // empty: it is taken
	late bool
}

func (x taking) command() TakeStep {
	kind, rest, _ := strings.Cut(x.step, " ")
	fields := map[string]string{}
	for _, f := range strings.Fields(rest) {
		name, value, _ := strings.Cut(f, "=")
		fields[name] = value
	}
	return TakeStep{Kind: catalog.Step(kind), Fields: policy.Fields(fields)}
}

func TestAStepOfAnIncidentThatArrivesLateIsTaken(t *testing.T) {
	const told = "incident.persons-told channel=sms persons=9 situation=yes measures=yes advice=yes remedies=yes"
	closed := []taking{{1, "incident.suspected kind=leak what=table", "", false}, {4, "incident.contained measures=off", "", false}, {5, "incident.closed", "", false}}
	dismissed := []taking{{1, "incident.suspected kind=leak what=table", "", false}, {5, "incident.dismissed reason=none", "", false}}

	for _, tt := range []struct {
		name  string
		steps []taking
		state string
		marks string
	}{
		{"told before the end", append(closed, taking{3, "incident.authority-told authority=office", "", true}, taking{3, told, "", true}), "closed", "contained closed"},
		{"told after the end", append(closed, taking{8, "incident.authority-told authority=office", "", true}), "closed", "contained closed"},
		{"found before the end", append(closed, taking{2, "incident.detected kind=leak what=table", "", true}, taking{3, "incident.detected kind=leak what=table", "illegal-move", false}), "closed", "contained closed detected"},
		{"found after the end", append(closed, taking{6, "incident.detected kind=leak what=table", "illegal-move", false}), "closed", "contained closed"},
		{"ended twice", append(closed, taking{3, "incident.closed", "illegal-move", false}, taking{3, "incident.dismissed reason=none", "illegal-move", false}), "closed", "contained closed"},
		{"contained again", append(closed, taking{6, "incident.contained measures=off", "illegal-move", false}), "closed", "contained closed"},
		{"told before it was found to be nothing", append(dismissed, taking{3, "incident.authority-told authority=office", "", true}), "dismissed", "closed"},
		{"told after that", append(dismissed, taking{6, "incident.authority-told authority=office", "illegal-move", false}), "dismissed", "closed"},
		{"found, of what was nothing", append(dismissed, taking{3, "incident.detected kind=leak what=table", "illegal-move", false}), "dismissed", "closed"},
		{"opened again", append(closed, taking{7, "incident.reopened reason=more", "", false}, taking{7, "incident.contained measures=off", "", false}, taking{8, "incident.closed", "", false}), "closed", "contained closed"},
		{"opened again and open", append(dismissed, taking{7, "incident.reopened reason=more", "", false}, taking{3, "incident.detected kind=leak what=table", "", false}), "detected", "open detected"},
		{"suspected before it was found", []taking{{3, "incident.detected kind=leak what=table", "", false}, {1, "incident.suspected kind=leak what=table", "", true}, {4, "incident.suspected kind=leak what=table", "illegal-move", false}}, "detected", "open detected"},
		{"opened again before the end", append(closed, taking{3, "incident.reopened reason=more", "", false}, taking{3, "incident.reopened reason=more", "illegal-move", false}), "suspected", "open"},
		{"opened without an end", []taking{{1, "incident.suspected kind=leak what=table", "", false}, {2, "incident.reopened reason=more", "illegal-move", false}}, "suspected", "open"},
	} {
		i := cases.Incident{}
		for _, x := range tt.steps {
			at, recorded := t0+deadline.Instant(x.day)*deadline.Instant(deadline.Day), t0+9*deadline.Instant(deadline.Day)
			events, err := i.Decide(x.command(), promises().Reference, at, recorded)
			if got, _ := errors.AsType[refusal.Refusal](err); string(got.Code) != x.code {
				t.Fatalf("%s: %s: %v, want %q", tt.name, x.step, err, x.code)
			}
			for _, e := range events {
				if late := e.(Stepped).Late(); late != x.late {
					t.Errorf("%s: %s: late %t, want %t", tt.name, x.step, late, x.late)
				}
				i = i.Evolve(Fact{At: at, Recorded: recorded, Event: e})
			}
		}
		if got := strings.Join(i.Marks.Names(), " "); i.State != tt.state || !slices.Equal(sorted(i.Marks.Names()), sorted(strings.Fields(tt.marks))) {
			t.Errorf("%s: it is %s, with the marks %s; want %s, %s", tt.name, i.State, got, tt.state, tt.marks)
		}
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func TestAStepOfARequestThatArrivesLateIsTakenAndMovesNoClock(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []taking
		marks string
	}{
		{"told that it had arrived before the answer", []taking{{2, "identity.passed elements=IDE-4 checked_by=desk", "", false}, {3, "request.answered outcome=full channel=app", "", false}, {1, "request.acknowledged channel=app", "", true},
			{1, "request.acknowledged channel=app", "illegal-move", false}, {4, "request.acknowledged channel=app", "illegal-move", false}}, "acknowledged identity-known"},
		{"asked before it was known who asks", []taking{{3, "identity.passed elements=IDE-4 checked_by=desk", "", false}, {2, "identity.requested elements=IDE-4", "", true},
			{4, "identity.requested elements=IDE-4", "illegal-move", false}}, "open identity-known"},
		{"proved before the request was withdrawn", []taking{{5, "request.withdrawn", "", false}, {4, "identity.passed elements=IDE-4 checked_by=desk", "", true}}, "identity-known"},
		{"answered before it was withdrawn: whoever opens it again says so", []taking{{2, "identity.passed elements=IDE-4 checked_by=desk", "", false}, {5, "request.withdrawn", "", false}, {4, "request.answered outcome=full channel=app", "illegal-move", false}}, "identity-known"},
		{"dated before there was a request", []taking{{5, "request.withdrawn", "", false}, {-1, "request.acknowledged channel=app", "illegal-move", false}}, ""},
	} {
		r, ref := cases.Request{}, promises()
		fold := func(at deadline.Instant, events []Event) {
			for _, e := range events {
				r = r.Evolve(Fact{At: at, Recorded: max(at, r.Recorded), Event: e})
			}
		}
		events, err := r.Decide(OpenRequest{Types: []request.Type{request.Access}, Channel: "app", Subject: "p"}, ref, t0, t0)
		if err != nil {
			t.Fatal(err)
		}
		fold(t0, events)

		for _, x := range tt.steps {
			at, recorded := t0+deadline.Instant(x.day)*deadline.Instant(deadline.Day), t0+9*deadline.Instant(deadline.Day)
			events, err := r.Decide(x.command(), ref, at, recorded)
			if got, _ := errors.AsType[refusal.Refusal](err); string(got.Code) != x.code {
				t.Fatalf("%s: %s: %v, want %q", tt.name, x.step, err, x.code)
			}
			if len(events) > 0 && (events[0].(Stepped).Late() != x.late || x.late && len(events) != 1) {
				t.Errorf("%s: %s: %v", tt.name, x.step, events)
			}
			fold(at, events)
		}
		if !slices.Equal(sorted(r.Marks.Names()), sorted(strings.Fields(tt.marks))) {
			t.Errorf("%s: the marks are %v, want %s", tt.name, r.Marks, tt.marks)
		}
	}
}
