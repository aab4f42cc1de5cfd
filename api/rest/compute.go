package rest

import (
	"bytes"
	"context"
	"net/http"
	"slices"

	"consentledger/api/wire"
	"consentledger/domain"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
)

// A DeadlineQuestion asks by when something is owed.
type DeadlineQuestion struct {
	App      string          `json:"app" doc:"whose policy has the rule, and whose calendars count"`
	Rule     string          `json:"rule" doc:"as in cn.policy.request_reply"`
	Start    string          `json:"start,omitempty" doc:"RFC 3339; left out: its clock has not started"`
	Pauses   []DeadlinePause `json:"pauses,omitempty"`
	Extended bool            `json:"extended,omitempty"`
}

// A DeadlinePause is a time for which a clock stood still.
type DeadlinePause struct {
	From   string `json:"from"`
	To     string `json:"to,omitempty" doc:"left out: it still does"`
	Reason string `json:"reason,omitempty" doc:"as in clarification; left out: one that stops every rule that can be stopped"`
}

func (s *server) computeRoute(api huma.API) {
	bodied[DeadlineQuestion](s, api, "compute-deadline", http.MethodPost, "/v1/deadlines/compute", "By when is something owed? Nothing is recorded", maxBody, s.computeDeadline)
}

type rawBody struct {
	RawBody []byte `contentType:"application/json"`
}

func (s *server) computeDeadline(ctx context.Context, in *rawBody) (*out[wire.Due], error) {
	var q DeadlineQuestion
	if err := json.Unmarshal(bytes.Clone(in.RawBody), &q, json.RejectUnknownMembers(true)); err != nil {
		return nil, bad(`want an object such as {"app": "smartkey", "rule": "cn.policy.request_reply", "start": "2026-03-02T10:00:00+08:00"}`)
	}
	name, err := domain.ParseAppName(q.App)
	if err != nil {
		return nil, bad("app: " + err.Error())
	}
	ref, err := s.Ledger.App(ctx, name)
	if err != nil {
		return nil, err
	}
	rule, found := ruleOf(ref.Policies, q.Rule)
	if !found {
		return nil, failure{plain(http.StatusNotFound, "no policy of this app has such a rule")}
	}
	return s.compute(q, rule, ref.Calendars)
}

// ruleOf returns the rule of the version that was published last.
func ruleOf(p domain.Policies, id string) (domain.DeadlineRule, bool) {
	for _, v := range slices.Backward(p.Versions()) {
		if r, ok := v.Document.DeadlineRule(domain.DeadlineRuleID(id)); ok {
			return r, true
		}
	}
	return domain.DeadlineRule{}, false
}

func (s *server) compute(q DeadlineQuestion, rule domain.DeadlineRule, calendars domain.Calendars) (*out[wire.Due], error) {
	var wrong error
	read := func(member, text string) domain.Instant {
		if text == "" {
			return 0
		}
		i, err := domain.ParseInstant(text)
		if err != nil && wrong == nil {
			wrong = bad(member + ": " + err.Error())
		}
		return i
	}
	start := read("start", q.Start)
	var pauses []domain.Pause
	for _, p := range q.Pauses {
		pauses = append(pauses, domain.Pause{From: read("pauses.from", p.From), To: read("pauses.to", p.To), Reason: p.Reason})
	}
	if wrong != nil {
		return nil, wrong
	}
	due, err := domain.Compute(rule, start, pauses, q.Extended, calendars)
	if err != nil {
		return nil, bad(err.Error())
	}
	zone, err := domain.ParseZone(rule.TimeZone)
	if err != nil {
		return nil, err
	}
	return ok(wire.DueOf(due, zone))
}
