package receipt

import "consentledger/domain"

const recordType = "dpv:ConsentRecord"

// context gives the prefixes of the words that a record uses.
var context = map[string]string{
	"dpv":           "https://w3id.org/dpv#",
	"dct":           "http://purl.org/dc/terms/",
	"xsd":           "http://www.w3.org/2001/XMLSchema#",
	"consentledger": "urn:consentledger:",
}

// A consent record of ISO/IEC TS 27560:2023, in JSON-LD.
type (
	isoRecord struct {
		Context    map[string]string `json:"@context"`
		ID         string            `json:"@id"`
		Type       string            `json:"@type"`
		ConformsTo string            `json:"dct:conformsTo"`
		Identifier string            `json:"dct:identifier"`
		Subject    string            `json:"dpv:hasDataSubject"`
		Controller isoParty          `json:"dpv:hasDataController"`
		Notice     isoNotice         `json:"dpv:hasNotice"`
		Process    []isoProcess      `json:"dpv:hasProcess"`
		Event      isoEvent          `json:"dpv:hasConsentStatus"`
		Evidence   evidence          `json:"consentledger"`
	}
	isoParty struct {
		Type    string `json:"@type"`
		Name    string `json:"dpv:hasName"`
		Contact string `json:"dpv:hasContact"`
		Address string `json:"dpv:hasAddress"`
	}
	isoNotice struct {
		Type     string `json:"@type"`
		Version  string `json:"dct:hasVersion"` // the policy version by its hash
		Language string `json:"dct:language"`
		Source   string `json:"dct:source"`
		Text     string `json:"dct:identifier,omitzero"` // the text that was shown, by its hash
	}
	isoProcess struct {
		Type         string   `json:"@type"`
		Purpose      isoTitle `json:"dpv:hasPurpose"`
		LegalBasis   string   `json:"dpv:hasLegalBasis"`
		Data         []string `json:"dpv:hasPersonalData"`
		Processing   []string `json:"dpv:hasProcessing"`
		Recipients   []string `json:"dpv:hasRecipient"`
		Storage      string   `json:"dpv:hasStorageCondition"`
		Jurisdiction string   `json:"dpv:hasJurisdiction"`
		Withdrawal   string   `json:"dpv:hasWithdrawalMethod"`
		Rights       []string `json:"dpv:hasRight"`
	}
	isoTitle struct {
		ID    string `json:"dct:identifier"`
		Title string `json:"dct:title"`
	}
	isoEvent struct {
		Type     []string `json:"@type"`
		Date     isoDate  `json:"dct:date"`
		Until    *isoDate `json:"dct:valid,omitempty"`
		Entity   string   `json:"dpv:hasEntity"`
		Method   string   `json:"dpv:hasIndicationMethod"`
		Evidence string   `json:"consentledger:evidenceQuality"`
	}
	isoDate struct {
		Type  string `json:"@type"`
		Value string `json:"@value"`
	}
)

func dateOf(text string) isoDate { return isoDate{"xsd:dateTime", text} }

// processings are the words for actions.
var processings = map[domain.Action]string{
	domain.Collect: "dpv:Collect", domain.Use: "dpv:Use", domain.Provide: "dpv:Share", domain.Publish: "dpv:MakeAvailable", domain.Export: "dpv:Transfer",
}

func (c Consent) iso(given domain.ConsentGiven) isoRecord {
	d := c.Policy.Document
	r := isoRecord{
		Context: context, ID: "urn:uuid:" + c.Entry.ID.String(), Type: recordType, ConformsTo: "ISO/IEC TS 27560:2023",
		Identifier: c.Entry.ID.String(), Subject: c.Entry.Stream.ID,
		Controller: isoParty{"dpv:DataController", first(d.Handler.Name, c.App.Handler), d.Handler.Contact, d.Handler.Address},
		Notice:     isoNotice{Type: "dpv:ConsentNotice", Version: given.Version.String(), Language: given.Locale, Source: textURL(given)},
		Process:    []isoProcess{}, Evidence: c.evidence(),
		Event: isoEvent{
			Type: []string{"dpv:ConsentGiven", expressed(given.Kind)}, Date: dateOf(instant(seconds(c.Entry))), Entity: c.Entry.Actor,
			Method: string(given.Act), Evidence: given.Evidence.Quality.String(),
		},
	}
	if given.Text != (domain.Hash{}) {
		r.Notice.Text = given.Text.String()
	}
	if given.Until != 0 {
		until := dateOf(given.Until.String())
		r.Event.Until = &until
	}
	for _, p := range c.purposes(given) {
		r.Process = append(r.Process, c.isoProcess(p, given))
	}
	return r
}

func expressed(k domain.ConsentKind) string {
	if k == domain.NoConsent {
		return "dpv:ImpliedConsent"
	}
	return "dpv:ExplicitlyExpressedConsent"
}

func (c Consent) isoProcess(p domain.Purpose, given domain.ConsentGiven) isoProcess {
	x := isoProcess{
		Type: "dpv:Process", Purpose: isoTitle{string(p.ID), p.Title}, LegalBasis: "dpv:Consent", Data: []string{}, Processing: []string{},
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
		if right.ID == domain.AskWithdraw.Right() {
			x.Withdrawal = right.Procedure
		}
	}
	return x
}
