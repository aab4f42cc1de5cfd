package receipt

import (
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// context1 gives the prefixes of the words that a record uses.
var context1 = map[string]string{
	"dpv":           "https://w3id.org/dpv#",
	"dct":           "http://purl.org/dc/terms/",
	"xsd":           "http://www.w3.org/2001/XMLSchema#",
	"consentledger": "urn:consentledger:",
}

// A consent record of the first edition, which is written no more: it is derived
// again to verify those that were issued.
type (
	iso1Record struct {
		Context    map[string]string `json:"@context"`
		ID         string            `json:"@id"`
		Type       string            `json:"@type"`
		ConformsTo string            `json:"dct:conformsTo"`
		Identifier string            `json:"dct:identifier"`
		Subject    string            `json:"dpv:hasDataSubject"`
		Controller iso1Party         `json:"dpv:hasDataController"`
		Notice     iso1Notice        `json:"dpv:hasNotice"`
		Process    []iso1Process     `json:"dpv:hasProcess"`
		Event      iso1Event         `json:"dpv:hasConsentStatus"`
		Evidence   evidence1         `json:"consentledger"`
	}
	iso1Party struct {
		Type    string `json:"@type"`
		Name    string `json:"dpv:hasName"`
		Contact string `json:"dpv:hasContact"`
		Address string `json:"dpv:hasAddress"`
	}
	iso1Notice struct {
		Type     string `json:"@type"`
		Version  string `json:"dct:hasVersion"` // the policy version by its hash
		Language string `json:"dct:language"`
		Source   string `json:"dct:source"`
		Text     string `json:"dct:identifier,omitzero"` // the text that was shown, by its hash
	}
	iso1Process struct {
		Type         string    `json:"@type"`
		Purpose      iso1Title `json:"dpv:hasPurpose"`
		LegalBasis   string    `json:"dpv:hasLegalBasis"`
		Data         []string  `json:"dpv:hasPersonalData"`
		Processing   []string  `json:"dpv:hasProcessing"`
		Recipients   []string  `json:"dpv:hasRecipient"`
		Storage      string    `json:"dpv:hasStorageCondition"`
		Jurisdiction string    `json:"dpv:hasJurisdiction"`
		Withdrawal   string    `json:"dpv:hasWithdrawalMethod"`
		Rights       []string  `json:"dpv:hasRight"`
	}
	iso1Title struct {
		ID    string `json:"dct:identifier"`
		Title string `json:"dct:title"`
	}
	iso1Event struct {
		Type     []string `json:"@type"`
		Date     isoDate  `json:"dct:date"`
		Until    *isoDate `json:"dct:valid,omitempty"`
		Entity   string   `json:"dpv:hasEntity"`
		Method   string   `json:"dpv:hasIndicationMethod"`
		Evidence string   `json:"consentledger:evidenceQuality"`
	}
)

func (c Consent) iso1(given domain.ConsentGiven) iso1Record {
	d := c.Policy.Document
	r := iso1Record{
		Context: context1, ID: "urn:uuid:" + c.Entry.ID.String(), Type: recordType, ConformsTo: "ISO/IEC TS 27560:2023",
		Identifier: c.Entry.ID.String(), Subject: c.Entry.Stream.ID,
		Controller: iso1Party{"dpv:DataController", first(d.Handler.Name, c.App.Handler), d.Handler.Contact,
			d.Handler.Address},
		Notice: iso1Notice{Type: "dpv:ConsentNotice", Version: given.Version.String(), Language: given.Locale,
			Source: textURL(given)},
		Process: []iso1Process{}, Evidence: c.evidence1(),
		Event: iso1Event{
			Type: []string{"dpv:ConsentGiven", expressed(given.Kind)}, Date: dateOf(instant(seconds(c.Entry))),
			Entity: c.Entry.Actor,
			Method: string(given.Act), Evidence: given.Evidence.Quality.String(),
		},
	}
	if given.Text != (content.Hash{}) {
		r.Notice.Text = given.Text.String()
	}

	if given.Until != 0 {
		until := dateOf(given.Until.String())
		r.Event.Until = &until
	}

	for _, p := range c.purposes(given) {
		r.Process = append(r.Process, c.iso1Process(p, given))
	}
	return r
}

func expressed(k policy.ConsentKind) string {
	if k == policy.NoConsent {
		return "dpv:ImpliedConsent"
	}
	return "dpv:ExplicitlyExpressedConsent"
}

func (c Consent) iso1Process(p policy.Purpose, given domain.ConsentGiven) iso1Process {
	x := iso1Process{
		Type: "dpv:Process", Purpose: iso1Title{string(p.ID), p.Title}, LegalBasis: "dpv:Consent", Data: []string{},
		Processing: []string{},
		Recipients: []string{}, Storage: c.termination(p, given), Jurisdiction: c.App.Jurisdiction, Rights: []string{},
	}
	for _, category := range p.Categories {
		x.Data = append(x.Data, string(category))
	}

	for _, a := range p.Actions {
		x.Processing = append(x.Processing, processings[a])
	}

	for _, r := range c.recipients(p.ID) {
		x.Recipients = append(x.Recipients, r.Title)
	}

	for _, right := range c.Policy.Document.Rights {
		x.Rights = append(x.Rights, string(right.ID))
		if right.ID == request.Withdraw.Right() {
			x.Withdrawal = right.Procedure
		}
	}
	return x
}
