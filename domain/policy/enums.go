package policy

import "consentledger/domain/internal/form"

// An Action is something done to personal data.
type Action uint8

const (
	Collect Action = iota + 1
	Use
	Provide // to another handler
	Publish
	Export // abroad
)

var actions = form.Codes{"", "collect", "use", "provide", "publish", "export"}

func (a Action) String() string { return actions.Name(uint8(a)) }

// ParseAction reads what [Action.String] writes.
func ParseAction(s string) (Action, error) { return form.ParseCode[Action](s, actions, "an action") }

// A LegalBasis is why processing is lawful: article 13 of the PIPL, (1) to (7).
type LegalBasis uint8

const (
	BasisConsent   LegalBasis = iota + 1
	BasisContract             // or human resources under lawful rules
	BasisLegalDuty            // statutory duties and responsibilities
	BasisEmergency            // public health, or life, health and property in danger
	BasisNews                 // news and supervision of opinion in the public interest
	BasisDisclosed            // what the person or the law made public, within reason
	BasisOtherLaw             // laws and administrative regulations, not standards
)

var legalBases = form.Codes{"", "consent", "contract", "legal-duty", "emergency", "news", "disclosed", "other-law"}

func (b LegalBasis) String() string { return legalBases.Name(uint8(b)) }

// ParseLegalBasis reads what [LegalBasis.String] writes.
func ParseLegalBasis(s string) (LegalBasis, error) {
	return form.ParseCode[LegalBasis](s, legalBases, "a legal basis")
}

// A ConsentKind is how strong a consent is. The kinds are not an order: a
// guardian's consent is not a stronger separate one.
type ConsentKind uint8

const (
	NoConsent ConsentKind = iota
	GeneralConsent
	ExplicitConsent
	SeparateConsent
	WrittenConsent
	GuardianConsent
)

var consentKinds = form.Codes{"none", "general", "explicit", "separate", "written", "guardian"}

func (k ConsentKind) String() string { return consentKinds.Name(uint8(k)) }

// ParseConsentKind reads what [ConsentKind.String] writes.
func ParseConsentKind(s string) (ConsentKind, error) {
	return form.ParseCode[ConsentKind](s, consentKinds, "a kind of consent")
}

// A TextForce says whether a text binds.
type TextForce uint8

const (
	Authoritative TextForce = iota + 1
	Translation
	Sample // shows what a text looks like, and binds nobody
)

var textForces = form.Codes{"", "authoritative", "translation", "sample"}

func (s TextForce) String() string { return textForces.Name(uint8(s)) }

// ParseTextForce reads what [TextForce.String] writes.
func ParseTextForce(s string) (TextForce, error) {
	return form.ParseCode[TextForce](s, textForces, "a standing")
}

// A ChannelKind is what a channel is made of.
type ChannelKind uint8

const (
	ChannelInApp ChannelKind = iota + 1
	ChannelPhone
	ChannelEmail
	ChannelSMS
	ChannelPush
	ChannelAnnouncement
	ChannelLetter
)

var channelKinds = form.Codes{"", "in-app", "phone", "email", "sms", "push", "announcement", "letter"}

func (k ChannelKind) String() string { return channelKinds.Name(uint8(k)) }

// ParseChannelKind reads what [ChannelKind.String] writes.
func ParseChannelKind(s string) (ChannelKind, error) {
	return form.ParseCode[ChannelKind](s, channelKinds, "a channel kind")
}

// A ChannelUse is what a channel is for.
type ChannelUse uint8

const (
	ForComplaints ChannelUse = iota + 1
	ForContact
	ForRequests
	ForChanges // of the policy
	ForIncidents
	ForCessation
)

var channelUses = form.Codes{"", "complaint", "contact", "request", "change", "incident", "cessation"}

func (u ChannelUse) String() string { return channelUses.Name(uint8(u)) }

// ParseChannelUse reads what [ChannelUse.String] writes.
func ParseChannelUse(s string) (ChannelUse, error) {
	return form.ParseCode[ChannelUse](s, channelUses, "a channel use")
}
