package receipt

import (
	"strings"

	"consentledger/domain"
)

const kantaraVersion = "KI-CR-v1.1.0"

// The Consent Receipt of the Kantara Initiative, version 1.1.0. Its evidence
// and the ids of purposes and policy are members of our own.
type (
	kantaraReceipt struct {
		Version          string              `json:"version"`
		Jurisdiction     string              `json:"jurisdiction"`
		ConsentTimestamp int64               `json:"consentTimestamp"` // seconds since 1970
		CollectionMethod string              `json:"collectionMethod"`
		ConsentReceiptID string              `json:"consentReceiptID"`
		PublicKey        string              `json:"publicKey"`
		Language         string              `json:"language"`
		PIIPrincipalID   string              `json:"piiPrincipalId"`
		PIIControllers   []kantaraController `json:"piiControllers"`
		PolicyURL        string              `json:"policyUrl"`
		Services         []kantaraService    `json:"services"`
		Sensitive        bool                `json:"sensitive"`
		SpiCat           []string            `json:"spiCat"`
		PolicyVersion    string              `json:"consentledgerPolicyVersion"`
		Evidence         evidence            `json:"consentledger"`
	}
	kantaraController struct {
		PIIController string            `json:"piiController"`
		OnBehalf      bool              `json:"onBehalf"`
		Contact       string            `json:"contact"`
		Address       map[string]string `json:"address"`
		Email         string            `json:"email"`
		Phone         string            `json:"phone"`
	}
	kantaraService struct {
		Service  string           `json:"service"`
		Purposes []kantaraPurpose `json:"purposes"`
	}
	kantaraPurpose struct {
		ID                   string   `json:"consentledgerPurpose"`
		Purpose              string   `json:"purpose"`
		PurposeCategory      []string `json:"purposeCategory"`
		ConsentType          string   `json:"consentType"`
		PIICategory          []string `json:"piiCategory"`
		PrimaryPurpose       bool     `json:"primaryPurpose"`
		Termination          string   `json:"termination"`
		ThirdPartyDisclosure bool     `json:"thirdPartyDisclosure"`
		ThirdPartyName       string   `json:"thirdPartyName"`
	}
)

func (c Consent) kantara(given domain.ConsentGiven) kantaraReceipt {
	d := c.Policy.Document
	r := kantaraReceipt{
		Version: kantaraVersion, Jurisdiction: c.App.Jurisdiction, ConsentTimestamp: seconds(c.Entry),
		CollectionMethod: string(given.Act), ConsentReceiptID: c.Entry.ID.String(), PublicKey: c.Key, Language: given.Locale,
		PIIPrincipalID: c.Entry.Stream.ID, PolicyURL: textURL(given), PolicyVersion: given.Version.String(), SpiCat: []string{}, Evidence: c.evidence(),
		PIIControllers: []kantaraController{{PIIController: first(d.Handler.Name, c.App.Handler), Contact: d.Handler.Contact, Address: addressOf(d)}},
	}
	service := kantaraService{Service: string(c.App.Name), Purposes: []kantaraPurpose{}}
	for _, p := range c.purposes(given) {
		service.Purposes = append(service.Purposes, c.kantaraPurpose(p, given))
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

func addressOf(d domain.Document) map[string]string {
	if d.Handler.Address == "" {
		return map[string]string{}
	}
	return map[string]string{"streetAddress": d.Handler.Address}
}

func (c Consent) kantaraPurpose(p domain.Purpose, given domain.ConsentGiven) kantaraPurpose {
	k := kantaraPurpose{
		ID: string(p.ID), Purpose: p.Title, PurposeCategory: p.Codes, ConsentType: "EXPLICIT", PIICategory: []string{},
		PrimaryPurpose: p.Necessary, Termination: c.termination(p, given),
	}
	if given.Kind == domain.NoConsent {
		k.ConsentType = "IMPLICIT"
	}
	if k.PurposeCategory == nil {
		k.PurposeCategory = []string{}
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

// termination says when the consent ends.
func (c Consent) termination(p domain.Purpose, given domain.ConsentGiven) string {
	if given.Until != 0 {
		return "on " + given.Until.String() + ", or when withdrawn"
	}
	return join("when withdrawn", p.Retention)
}

func (c Consent) recipients(id domain.PurposeID) []domain.Recipient {
	var list []domain.Recipient
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
