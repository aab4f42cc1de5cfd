package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/published"
	"consentledger/domain/surface"
)

// appEvents are the rows of what is about an app as a whole.
var appEvents = []EventRule{
	{Name: "app.registered", Event: AppRegistered{}, Nouns: in(ident.ServiceNoun), By: ByPublisher, Views: InRequests | InPolicies | InFollowUps},
	{Name: "signer.registered", Event: SignerRegistered{}, Nouns: in(ident.ServiceNoun), By: ByOperator},
	{Name: "service.ceased", Event: ServiceCeased{}, Nouns: in(ident.ServiceNoun), By: ByOperator},
	{Name: "build.voided", Event: BuildVoided{}, Nouns: in(ident.ServiceNoun), By: ByOperator, Views: InConsents | InReport},
	{Name: "build.disputed", Event: BuildDisputed{}, Nouns: in(ident.ServiceNoun), By: ByOperator},
	{Name: "policy.published", Event: PolicyPublished{}, Nouns: in(ident.PolicyNoun), By: ByPublisher, Views: InConsents | InPolicies | InReport | InFollowUps},
	{Name: "policy.effective", Event: PolicyEffective{}, Nouns: in(ident.PolicyNoun), By: ByOperator, Views: InFollowUps, Idle: true},
	{Name: "surface.published", Event: SurfacePublished{}, Nouns: in(ident.SurfaceNoun), By: ByPublisher},
	{Name: "calendar.published", Event: CalendarPublished{}, Nouns: in(ident.CalendarNoun), By: ByPublisher, Views: InRequests | InReport | InFollowUps},
}

// AppRegistered records that an app may record from now on, or that what is
// known about it changed.
type AppRegistered struct{ App App }

// SignerRegistered records a key by which a back end or a device signs what it
// sends. Registering a name again replaces its key; Retired ends it.
type SignerRegistered struct {
	Name    string
	Key     [32]byte // Ed25519
	Device  bool
	Retired bool
}

// ServiceCeased records that the app's service is over: nothing is processed.
type ServiceCeased struct{ Reason string }

// BuildVoided records that every answer that a build of the app recorded in a
// span of the ledger's time was a mistake. It touches no stream: it is joined
// when an answer is read. See [RecordVoided] for what it does.
type BuildVoided struct {
	Build    string
	From, To deadline.Instant // of Recorded; To is not included
	Reason   string
	Evidence content.Hash
	By       [2]string
}

// BuildDisputed records that somebody says that the answers that a build of the
// app recorded in a span of the ledger's time are wrong. They stand until they
// are voided. Like [BuildVoided] it is joined when an answer is read.
type BuildDisputed struct {
	Build    string
	From, To deadline.Instant // of Recorded; To is not included
	Reason   string
	Evidence content.Hash
}

// PolicyPublished records a version of a policy, whole.
type PolicyPublished published.Policy

// PolicyEffective records that a version began to bind.
type PolicyEffective struct{ Version content.Hash }

// SurfacePublished records what a build of the app shows.
type SurfacePublished struct {
	ID        content.Hash // of the surface's canonical form
	Surface   surface.Surface
	Publisher string // the principal that published it
	Signer    string // whose signature over what was sent was verified; empty: none
}

func (AppRegistered) isEvent()    {}
func (PolicyPublished) isEvent()  {}
func (SignerRegistered) isEvent() {}
func (ServiceCeased) isEvent()    {}
func (BuildVoided) isEvent()      {}
func (BuildDisputed) isEvent()    {}
func (PolicyEffective) isEvent()  {}
func (SurfacePublished) isEvent() {}
