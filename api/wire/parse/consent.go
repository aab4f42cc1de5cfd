package parse

import (
	"consentledger/domain"
	"consentledger/domain/policy"
	"consentledger/domain/surface"

	"github.com/go-json-experiment/json/jsontext"
)

// optOut are the members that say what is refused or withdrawn, and who says so.
var optOut = []string{"all", "purposes", "guardian"}

var consentKinds = []kind{
	{name: "consent.given", read: as(consentGiven), example: `"policy": "privacy", "locale": "en", "act": "confirm-next", "kind": "explicit", "purposes": ["personalisation"],
		"build": "5.2.1+1203", "initial": "button", "until": "{in a year}", "details": {"screen": "sign-up"}`},
	{name: "consent.refused", lessens: true, optOut: optOut, fans: true, read: as(consentRefused), example: `"purposes": ["promotion-evaluation"], "policy": "privacy", "locale": "en", "act": "agree-popup"`},
	{name: "consent.withdrawn", lessens: true, optOut: optOut, fans: true, read: as(consentWithdrawn), example: `"purposes": ["personalisation"], "details": {"screen": "settings"}`},
	{name: "consent.requested", read: as(consentRequested), example: `"purposes": ["customer-research"], "reason": "feature-used", "locale": "en"`},
	{name: "consent.used", lessens: true, read: as(consentUsed), example: `"consents": ["01234567-89ab-cdef-0123-456789abcdef"]`},
}

// The data of consents.
type (
	ConsentGiven struct {
		Policy   string         `json:"policy"`
		Version  string         `json:"version"`
		Locale   string         `json:"locale"`
		Text     string         `json:"text"`
		Act      string         `json:"act"`
		Kind     string         `json:"kind"`
		Purposes []string       `json:"purposes"`
		Notice   string         `json:"notice"`
		Until    string         `json:"until"`
		Import   bool           `json:"import"`
		Details  jsontext.Value `json:"details"`
		Build    string         `json:"build"`
		Control  string         `json:"control"`
		Initial  string         `json:"initial"`
		Once     bool           `json:"once"`
		Guardian string         `json:"guardian"`
		Proof    *Proof         `json:"proof"`
		Confirms []string       `json:"confirms"`

		FilteredBy string `json:"filtered_by" doc:"of an import: the principal by whose list of erased persons it was filtered, as in operator:ann; needed once anybody was erased from the app"`
	}
	ConsentRefused struct {
		All      bool           `json:"all"`
		Purposes []string       `json:"purposes"`
		Policy   string         `json:"policy"`
		Version  string         `json:"version"`
		Locale   string         `json:"locale"`
		Act      string         `json:"act"`
		Details  jsontext.Value `json:"details"`
		Notice   string         `json:"notice"`
		Build    string         `json:"build"`
		Control  string         `json:"control"`
		Initial  string         `json:"initial"`
		Guardian string         `json:"guardian"`
	}
	ConsentWithdrawn struct {
		Act      string         `json:"act"`
		All      bool           `json:"all"`
		Purposes []string       `json:"purposes"`
		Details  jsontext.Value `json:"details"`
		Build    string         `json:"build"`
		Guardian string         `json:"guardian"`
	}
	ConsentRequested struct {
		Purposes []string `json:"purposes"`
		Reason   string   `json:"reason"`
		Locale   string   `json:"locale"`
	}
	ConsentUsed struct {
		Consents []string `json:"consents"`
	}
	Proof struct {
		Document  string `json:"document"`
		Method    string `json:"method"`
		CheckedBy string `json:"checked_by"`
	}
)

func consentGiven(r *reader, c ConsentGiven) domain.Command {
	if c.Act == "" && c.Control == "" {
		r.fail("act", "is missing: name what the person did, or the control of the surface that was presented")
	}

	r.guardian(c.Guardian)
	if c.Purposes != nil && len(c.Purposes) == 0 {
		r.fail("purposes", ": is empty: name what the person agreed to, or leave it out for all that the act covers; "+
			"nothing was agreed to if nothing was chosen")
	}

	if c.FilteredBy != "" {
		c.FilteredBy = r.principal("filtered_by", c.FilteredBy)
	}

	return domain.GiveConsent{
		Policy: r.name("policy", c.Policy, 32), Version: r.hash("version", c.Version), Locale: r.locale(c.Locale),
		Text: r.hash("text", c.Text),
		Act:  policy.ActID(r.name("act", c.Act, 64)), Kind: parseAs(r, "kind", c.Kind, policy.ParseConsentKind),
		Purposes: r.purposes(c.Purposes),
		Notice:   r.eventID("notice", c.Notice), Until: r.time("until", c.Until), Import: c.Import,
		Details: r.details(c.Details),
		Build:   r.build(c.Build), Control: surface.ControlID(r.name("control", c.Control, 64)),
		Initial: parseAs(r, "initial", c.Initial, surface.ParseState), Once: c.Once, Proof: readProof(r, c.Proof),
		Confirms:   r.eventIDs("confirms", c.Confirms),
		FilteredBy: c.FilteredBy,
	}
}

// read reads a proof, whole or not there.
func readProof(r *reader, p *Proof) domain.Proof {
	if p == nil {
		return domain.Proof{}
	}
	r.need("proof.document", p.Document != "")
	r.need("proof.method", p.Method != "")
	return domain.Proof{
		Document: r.hash("proof.document", p.Document), Method: r.name("proof.method", p.Method, 64),
		CheckedBy: r.principal("proof.checked_by", p.CheckedBy),
	}
}

func consentRefused(r *reader, c ConsentRefused) domain.Command {
	r.guardian(c.Guardian)
	return domain.RefuseConsent{
		Scope:  policy.Scope{All: c.All, Purposes: r.denied(c.Purposes)},
		Policy: r.name("policy", c.Policy, 32), Version: r.hash("version", c.Version), Locale: r.locale(c.Locale),
		Act: policy.ActID(r.name("act", c.Act, 64)), Details: r.details(c.Details),
		Notice: r.eventID("notice", c.Notice),
		Build:  r.build(c.Build), Control: surface.ControlID(r.name("control", c.Control, 64)),
		Initial: parseAs(r, "initial", c.Initial, surface.ParseState),
	}
}

func consentWithdrawn(r *reader, c ConsentWithdrawn) domain.Command {
	r.guardian(c.Guardian)
	return domain.WithdrawConsent{
		Scope: policy.Scope{All: c.All, Purposes: r.denied(c.Purposes)}, Details: r.details(c.Details),
		Build: r.build(c.Build),
		Act:   policy.ActID(r.name("act", c.Act, 64)),
	}
}

func consentRequested(r *reader, c ConsentRequested) domain.Command {
	r.need("purposes", len(c.Purposes) > 0)
	return domain.RequestConsent{Purposes: r.purposes(c.Purposes), Reason: r.reason(c.Reason),
		Locale: r.locale(c.Locale)}
}

func consentUsed(r *reader, c ConsentUsed) domain.Command {
	return domain.Say{Event: domain.ConsentUsed{Consents: r.eventIDs("consents", c.Consents)}}
}
