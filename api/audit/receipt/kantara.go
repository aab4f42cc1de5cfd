package receipt

import (
	"strings"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/policy"
)

const kantaraVersion = "KI-CR-v1.1.0"

// The Consent Receipt of the Kantara Initiative, version 1.1.0. Its evidence, the
// ids of purposes and policy, and what the form has no member for are members of
// our own, whose names begin with consentledger. What is not known is left out.
type (
	kantaraReceipt struct {
		Version          string              `json:"version"`
		Jurisdiction     string              `json:"jurisdiction,omitzero"`
		ConsentTimestamp int64               `json:"consentTimestamp"` // seconds since 1970
		CollectionMethod string              `json:"collectionMethod,omitzero"`
		ConsentReceiptID string              `json:"consentReceiptID"`
		PublicKey        string              `json:"publicKey"`
		Language         string              `json:"language,omitzero"`
		PIIPrincipalID   string              `json:"piiPrincipalId"`
		PIIControllers   []kantaraController `json:"piiControllers"`
		PolicyURL        string              `json:"policyUrl,omitzero"`
		Services         []kantaraService    `json:"services"`
		Sensitive        bool                `json:"sensitive"`
		SpiCat           []string            `json:"spiCat"`

		Answer        string       `json:"consentledgerAnswer"`               // given, refused or withdrawn
		Counts        bool         `json:"consentledgerCounts"`               // for any purpose
		Voided        *Void        `json:"consentledgerVoided,omitempty"`     // since, as a mistake
		Kind          string       `json:"consentledgerKind,omitzero"`        // of a grant
		Once          bool         `json:"consentledgerOnce,omitzero"`        // of a grant: one use uses it up
		Import        bool         `json:"consentledgerImport,omitzero"`      // of a grant: it came with a list of old ones
		All           bool         `json:"consentledgerAllPurposes,omitzero"` // of an opt-out
		NotCounted    []notCounted `json:"consentledgerNotCounted,omitempty"` // what a grant does not cover, and why
		PolicyVersion string       `json:"consentledgerPolicyVersion,omitzero"`
		Evidence      evidence     `json:"consentledger"`
	}
	kantaraController struct {
		PIIController string            `json:"piiController,omitzero"`
		OnBehalf      bool              `json:"onBehalf"`
		Contact       string            `json:"contact,omitzero"`
		Address       map[string]string `json:"address,omitempty"`
	}
	kantaraService struct {
		Service  string           `json:"service"`
		Purposes []kantaraPurpose `json:"purposes"`
	}
	kantaraPurpose struct {
		ID                   string   `json:"consentledgerPurpose"`
		Status               string   `json:"consentledgerStatus,omitzero"` // when the receipt was made
		Basis                string   `json:"consentledgerBasis,omitzero"`
		Purpose              string   `json:"purpose,omitzero"`
		PurposeCategory      []string `json:"purposeCategory,omitempty"`
		ConsentType          string   `json:"consentType"`
		PIICategory          []string `json:"piiCategory,omitempty"`
		PrimaryPurpose       bool     `json:"primaryPurpose"`
		Termination          string   `json:"termination"`
		ThirdPartyDisclosure bool     `json:"thirdPartyDisclosure"`
		ThirdPartyName       string   `json:"thirdPartyName,omitzero"`
	}
	notCounted struct {
		Purpose string `json:"purpose"`
		Why     string `json:"why"`
	}
)

func (c Consent) kantara(a answer) kantaraReceipt {
	d := c.Policy.Document
	r := kantaraReceipt{
		Version: kantaraVersion, Jurisdiction: c.App.Jurisdiction, ConsentTimestamp: a.from(c.Entry),
		CollectionMethod: a.Method, ConsentReceiptID: c.Entry.ID.String(), PublicKey: c.Key, Language: a.Locale,
		PIIPrincipalID: c.Entry.Stream.ID, PolicyURL: blobURL(a.Text), SpiCat: []string{},
		Answer: a.What.String(), Counts: a.counts(), Voided: c.State.voided(), All: a.All, Once: a.Once,
		Import: a.Import, Evidence: c.evidence(a),
		PIIControllers: []kantaraController{{PIIController: first(d.Handler.Name, c.App.Handler),
			Contact: d.Handler.Contact, Address: addressOf(d)}},
	}
	if a.Version != (content.Hash{}) {
		r.PolicyVersion = a.Version.String()
	}
	if a.What == domain.Given {
		r.Kind = a.Kind.String()
	}

	service := kantaraService{Service: string(c.App.Name), Purposes: []kantaraPurpose{}}
	for _, p := range a.about(d) {
		if short := a.short(p.ID); short != "" {
			r.NotCounted = append(r.NotCounted, notCounted{string(p.ID), string(short)})
			continue
		}
		service.Purposes = append(service.Purposes, c.kantaraPurpose(p, a))
		r.Sensitive = r.Sensitive || p.Sensitive
		for _, category := range p.Categories {
			if d.IsSensitive(category) {
				r.SpiCat = append(r.SpiCat, string(category))
			}
		}
	}
	r.Services = []kantaraService{service}
	return r
}

func addressOf(d policy.Document) map[string]string {
	if d.Handler.Address == "" {
		return map[string]string{}
	}
	return map[string]string{"streetAddress": d.Handler.Address}
}

func (c Consent) kantaraPurpose(p policy.Purpose, a answer) kantaraPurpose {
	k := kantaraPurpose{
		ID: string(p.ID), Purpose: p.Title, PurposeCategory: p.Codes, ConsentType: a.consentType(),
		PrimaryPurpose: p.Necessary,
		Termination:    c.ends(p, a),
	}
	if now, known := c.State.status(p.ID); known {
		k.Status = now.Status
	}
	if p.Basis != 0 {
		k.Basis = p.Basis.String()
	}

	for _, category := range p.Categories {
		k.PIICategory = append(k.PIICategory, string(category))
	}

	var names []string
	for _, r := range c.recipients(p.ID) {
		names = append(names, r.Title)
	}

	k.ThirdPartyDisclosure, k.ThirdPartyName = len(names) > 0, strings.Join(names, "; ")
	return k
}

// consentType says how the answer was given, which is not more than it was: a
// general "Agree" expresses consent, and is not explicit.
func (a answer) consentType() string {
	switch {
	case a.What != domain.Given:
		return strings.ToUpper(a.What.String())
	case a.Kind == policy.NoConsent:
		return "IMPLICIT"
	case a.Kind == policy.GeneralConsent:
		return "EXPRESSED"
	}
	return "EXPLICIT"
}

// ends says when what the answer began ends.
func (c Consent) ends(p policy.Purpose, a answer) string {
	now, _ := c.State.status(p.ID)
	over := now.Since != "" && now.Status != domain.Given.String() && now.Status != domain.Stale.String()
	switch v := c.State.voided(); {
	case v != nil:
		return "void since " + v.At
	case a.What != domain.Given:
		return "no consent: " + a.What.String()
	case over:
		return now.Status + " since " + now.Since
	case a.Until != 0 && a.Once:
		return "on " + a.Until.String() + ", when used once, or when withdrawn"
	case a.Until != 0:
		return "on " + a.Until.String() + ", or when withdrawn"
	case a.Once:
		return join("when used once, or when withdrawn", p.Retention)
	}
	return join("when withdrawn", p.Retention)
}

func (c Consent) recipients(id policy.PurposeID) []policy.Recipient {
	var list []policy.Recipient
	for _, r := range c.Policy.Document.Recipients {
		for _, p := range r.Purposes {
			if p == id {
				list = append(list, r)
			}
		}
	}
	return list
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
