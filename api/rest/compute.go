package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"consentledger/api/auth"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Law is what the program knows of the law without being told. The zero Law
// knows nothing.
type Law struct {
	Rules     []deadline.Rule
	Calendars deadline.Calendars
	// Publish returns the calendars with those of a file, whose days are of the
	// jurisdiction otherwise unless it says so; nil: none can be read.
	Publish func(c deadline.Calendars, file []byte, otherwise string) (deadline.Calendars, error)
}

// A DeadlineQuestion asks by when something is owed.
type DeadlineQuestion struct {
	App       string           `json:"app,omitempty" doc:"whose policy has the rule, and whose calendars count; left out: a shipped rule, by the calendars that are shipped"`
	Rule      string           `json:"rule" doc:"as in cn.policy.request_reply: one of the app's policy, or else one that is shipped"`
	Start     string           `json:"start,omitempty" doc:"RFC 3339; left out: its clock has not started"`
	Pauses    []DeadlinePause  `json:"pauses,omitempty"`
	Extended  bool             `json:"extended,omitempty"`
	Calendars []map[string]any `json:"calendars,omitempty" doc:"more calendars, in their order: objects with off, makeup and adds_to, or of the shape of cn-workdays.json"`
}

// A DeadlinePause is a time for which a clock stood still.
type DeadlinePause struct {
	From   string `json:"from"`
	To     string `json:"to,omitempty" doc:"left out: it still does"`
	Reason string `json:"reason,omitempty" doc:"as in clarification; left out: one that stops every rule that can be stopped"`
}

func (s *server) computeRoute(api huma.API) {
	bodied[DeadlineQuestion](s, api, "compute-deadline", http.MethodPost, "/v1/deadlines/compute",
		"By when is something owed? Nothing is recorded", maxBody, s.computeDeadline)
}

type rawBody struct {
	RawBody []byte `contentType:"application/json"`
}

func (s *server) computeDeadline(ctx context.Context, in *rawBody) (*out[wire.Due], error) {
	var q DeadlineQuestion
	body := bytes.Clone(in.RawBody)
	var files struct {
		Calendars []jsontext.Value `json:"calendars"`
	}
	if err := errors.Join(json.Unmarshal(body, &q, json.RejectUnknownMembers(true)),
		json.Unmarshal(body, &files)); err != nil {
		return nil, bad(`want an object such as {"app": "smartkey", "rule": "cn.policy.request_reply", "start": "2026-03-02T10:00:00+08:00"}`)
	}
	if err := noEmpty(body); err != nil {
		return nil, err
	}
	if q.Rule == "" {
		return nil, bad("rule: is missing: say which rule, as in cn.policy.request_reply")
	}

	rule, set, calendars, err := s.question(ctx, q)
	if err != nil {
		return nil, err
	}

	for i, file := range files.Calendars {
		if s.Law.Publish == nil {
			return nil, bad("calendars: none can be read here")
		}
		if calendars, err = s.Law.Publish(calendars, file, rule.Calendar); err != nil {
			return nil, bad(fmt.Sprintf("calendars[%d]: %s", i, strings.ReplaceAll(err.Error(), "\n", "; ")))
		}
	}
	return s.compute(q, rule, set, calendars)
}

// noEmpty refuses what is empty in a question, in its pauses too: an app without a
// name is none, and a pause that ends nowhere was meant to end.
func noEmpty(body []byte) error {
	if err := parse.NoEmpty(body); err != nil {
		return err
	}

	var in struct {
		Pauses []jsontext.Value `json:"pauses"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return err
	}

	for i, p := range in.Pauses {
		if r, empty := errors.AsType[refusal.Refusal](parse.NoEmpty(p)); empty {
			r.Path, r.Text = fmt.Sprintf("pauses[%d].%s", i, r.Path), fmt.Sprintf("pauses[%d].%s", i, r.Text)
			return r
		}
	}
	return nil
}

// question finds the rule that a question means, the set that it is one of, and
// the calendars to count by.
func (s *server) question(
	ctx context.Context, q DeadlineQuestion,
) (deadline.Rule, content.Hash, deadline.Calendars, error) {
	calendars := s.Law.Calendars
	if q.App != "" {
		name, err := ident.ParseAppName(q.App)
		if err != nil {
			return deadline.Rule{}, content.Hash{}, calendars, bad("app: " + err.Error())
		}
		if !auth.Sees(ctx, name) {
			return deadline.Rule{}, content.Hash{}, calendars, errUnseen
		}
		ref, err := s.Ledger.App(ctx, name)
		if err != nil {
			return deadline.Rule{}, content.Hash{}, calendars, err
		}
		calendars = ref.Calendars
		if r, version, ok := ruleOf(ref.Policies, q.Rule); ok {
			return r, ref.Policies.RuleSet(version), calendars, nil
		}
	}

	for _, r := range s.Law.Rules {
		if string(r.ID) == q.Rule {
			return r, policy.RuleSet(s.Law.Rules), calendars, nil
		}
	}

	return deadline.Rule{}, content.Hash{}, calendars, failure{plain(http.StatusNotFound,
		"no policy of this app has such a rule, and none that is shipped is called so")}
}

// ruleOf returns the rule of the version that was published last, and the version.
func ruleOf(p domain.Policies, id string) (deadline.Rule, content.Hash, bool) {
	for _, v := range slices.Backward(p.Versions()) {
		if r, ok := v.Document.DeadlineRule(deadline.RuleID(id)); ok {
			return r, v.Version, true
		}
	}
	return deadline.Rule{}, content.Hash{}, false
}

func (s *server) compute(
	q DeadlineQuestion, rule deadline.Rule, set content.Hash, calendars deadline.Calendars,
) (*out[wire.Due], error) {
	var wrong error
	read := func(member, text string) deadline.Instant {
		if text == "" {
			return 0
		}
		i, err := deadline.ParseInstant(text)
		if err != nil && wrong == nil {
			wrong = bad(member + ": " + err.Error())
		}
		return i
	}

	start := read("start", q.Start)
	var pauses []deadline.Pause
	for _, p := range q.Pauses {
		pauses = append(pauses, deadline.Pause{
			From:   read("pauses.from", p.From),
			To:     read("pauses.to", p.To),
			Reason: p.Reason,
		})
	}

	if wrong != nil {
		return nil, wrong
	}

	due, err := deadline.Compute(rule, start, pauses, q.Extended, calendars)
	if err != nil {
		return nil, bad(err.Error())
	}

	zone, err := deadline.ParseZone(rule.TimeZone)
	if err != nil {
		return nil, err
	}
	return ok(wire.DueOf(due, zone, set))
}
