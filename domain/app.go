package domain

import (
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/lists"
	"consentledger/domain/proposal"
	"consentledger/domain/refusal"
	"consentledger/domain/register"
)

// An App is a program that handles personal data and made promises about it.
type App struct {
	Name         ident.AppName
	Handler      string // who answers for it; public
	Group        string // apps of one handler that answer requests together; empty: none
	Environment  Environment
	Jurisdiction string // as in CN
	TimeZone     string // as in Asia/Shanghai
	Locales      []string
	Escapes      Escapes
}

// Escapes says whether an app's senders escape what they put into the headers of
// a CloudEvent in binary mode. Nothing in an event tells.
type Escapes string

const (
	ExactEscapes Escapes = ""    // those that look like an encoder's work are undone
	RawEscapes   Escapes = "raw" // none is
)

// ParseEscapes reads "exact" or "raw".
func ParseEscapes(s string) (Escapes, error) {
	switch s {
	case "exact":
		return ExactEscapes, nil
	case "raw":
		return RawEscapes, nil
	}
	return "", form.Error(`escapes in headers are "exact" or "raw"`)
}

// AppMembers is a set of members of an [App].
type AppMembers uint8

const (
	AppHandler AppMembers = 1 << iota
	AppGroup
	AppEnvironment
	AppJurisdiction
	AppTimeZone
	AppLocales
	AppEscapes
)

// Onto returns an app as it is after cmd, if it was now before.
func (cmd RegisterApp) Onto(now App) App {
	app := cmd.App
	if cmd.Unsaid&AppHandler != 0 {
		app.Handler = now.Handler
	}
	if cmd.Unsaid&AppGroup != 0 {
		app.Group = now.Group
	}
	if cmd.Unsaid&AppEnvironment != 0 {
		app.Environment = now.Environment
	}
	if cmd.Unsaid&AppJurisdiction != 0 {
		app.Jurisdiction = now.Jurisdiction
	}
	if cmd.Unsaid&AppTimeZone != 0 {
		app.TimeZone = now.TimeZone
	}
	if cmd.Unsaid&AppLocales != 0 {
		app.Locales = now.Locales
	}
	if cmd.Unsaid&AppEscapes != 0 {
		app.Escapes = now.Escapes
	}
	return app
}

// An Environment tells tests from the real thing.
type Environment uint8

const (
	Test Environment = iota + 1
	Production
)

func (e Environment) String() string { return [...]string{"", "test", "production"}[e] }

// ParseEnvironment reads what [Environment.String] writes.
func ParseEnvironment(s string) (Environment, error) {
	switch s {
	case "test":
		return Test, nil
	case "production":
		return Production, nil
	}
	return 0, form.Error(`an environment is "test" or "production"`)
}

// A Service is what is known about an app as a whole. The zero Service is not
// registered.
type Service struct {
	App        App
	ceased     deadline.Instant // zero: not
	ceasedBy   ident.EventID
	signers    []SignerRegistered
	voids      []bulkVoid
	disputes   []BuildDisputed
	exemptions []exemption
	proposals  proposal.Proposals

	Register register.Register // what was noted of the app as a whole
}

// A bulkVoid is a [BuildVoided] with the fact that proves it.
type bulkVoid struct {
	BuildVoided
	id ident.EventID
}

// Registered reports whether the app may record.
func (s Service) Registered() bool { return s.App.Name != "" }

// Signer returns the signer of that name that counts last.
func (s Service) Signer(name string) (SignerRegistered, bool) {
	for i := len(s.signers) - 1; i >= 0; i-- {
		if s.signers[i].Name == name {
			return s.signers[i], !s.signers[i].Retired
		}
	}
	return SignerRegistered{}, false
}

// checkKey refuses a key under a second name: a key is one principal, whether
// it is still used or not. A name may have one key after another.
func (s Service) checkKey(e SignerRegistered) error {
	for _, other := range s.signers {
		if other.Key == e.Key && other.Name != e.Name {
			return refusal.At(refusal.SamePrincipal, "data.key",
				"the key is that of the signer "+refusal.Quote(other.Name)+
					": whoever signs with it is one principal; make "+
					"another key, see consentledger signer new")
		}
	}
	return nil
}

// Evolve returns s as it is after f.
func (s Service) Evolve(f Fact) Service { return s.Fold(f, lists.Shared) }

// Fold is [Service.Evolve] for a caller who owns as much of s as it says.
func (s Service) Fold(f Fact, own lists.Own) Service {
	switch e := f.Event.(type) {
	case AppRegistered:
		s.App = e.App
	case SignerRegistered:
		s.signers = lists.Add(own, s.signers, e)
	case BuildVoided:
		s.voids = lists.Add(own, s.voids, bulkVoid{e, f.ID})
	case BuildDisputed:
		s.disputes = lists.Add(own, s.disputes, e)
	case ExemptionInvoked:
		s.exemptions = lists.Add(own, s.exemptions, exemption{e, f.Later(), 0, f.ID})
	case ExemptionEnded:
		s.exemptions = endExemption(own, s.exemptions, e, f)
	case ServiceCeased:
		s.ceased, s.ceasedBy = f.Earlier(), f.ID
	case Noted:
		s.proposals = s.proposals.After(e.Kind, e.Fields, f.ID, f.Recorded)
		s.Register = s.Register.After(own, e.Kind, e.Fields, f.ID, f.Later())
	default:
		MustBeIdle(e, ident.ServiceNoun)
	}
	return s
}

// Decide answers cmd with the facts it makes true. At is when it happened, as
// its source says; recorded is the ledger's time.
func (s Service) Decide(cmd Command, ref Reference, at, recorded deadline.Instant) ([]Event, error) {
	if err := CheckSender(ref.By, cmd); err != nil {
		return nil, err
	}

	switch cmd := cmd.(type) {
	case RegisterApp:
		if cmd.App.Name == ident.NoApp {
			return nil, refusal.New(refusal.AppIncomplete,
				"an app is not called invalid: that stands for no app in the list of rejected messages")
		}
		app := cmd.Onto(s.App)
		if app.Environment == 0 || app.Jurisdiction == "" || app.TimeZone == "" || len(app.Locales) == 0 {
			return nil, refusal.New(refusal.AppIncomplete,
				"an app needs an environment, a jurisdiction, a time zone and at least one locale")
		}
		if app.Jurisdiction != s.App.Jurisdiction && !form.IsJurisdiction(app.Jurisdiction) {
			return nil, refusal.At(refusal.AppIncomplete, "jurisdiction",
				`there is no such jurisdiction: want a country's two letters, as in CN or DE, a region as in "CN-GX", or EU`)
		}
		if s.Registered() && app.Environment != s.App.Environment && !cmd.Moves {
			return nil, refusal.At(refusal.EnvironmentFixed, "environment",
				"the app is a "+s.App.Environment.String()+" app, and which consents count depends on that: "+
					"it is moved by an operation of its own, see consentledger app move")
		}
		return []Event{AppRegistered{app}}, nil
	case Say:
		return one(s.say(cmd.Event, ref, max(at, recorded)))
	}
	return nil, NotTaken(cmd, ident.ServiceNoun, "this is not about an app as a whole")
}

func (s Service) say(e Event, ref Reference, at deadline.Instant) (Event, error) {
	switch e := e.(type) {
	case SignerRegistered:
		if !form.IsName(e.Name, 64) || (e.Key == [32]byte{}) {
			return nil, refusal.New(refusal.Incomplete,
				`a signer needs a name of a-z, 0-9 and "-", and an Ed25519 public key`)
		}
		return e, s.checkKey(e)
	case BuildVoided:
		return e, e.check()
	case BuildDisputed:
		return e, e.check()
	case ExemptionInvoked:
		if e.Justification != "" {
			return nil, refusal.At(refusal.Malformed, "data.justification",
				"an exemption for everybody has a reason by a code: there is nobody's vault to seal a text in")
		}
		return ref.invoke(e)
	case ExemptionEnded:
		return e, ended(s.exemptions, e)
	case ServiceCeased:
		if err := CheckReason(e.Reason); err != nil {
			return e, err
		}
		return e, s.Register.CheckEnd(ref.Policies.NoticeRules(at), ref.Calendars, s.App.TimeZone, at)
	case Noted:
		if catalog.IsProposal(e.Kind) {
			return s.propose(e, ref, at)
		}
		kept, err := ref.note(e, at)
		if err != nil {
			return nil, err
		}
		if ref.By.App && register.IsKeeping(e.Kind) {
			return nil, errNotForApps
		}
		if err := s.Register.CheckKeeping(e.Kind, e.Fields); err != nil {
			return nil, err
		}
		return kept, s.Register.CheckDecision(e.Kind, e.Fields, ref.Policies.NoticeRules(at), ref.Calendars, at)
	}
	return nil, refusal.New(refusal.WrongStream, "this is not about an app as a whole")
}

// Proposals returns the newest proposals of the app. The list is shared: do not change it.
func (s Service) Proposals() proposal.Proposals { return s.proposals }

// propose answers a note of a proposal.
func (s Service) propose(n Noted, ref Reference, at deadline.Instant) (Event, error) {
	if ref.By.App {
		return nil, ErrOwnNote
	}

	rule, _ := catalog.NoteRuleOf(n.Kind)
	if err := catalog.CheckFields(string(n.Kind), rule.Fields, n.Fields); err != nil {
		return nil, err
	}

	ofLedger := n.Kind == catalog.ProposalLapsed || n.Kind == catalog.ProposalDone
	if ofLedger && ref.By.Principal != ident.Ledger {
		return nil, ErrOwnNote
	}
	return n, s.proposals.Check(n.Kind, n.Fields, ref.By, at)
}

// Voids reports whether f is an answer that a bulk void covers.
func (s Service) Voids(f Fact) bool {
	_, is := s.void(&f)
	return is
}

// void returns the bulk void that covers f, if one does.
func (s Service) void(f *Fact) (ident.EventID, bool) {
	build := f.build()
	for _, v := range s.voids {
		if build != "" && v.Build == build && v.From <= f.Recorded && f.Recorded < v.To {
			return v.id, true
		}
	}
	return ident.EventID{}, false
}

// disputed reports whether a bulk dispute covers f.
func (s Service) disputed(f *Fact) bool {
	build := f.build()
	for _, d := range s.disputes {
		if build != "" && d.Build == build && d.From <= f.Recorded && f.Recorded < d.To {
			return true
		}
	}
	return false
}

// build returns the build that recorded an answer; empty: not said, or no
// answer.
func (f *Fact) build() string { return BuildOf(f.Event) }

// BuildOf returns the build of the app that recorded an answer; empty: not
// said, or no answer.
func BuildOf(e Event) string {
	switch e := e.(type) {
	case ConsentGiven:
		return e.Build
	case ConsentRefused:
		return e.Build
	case ConsentWithdrawn:
		return e.Build
	}
	return ""
}
