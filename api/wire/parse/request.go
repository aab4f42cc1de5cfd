package parse

import (
	"maps"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/request"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// requestKinds are what is said about requests, incidents and obligations: a
// request, by apps too; every step, and what becomes of obligations, by
// operators.
func requestKinds() []kind {
	list := []kind{{
		name: "request.received", about: either, lessens: true,
		optOut: []string{"types", "channel", "purposes", "guardian"},
		fans:   true, read: as(requestReceived),
		example: `"types": ["complaint", "withdraw", "question"], "channel": "feedback", "authenticated": true, "purposes": ["personalisation"], "text": "Why do I see this? I do not want it."`,
	}}
	for _, rule := range catalog.StepRules {
		list = append(list, kind{name: string(rule.Kind), about: theApp, read: readStep, example: stepExample(rule)})
	}
	return append(list,
		kind{name: "obligation.met", about: theApp, read: as(obligationMet),
			example: `"stream": "obligation-smartkey-0123456789abcdef0123", "obligation": "stop.crm.own.stop", "evidence": "` + sampleText + `"`},
		kind{name: "obligation.voided", about: theApp, read: as(obligationVoided),
			example: `"stream": "obligation-smartkey-0123456789abcdef0123", "obligation": "stop.crm.own.stop", "reason": "system-gone"`})
}

// The data of requests and obligations.
type (
	RequestReceived struct {
		Types         []string `json:"types"`
		Policy        string   `json:"policy"`
		Channel       string   `json:"channel"`
		Authenticated bool     `json:"authenticated"`
		Purposes      []string `json:"purposes"`
		Text          string   `json:"text"`
		Document      string   `json:"document"`
		Guardian      string   `json:"guardian"`
	}
	ObligationMet struct {
		Stream     string `json:"stream"`
		Obligation string `json:"obligation"`
		Evidence   string `json:"evidence"`
	}
	ObligationVoided struct {
		Stream     string `json:"stream"`
		Obligation string `json:"obligation"`
		Reason     string `json:"reason"`
	}
)

func requestReceived(r *reader, c RequestReceived) domain.Command {
	r.need("types", len(c.Types) > 0)
	r.need("channel", c.Channel != "")
	r.guardian(c.Guardian)
	var types []request.Type
	for _, name := range c.Types {
		t, err := request.ParseType(name)
		if err != nil {
			r.fail("types", ": %v", err)
		}
		types = append(types, t)
	}

	purposes := r.purposes
	if slices.Contains(types, request.Withdraw) {
		purposes = r.denied
	}

	return domain.OpenRequest{
		Types: types, Policy: r.name("policy", c.Policy, 32),
		Channel: policy.ChannelID(r.name("channel", c.Channel, 64)), Authenticated: c.Authenticated,
		Purposes: purposes(c.Purposes), Text: r.sealed("text", c.Text), Document: r.hash("document", c.Document),
	}
}

func obligationMet(r *reader, c ObligationMet) domain.Command {
	r.onObligation(c.Stream, c.Obligation)
	return domain.MeetObligation{ID: c.Obligation, Evidence: r.hash("evidence", c.Evidence)}
}

func obligationVoided(r *reader, c ObligationVoided) domain.Command {
	r.onObligation(c.Stream, c.Obligation)
	return domain.VoidObligation{ID: c.Obligation, Reason: r.reason(c.Reason)}
}

// onObligation reads which obligation of which stream is meant.
func (r *reader) onObligation(stream, obligation string) {
	r.need("stream", stream != "")
	r.need("obligation", obligation != "")
	if len(obligation) > 200 || strings.Trim(obligation, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		r.fail("obligation", "must be an obligation's id, as in reply.cn.policy.request_reply")
	}
	id, err := ident.ParseStreamID(stream)
	if err != nil || id.Noun != ident.RequestNoun && id.Noun != ident.ObligationNoun {
		r.fail("stream", "must be the stream of a request or of obligations, as in "+
			"request-smartkey-0123456789abcdef0123")
	}
	r.stream = id
}

// readStep reads the data of a step: which request or incident it is of, and
// what notes have. The first step of an incident names none: it opens one.
func readStep(r *reader, data []byte) domain.Command {
	rule, _ := catalog.StepRuleOf(catalog.Step(r.kind))
	of := string(rule.Of)
	var shape map[string]jsontext.Value
	if err := json.Unmarshal(data, &shape); err != nil {
		r.err = wrongShape(err, "data")
		return nil
	}

	s := domain.TakeStep{Kind: rule.Kind}
	fields := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(shape)) {
		known := slices.ContainsFunc(rule.Fields, func(f catalog.FieldRule) bool { return f.Name == name })
		switch {
		case known:
			fields[name] = r.text(name, shape[name])
		case name == of:
			r.stream = ident.StreamID{Noun: ident.Noun(rule.Of), ID: r.name(name, r.text(name, shape[name]), 64)}
		case name == "evidence":
			s.Evidence = r.hash(name, r.text(name, shape[name]))
		case name == "details" && rule.Of == catalog.Request:
			s.Details = r.details(shape[name])
		default:
			r.unknown(name, append(fieldNames(rule.Fields), of))
		}
	}

	r.need(of, r.stream.ID != "" || rule.Opens())
	s.Fields = policy.Fields(fields)
	return s
}

func stepExample(rule catalog.StepRule) string {
	var members []string
	if !rule.Opens() {
		members = append(members, `"`+string(rule.Of)+`": "0123456789abcdef0123"`)
	}
	for _, f := range rule.Fields {
		if f.Required {
			members = append(members, `"`+f.Name+`": "`+fieldExample(f)+`"`)
		}
	}
	if rule.Kind == "request.rejected" {
		members = append(members, `"details": {"reasons": "ticket-17"}`)
	}
	return strings.Join(members, ", ")
}
