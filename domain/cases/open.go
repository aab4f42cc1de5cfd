package cases

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
)

func (r Request) receive(cmd domain.OpenRequest, ref Reference, at, recorded deadline.Instant) ([]domain.Event, error) {
	if r.Recorded != 0 {
		return nil, refusal.New(refusal.IllegalMove, "the request was received before")
	}
	if len(cmd.Types) == 0 {
		return nil, refusal.At(refusal.NothingNamed, "data.types",
			"say what is asked for: "+strings.Join(request.Names(), ", "))
	}

	if !form.IsName(string(cmd.Channel), 64) {
		return nil, refusal.At(refusal.Incomplete, "data.channel",
			`say by which channel it came: a name of 1 to 64 of a-z, 0-9 and "-"`)
	}

	if cmd.Subject == "" && cmd.Text != "" {
		return nil, refusal.At(refusal.Malformed, "data.text",
			"of nobody that is known there is nobody's vault to seal a text in: keep the letter as a document and "+
				"name its hash")
	}

	who := ref.person()
	v, ok := ref.Promised(who, cmd.Policy, at)
	if !ok { // what comes late from before a promise is owed like the rest
		v, ok = ref.Promised(who, cmd.Policy, recorded)
	}
	if !ok {
		return nil, unpromised(cmd)
	}

	e := domain.RequestReceived{
		Types: cmd.Types, Policy: v.Document.Name, Version: v.Version, Channel: cmd.Channel,
		Authenticated: cmd.Authenticated,
		Purposes:      shown(cmd.Purposes, ref.Policies), Subject: cmd.Subject, Text: cmd.Text, Document: cmd.Document,
		Cause: cmd.Cause, Guardian: cmd.Guardian,
	}
	for _, t := range cmd.Types {
		if !request.PromisesReply(&v.Document, t, cmd.Channel) {
			e.Unpromised = append(e.Unpromised, t)
		}
	}

	clocks, err := open(e, v.Document, "", at, ref.Reference)
	events := append([]domain.Event{e}, clocks...)
	if n := who.AskedBefore(cmd.Types, at); n > 0 {
		events = append(events, domain.Stepped{Kind: "request.repeated",
			Fields: policy.Fields(map[string]string{"times": strconv.Itoa(n), "days": strconv.Itoa(int(domain.RepeatWindow / deadline.Day))})})
	}
	return events, err
}

// unpromised says that no policy promises a reply, and that an opt-out was kept all
// the same.
func unpromised(cmd domain.OpenRequest) error {
	text := "the app has no policy in force: no promise says by when to reply"
	if cmd.Cause != (ident.EventID{}) {
		text += "; the withdrawal that is in it was recorded"
	}
	return refusal.New(refusal.NoPolicy, text)
}

// shown returns purposes as a request keeps them: a name that no version
// declares may be anything, and is kept as [refusal.Quote] shows it.
func shown(ids []policy.PurposeID, policies domain.Policies) []policy.PurposeID {
	var out []policy.PurposeID
	for _, id := range ids {
		if !policies.Declares(id) {
			id = policy.PurposeID(strings.Trim(refusal.Quote(string(id)), `"`))
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// open opens every rule that a type of the request has, each rule once.
func open(
	e domain.RequestReceived, d policy.Document, suffix string, at deadline.Instant, ref domain.Reference,
) ([]domain.Event, error) {
	types := map[deadline.RuleID][]request.Type{}
	o := obligation.Rules{Kind: policy.DutyReply, Version: e.Version, RuleSet: ref.Policies.RuleSet(e.Version),
		Suffix: suffix, Types: func(id deadline.RuleID) []request.Type { return types[id] }}
	byChannel := d.DeadlinesBy(e.Channel)
	for _, t := range e.Types {
		for _, rule := range append(request.DeadlinesOf(&d, t), byChannel...) {
			if slices.Contains(types[rule.ID], t) {
				continue
			}
			if types[rule.ID] == nil {
				o.Rules = append(o.Rules, rule)
			}
			types[rule.ID] = append(types[rule.ID], t)
		}
	}

	start := func(r deadline.Rule) deadline.Instant { return startOf(e, r, at) }
	cause := obligation.Cause{Kind: "request.received", Subject: e.Subject}
	events, err := opened(o.Open(start, cause, ref.Calendars))
	if err != nil {
		return nil, err
	}

	byLaw, err := opened(byLaw(e, d, types, suffix).Open(start, cause, ref.Calendars))
	return append(events, byLaw...), err
}

// byLaw returns the rules of the types for which the policy promises no date:
// the law's, or none with the reason. Nobody's request is owed nothing.
func byLaw(
	e domain.RequestReceived, d policy.Document, promised map[deadline.RuleID][]request.Type, suffix string,
) obligation.Rules {
	types := map[deadline.RuleID][]request.Type{}
	o := obligation.Rules{Kind: policy.DutyReply, Suffix: suffix,
		Types: func(id deadline.RuleID) []request.Type { return types[id] }}
	for _, t := range e.Types {
		if slices.ContainsFunc(slices.Collect(maps.Values(promised)),
			func(all []request.Type) bool { return slices.Contains(all, t) }) {
			continue
		}
		rule := request.LawReply(d.Jurisdiction, d.TimeZone, t)
		if types[rule.ID] == nil {
			o.Rules = append(o.Rules, rule)
		}
		types[rule.ID] = append(types[rule.ID], t)
	}
	return o
}

// startOf returns when a rule's clock starts for a request received at a
// moment; zero if it waits for a step.
func startOf(e domain.RequestReceived, r deadline.Rule, at deadline.Instant) deadline.Instant {
	waits := slices.ContainsFunc(catalog.StepRules,
		func(s catalog.StepRule) bool { return s.Starts != "" && s.Starts == r.ClockStart })
	if waits && !(r.ClockStart == "IdentityVerified" && e.Authenticated) {
		return 0
	}
	return at
}
