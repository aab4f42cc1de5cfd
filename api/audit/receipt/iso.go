package receipt

import (
	"maps"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

const recordType = "dpv:ConsentRecord"

// jurisdictions is the prefix of the Data Privacy Vocabulary's countries.
const jurisdictions = "loc:"

// vocabulary is the context of a record. Prefixes alone would leave every value
// a text: it says which values are concepts, and gives our own members, nested
// ones too, a name that an expansion keeps.
var vocabulary = map[string]any{
	"@version": 1.1,
	"dpv":      "https://w3id.org/dpv#",
	"loc":      "https://w3id.org/dpv/loc#",
	"dct":      "http://purl.org/dc/terms/",
	"xsd":      "http://www.w3.org/2001/XMLSchema#",

	"dpv:hasLegalBasis":   concept,
	"dpv:hasProcessing":   concept,
	"dpv:hasJurisdiction": concept,
	"dpv:hasEntity":       map[string]any{"@type": "@vocab"},
	"person":              "dpv:DataSubject",
	"guardian":            "dpv:GuardianOfDataSubject",
	"operator":            "dpv:DataController",
	"system":              own + "system",
	"authority":           "dpv:Authority",

	"answer":        own + "answer",
	"evidenceLevel": own + "evidenceLevel",
	"status":        own + "status",
	"consentledger": map[string]any{"@id": own + "evidence", "@context": map[string]any{"@vocab": own}},
}

const own = "urn:consentledger:"

// vocabularyVoided is the context of a record that was voided.
var vocabularyVoided = withTerm(vocabulary, "voided")

func withTerm(context map[string]any, term string) map[string]any {
	context = maps.Clone(context)
	context[term] = own + term
	return context
}

var concept = map[string]any{"@type": "@id"}

// A consent record of ISO/IEC TS 27560:2023, in JSON-LD. What is not known is left
// out.
type (
	isoRecord struct {
		Context    map[string]any `json:"@context"`
		ID         string         `json:"@id"`
		Type       string         `json:"@type"`
		ConformsTo string         `json:"dct:conformsTo"`
		Identifier string         `json:"dct:identifier"`
		Subject    isoNamed       `json:"dpv:hasDataSubject"`
		Controller isoParty       `json:"dpv:hasDataController"`
		Notice     *isoNotice     `json:"dpv:hasNotice,omitempty"`
		Process    []isoProcess   `json:"dpv:hasProcess,omitempty"`
		Status     []isoStatus    `json:"dpv:hasConsentStatus"` // when the receipt was made
		Answer     isoAnswer      `json:"answer"`
		Evidence   evidence       `json:"consentledger"`
	}
	isoNamed struct {
		Type  string `json:"@type"`
		ID    string `json:"dct:identifier,omitzero"`
		Title string `json:"dct:title,omitzero"`
	}
	isoParty struct {
		Type    string `json:"@type"`
		Name    string `json:"dpv:hasName,omitzero"`
		Contact string `json:"dpv:hasContact,omitzero"`
		Address string `json:"dpv:hasAddress,omitzero"`
	}
	isoNotice struct {
		Type     string `json:"@type"`
		Version  string `json:"dct:hasVersion"` // the policy version by its hash
		Language string `json:"dct:language,omitzero"`
		Source   string `json:"dct:source,omitzero"`
		Text     string `json:"dct:identifier,omitzero"` // the text that was shown, by its hash
	}
	isoProcess struct {
		Type         string        `json:"@type"`
		Purpose      isoNamed      `json:"dpv:hasPurpose"`
		LegalBasis   string        `json:"dpv:hasLegalBasis,omitzero"`
		Data         []isoNamed    `json:"dpv:hasPersonalData,omitempty"`
		Processing   []string      `json:"dpv:hasProcessing,omitempty"`
		Recipients   []isoParty    `json:"dpv:hasRecipient,omitempty"`
		Storage      *isoCondition `json:"dpv:hasStorageCondition,omitempty"`
		Jurisdiction string        `json:"dpv:hasJurisdiction,omitzero"`
		Control      *isoCondition `json:"dpv:hasConsentControl,omitempty"`
		Rights       []isoNamed    `json:"dpv:hasRight,omitempty"`
		Status       []isoStatus   `json:"dpv:hasConsentStatus"`
	}
	isoCondition struct {
		Type        string `json:"@type"`
		Description string `json:"dct:description,omitzero"`
	}
	isoStatus struct {
		Type   string   `json:"@type"`
		Status string   `json:"status"` // as the ledger calls it, which has more of them
		Date   *isoDate `json:"dct:date,omitempty"`
		Until  *isoDate `json:"dct:valid,omitempty"`
		Short  string   `json:"dct:description,omitzero"` // why a grant does not count
	}
	isoAnswer struct {
		Type     string   `json:"@type,omitzero"` // of a grant: the kind of consent
		Kind     string   `json:"dct:type,omitzero"`
		Status   string   `json:"status"`
		Date     isoDate  `json:"dct:date"`
		Until    *isoDate `json:"dct:valid,omitempty"`
		Entity   string   `json:"dpv:hasEntity,omitzero"`
		Method   string   `json:"dpv:hasIndicationMethod,omitzero"`
		Evidence string   `json:"evidenceLevel,omitzero"`
		Voided   *isoVoid `json:"voided,omitempty"`
		Once     bool     `json:"once,omitzero"`
	}
	isoVoid struct {
		ID     string  `json:"dct:identifier"` // of the record that says so
		Type   string  `json:"dct:type"`
		Date   isoDate `json:"dct:date"`
		Reason string  `json:"dct:description"`
	}
	isoDate struct {
		Type  string `json:"@type"`
		Value string `json:"@value"`
	}
)

func dateOf(text string) isoDate { return isoDate{"xsd:dateTime", text} }

// dated is dateOf for what may be unknown.
func dated(text string) *isoDate {
	if text == "" {
		return nil
	}
	d := dateOf(text)
	return &d
}

// processings are the concepts of actions.
var processings = map[policy.Action]string{
	policy.Collect: "dpv:Collect", policy.Use: "dpv:Use", policy.Provide: "dpv:Share",
	policy.Publish: "dpv:MakeAvailable", policy.Export: "dpv:Transfer",
}

// bases are the concepts of legal bases. Those of the PIPL that the vocabulary
// has no word for are legal bases, and no more.
var bases = map[policy.LegalBasis]string{
	policy.BasisConsent: "dpv:Consent", policy.BasisContract: "dpv:Contract",
	policy.BasisLegalDuty: "dpv:LegalObligation",
	policy.BasisEmergency: "dpv:VitalInterest", policy.BasisNews: "dpv:PublicInterest",
	policy.BasisDisclosed: "dpv:LegalBasis", policy.BasisOtherLaw: "dpv:LegalBasis",
}

// statuses are the concepts of what holds. A grant that fell short, or that must
// be asked for again, is none that processing may rest on.
var statuses = map[string]string{
	domain.Given.String(): "dpv:ConsentGiven", domain.Refused.String(): "dpv:ConsentRefused",
	domain.Withdrawn.String(): "dpv:ConsentWithdrawn",
	domain.Expired.String():   "dpv:ConsentExpired", domain.Stale.String(): "dpv:ConsentUnknown",
	domain.AskAgain.String():   "dpv:ConsentUnknown",
	domain.NeverAsked.String(): "dpv:ConsentUnknown",
}

func (c Consent) iso(a answer) isoRecord {
	d := c.Policy.Document
	r := isoRecord{
		Context: vocabulary, ID: "urn:uuid:" + c.Entry.ID.String(), Type: recordType,
		ConformsTo: "ISO/IEC TS 27560:2023",
		Identifier: c.Entry.ID.String(), Subject: isoNamed{Type: "dpv:DataSubject", ID: c.Entry.Stream.ID},
		Controller: isoParty{"dpv:DataController", first(d.Handler.Name, c.App.Handler), d.Handler.Contact,
			d.Handler.Address},
		Answer: c.isoAnswer(a), Evidence: c.evidence(a),
	}
	if c.State.voided() != nil {
		r.Context = vocabularyVoided
	}
	if a.Once {
		r.Context = withTerm(r.Context, "once")
	}

	if a.Version != (content.Hash{}) {
		r.Notice = &isoNotice{Type: "dpv:ConsentNotice", Version: a.Version.String(), Language: a.Locale,
			Source: blobURL(a.Text)}
		if a.Text != (content.Hash{}) {
			r.Notice.Text = a.Text.String()
		}
	}

	for _, p := range a.about(d) {
		status := c.isoStatus(p.ID, a)
		if !slices.ContainsFunc(r.Status,
			func(s isoStatus) bool { return s.Type == status.Type && s.Status == status.Status }) {
			r.Status = append(r.Status, isoStatus{Type: status.Type, Status: status.Status, Date: status.Date})
		}
		if a.short(p.ID) == "" {
			r.Process = append(r.Process, c.isoProcess(p, a, status))
		}
	}

	if len(r.Status) == 0 { // an opt-out of everything, of no policy that is known
		r.Status = []isoStatus{{Type: statuses[a.What.String()], Status: a.What.String(),
			Date: dated(instant(a.from(c.Entry)))}}
	}
	return r
}

func (c Consent) isoAnswer(a answer) isoAnswer {
	x := isoAnswer{
		Status: a.What.String(), Date: dateOf(instant(a.from(c.Entry))), Entity: c.Entry.Actor, Method: a.Method,
		Evidence: a.Quality, Once: a.Once,
	}
	if a.What == domain.Given {
		x.Type, x.Kind = expressedAs(a.Kind), a.Kind.String()
	}
	if a.Until != 0 {
		x.Until = dated(a.Until.String())
	}
	if v := c.State.voided(); v != nil {
		x.Voided = &isoVoid{ID: v.Event, Type: v.Type, Date: dateOf(v.At), Reason: v.Reason}
	}
	return x
}

// expressedAs returns the concept of a kind of consent: a general "Agree" is an
// act that expresses consent, and no explicit statement of it.
func expressedAs(k policy.ConsentKind) string {
	switch k {
	case policy.NoConsent:
		return "dpv:ImpliedConsent"
	case policy.GeneralConsent:
		return "dpv:ExpressedConsent"
	case policy.ExplicitConsent, policy.SeparateConsent, policy.WrittenConsent, policy.GuardianConsent:
	}
	return "dpv:ExplicitlyExpressedConsent"
}

// isoStatus says where the person stands with a purpose: when the receipt was
// made, or, if nobody said, by the record alone.
func (c Consent) isoStatus(id policy.PurposeID, a answer) isoStatus {
	short := string(a.short(id))
	now, known := c.State.status(id)
	if !known {
		now = Purpose{Status: a.What.String(), Since: instant(a.from(c.Entry)), Shortfall: short}
		if short != "" {
			now.Status, now.Since = domain.NeverAsked.String(), ""
		}
	}

	s := isoStatus{Type: statuses[now.Status], Status: now.Status, Date: dated(now.Since), Until: dated(now.Until),
		Short: now.Shortfall}
	if a.Mistake && s.Short == "" {
		s.Short = string(whyVoided)
	}
	if now.Status == domain.NeverAsked.String() && s.Short != "" {
		s.Type = "dpv:ConsentInvalidated"
	}
	return s
}

func (c Consent) isoProcess(p policy.Purpose, a answer, status isoStatus) isoProcess {
	x := isoProcess{
		Type: "dpv:Process", Purpose: isoNamed{"dpv:Purpose", string(p.ID), p.Title}, LegalBasis: bases[p.Basis],
		Jurisdiction: located(c.App.Jurisdiction), Status: []isoStatus{status},
	}
	if a.What == domain.Given {
		x.Storage = &isoCondition{"dpv:StorageCondition", c.ends(p, a)}
	} else if p.Retention != "" {
		x.Storage = &isoCondition{"dpv:StorageCondition", p.Retention}
	}

	for _, category := range p.Categories {
		x.Data = append(x.Data, isoNamed{Type: "dpv:PersonalData", ID: string(category)})
	}

	for _, action := range p.Actions {
		x.Processing = append(x.Processing, processings[action])
	}

	for _, r := range c.recipients(p.ID) {
		x.Recipients = append(x.Recipients, isoParty{Type: "dpv:Recipient", Name: r.Title})
	}
	if p.Basis == policy.BasisConsent {
		x.Control = &isoCondition{Type: "dpv:WithdrawConsent"}
	}

	for _, right := range c.Policy.Document.Rights {
		x.Rights = append(x.Rights, isoNamed{"dpv:DataSubjectRight", string(right.ID), right.Title})
		if right.ID == request.Withdraw.Right() && x.Control != nil {
			x.Control.Description = right.Procedure
		}
	}
	return x
}

// located returns the concept of a jurisdiction, which is a country or the EU by
// its two letters.
func located(jurisdiction string) string {
	if jurisdiction == "" {
		return ""
	}
	return jurisdictions + jurisdiction
}

// jurisdictionOf reads what [located] writes.
func jurisdictionOf(concept string) string { return strings.TrimPrefix(concept, jurisdictions) }
