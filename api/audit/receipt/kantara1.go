package receipt

import (
	"strings"

	"consentledger/domain"
	"consentledger/domain/policy"
)

// A Kantara receipt of the first edition, which is written no more: it is derived
// again to verify those that were issued.
type (
	kantara1Receipt struct {
		Version          string               `json:"version"`
		Jurisdiction     string               `json:"jurisdiction"`
		ConsentTimestamp int64                `json:"consentTimestamp"` // seconds since 1970
		CollectionMethod string               `json:"collectionMethod"`
		ConsentReceiptID string               `json:"consentReceiptID"`
		PublicKey        string               `json:"publicKey"`
		Language         string               `json:"language"`
		PIIPrincipalID   string               `json:"piiPrincipalId"`
		PIIControllers   []kantara1Controller `json:"piiControllers"`
		PolicyURL        string               `json:"policyUrl"`
		Services         []kantara1Service    `json:"services"`
		Sensitive        bool                 `json:"sensitive"`
		SpiCat           []string             `json:"spiCat"`
		PolicyVersion    string               `json:"consentledgerPolicyVersion"`
		Evidence         evidence1            `json:"consentledger"`
	}
	kantara1Controller struct {
		PIIController string            `json:"piiController"`
		OnBehalf      bool              `json:"onBehalf"`
		Contact       string            `json:"contact"`
		Address       map[string]string `json:"address"`
		Email         string            `json:"email"`
		Phone         string            `json:"phone"`
	}
	kantara1Service struct {
		Service  string            `json:"service"`
		Purposes []kantara1Purpose `json:"purposes"`
	}
	kantara1Purpose struct {
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

func (c Consent) kantara1(given domain.ConsentGiven) kantara1Receipt {
	d := c.Policy.Document
	r := kantara1Receipt{
		Version: kantaraVersion, Jurisdiction: c.App.Jurisdiction, ConsentTimestamp: seconds(c.Entry),
		CollectionMethod: string(given.Act), ConsentReceiptID: c.Entry.ID.String(), PublicKey: c.Key,
		Language:       given.Locale,
		PIIPrincipalID: c.Entry.Stream.ID, PolicyURL: textURL(given), PolicyVersion: given.Version.String(),
		SpiCat: []string{}, Evidence: c.evidence1(),
		PIIControllers: []kantara1Controller{{PIIController: first(d.Handler.Name, c.App.Handler),
			Contact: d.Handler.Contact, Address: addressOf(d)}},
	}
	service := kantara1Service{Service: string(c.App.Name), Purposes: []kantara1Purpose{}}
	for _, p := range c.purposes(given) {
		service.Purposes = append(service.Purposes, c.kantara1Purpose(p, given))
		r.Sensitive = r.Sensitive || p.Sensitive
		for _, category := range p.Categories {
			if d.IsSensitive(category) {
				r.SpiCat = append(r.SpiCat, string(category))
			}
		}
	}

	r.Services = []kantara1Service{service}
	return r
}

func (c Consent) kantara1Purpose(p policy.Purpose, given domain.ConsentGiven) kantara1Purpose {
	k := kantara1Purpose{
		ID: string(p.ID), Purpose: p.Title, PurposeCategory: p.Codes, ConsentType: "EXPLICIT", PIICategory: []string{},
		PrimaryPurpose: p.Necessary, Termination: c.termination(p, given),
	}
	if given.Kind == policy.NoConsent {
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
func (c Consent) termination(p policy.Purpose, given domain.ConsentGiven) string {
	if given.Until != 0 {
		return "on " + given.Until.String() + ", or when withdrawn"
	}
	return join("when withdrawn", p.Retention)
}
