package domain

import (
	"fmt"
	"slices"
	"strings"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/published"
	"consentledger/domain/refusal"
	"consentledger/domain/surface"
)

// A Reference is what decisions about a person look up.
type Reference struct {
	Service  Service
	Policies Policies
	Surfaces Surfaces
	By       ident.By        // who asks
	Linked   []ident.EventID // the grants of linked histories, for whoever confirms them

	Calendars deadline.Calendars
	Erased    bool // somebody was erased from the app, or nobody knows; for whoever imports
}

// Decide answers cmd with the facts that it makes true. At is when it
// happened, as its source says; recorded is the ledger's time. A refusal is a
// [refusal.Refusal] and leaves no fact; an opt-out is never refused for its time.
func (s Subject) Decide(cmd Command, ref Reference, at, recorded deadline.Instant) ([]Event, error) {
	if err := CheckSender(ref.By, cmd); err != nil {
		return nil, err
	}

	switch cmd := cmd.(type) {
	case GiveConsent:
		return one(s.give(cmd, ref, at, recorded))
	case RefuseConsent:
		return s.refuse(cmd, ref, at, recorded)
	case WithdrawConsent:
		return s.withdraw(cmd, ref, max(at, recorded))
	case RequestConsent:
		return one(s.request(cmd, ref, max(at, recorded)))
	case AcknowledgePolicy:
		v, err := ref.seen(cmd.Policy, cmd.Version, at, recorded)
		if err != nil {
			return nil, err
		}
		return one(PolicyAcknowledged{v.Document.Name, v.Version, cmd.Locale, cmd.Act, cmd.Details}, nil)
	case PresentNotice:
		return one(present(cmd, ref, at, recorded))
	case ChangePermission:
		return one(changePermission(cmd, ref, max(at, recorded)))
	case VoidRecords:
		return one(s.voidRecords(cmd))
	case OrderErasure:
		if err := ref.Service.Register.CheckErasure(s.Requests(), s.ended, ref.Service.App.TimeZone,
			recorded); err != nil {
			return nil, err
		}
		return one(s.erase(cmd, ref, recorded))
	case DiscloseProof:
		return one(s.disclose(cmd))
	case DestroyProof:
		return one(s.destroy(cmd, ref, recorded))
	case Say:
		if err := s.checkHeld(cmd.Event, min(at, recorded)); err != nil {
			return nil, err
		}
		return s.say(cmd.Event, ref, max(at, recorded))
	}
	return nil, NotTaken(cmd, ident.SubjectNoun, "this command is not about a person")
}

func one(e Event, err error) ([]Event, error) {
	if err != nil {
		return nil, err
	}
	return []Event{e}, nil
}

// guessed reports whether a version that nobody named is no more than a guess: what
// was said is from before any version bound, and was not said just now, when one
// that is published and does not bind yet may be meant.
func guessed(v *published.Policy, at, recorded deadline.Instant) bool {
	return v.Effective > at.Add(FutureSkew) && at < recorded.Add(-FutureSkew)
}

// seen is [published.Policies.Meant] of a version that somebody saw: none is guessed.
func (ref Reference) seen(policy string, h content.Hash, at, recorded deadline.Instant) (*published.Policy, error) {
	v, err := ref.Policies.Meant(policy, h, at)
	if err == nil && h == (content.Hash{}) && guessed(v, at, recorded) {
		return nil, refusal.At(refusal.UnknownVersion, "data.version",
			"no version was in force then; name the version that was shown")
	}
	return v, err
}

func present(cmd PresentNotice, ref Reference, at, recorded deadline.Instant) (Event, error) {
	e := NoticePresented(cmd)
	if cmd.Surface != (content.Hash{}) {
		p, ok := ref.Surfaces.Surface(cmd.Surface)
		if !ok {
			return nil, refusal.At(refusal.UnknownSurface, "data.surface",
				"the surface was never published for this app")
		}
		shown, ok := p.Surface.Locale(cmd.Locale)
		if !ok {
			return nil, refusal.At(refusal.Contradicts, "data.locale", "the surface is not shown in this locale")
		}
		if !agree(&e.Policy, p.Surface.Policy) || !agree(&e.Version, p.Surface.Version) ||
			!agree(&e.Build, p.Surface.Build) || !agree(&e.Text, shown.Text) {
			return nil, refusal.At(refusal.Contradicts, "data.surface",
				"the surface shows another policy, version, text or build")
		}
	}

	v, err := ref.seen(e.Policy, e.Version, at, recorded)
	if err != nil {
		return nil, err
	}

	e.Policy, e.Version = v.Document.Name, v.Version
	return e, nil
}

// refuse answers RefuseConsent. Who is asked about a changed policy refuses what
// it added: the old scope of a grant stays as it was. A machine's signal answers no
// question, and leaves nothing if it says nothing new: see [policy.Signals].
func (s Subject) refuse(cmd RefuseConsent, ref Reference, at, recorded deadline.Instant) ([]Event, error) {
	control, _ := s.controlOf(cmd.Notice, cmd.Control, ref)
	agree(&cmd.Initial, control.Initial)
	now := max(at, recorded)
	scope, unknown, err := s.checkOptOut(cmd.about(control), cmd.Guardian, ref, now)
	if err != nil {
		return nil, err
	}

	signal := ref.Policies.IsSignal(cmd.Act)
	if signal {
		var said ident.EventID
		if scope, said = s.news(cmd.Act, scope, cmd.Guardian, ref); said != (ident.EventID{}) {
			return nil, nil
		}
	}

	e := ConsentRefused{
		Scope: scope, Guardian: cmd.Guardian, Unknown: unknown, Rests: ref.Policies.Resting(scope, now), Signal: signal,
		Policy: cmd.Policy, Version: cmd.Version, Locale: cmd.Locale, Act: cmd.Act,
		Details: cmd.Details, Notice: cmd.Notice, Build: cmd.Build, Control: cmd.Control, Initial: cmd.Initial,
	}
	// An opt-out is kept, whatever it says that it answers.
	if f, ok := s.notice(cmd.Notice); ok {
		n := f.Event.(NoticePresented)
		e.Surface = n.Surface
		agree(&e.Policy, n.Policy)
		agree(&e.Version, n.Version)
		agree(&e.Locale, n.Locale)
		agree(&e.Build, n.Build)
	}

	if v, err := ref.Policies.Meant(e.Policy, e.Version, at); err == nil {
		e.Policy, e.Version = v.Document.Name, v.Version
	}

	for _, id := range e.Scope.Purposes {
		if !signal && ref.adds(id, s.Standing(id, now, ref), e.Version) {
			e.Added = append(e.Added, id)
		}
	}
	return []Event{e}, nil
}

// about returns what a refusal is about: what it says, or else what the control
// that was used is for.
func (cmd RefuseConsent) about(c surface.Control) policy.Scope {
	if !cmd.Scope.All && len(cmd.Scope.Purposes) == 0 {
		return policy.Scope{Purposes: c.Purposes}
	}
	return cmd.Scope
}

// controlOf returns the control of the surface that a presentation was of, and
// whether both are known.
func (s Subject) controlOf(notice ident.EventID, id surface.ControlID, ref Reference) (surface.Control, bool) {
	f, ok := s.notice(notice)
	if !ok || id == "" {
		return surface.Control{}, false
	}
	p, ok := ref.Surfaces.Surface(f.Event.(NoticePresented).Surface)
	if !ok {
		return surface.Control{}, false
	}
	return p.Surface.Control(id)
}

func (s Subject) withdraw(cmd WithdrawConsent, ref Reference, now deadline.Instant) ([]Event, error) {
	scope, unknown, err := s.checkOptOut(cmd.Scope, cmd.Guardian, ref, now)
	if err != nil {
		return nil, err
	}

	signal := ref.Policies.IsSignal(cmd.Act)
	if signal {
		var said ident.EventID
		if scope, said = s.news(cmd.Act, scope, cmd.Guardian, ref); said != (ident.EventID{}) {
			return nil, nil
		}
	}

	return []Event{ConsentWithdrawn{
		Scope: scope, Details: cmd.Details, Build: cmd.Build, Guardian: cmd.Guardian, Unknown: unknown,
		Rests: ref.Policies.Resting(scope, now), Act: cmd.Act, Signal: signal,
	}}, nil
}

// checkOptOut returns what an opt-out is about: the purposes that some version declares,
// and the names that none does. An opt-out that names one purpose wrongly still holds
// for the others; one that names nothing else is refused, so that somebody
// looks at it. So is a guardian's by somebody who is none.
func (s Subject) checkOptOut(
	asked policy.Scope, g GuardianRef, ref Reference, now deadline.Instant,
) (scope policy.Scope, unknown string, err error) {
	if g != "" && !s.GuardianAt(g, now) {
		return scope, "", errNoGuardian
	}
	if asked.All {
		return policy.Scope{All: true}, "", nil // whatever it names beside
	}
	if len(asked.Purposes) == 0 {
		return asked, "", ref.checkScope(asked)
	}

	var names []string
	for _, id := range asked.Purposes {
		name := strings.Trim(refusal.Quote(string(id)), `"`)
		switch {
		case ref.Policies.Declares(id):
			if !slices.Contains(scope.Purposes, id) {
				scope.Purposes = append(scope.Purposes, id)
			}
		case len(names) < maxUnknown && !slices.Contains(names, name):
			names = append(names, name)
		}
	}

	if len(scope.Purposes) == 0 {
		return scope, "", ref.checkScope(asked)
	}
	return scope, strings.Join(names, ","), nil
}

// maxUnknown is how many names an opt-out keeps that no policy declares: a record has
// room for so many, and an opt-out is not refused for those that follow.
const maxUnknown = 50

var errNoGuardian = refusal.At(refusal.UnknownGuardian, "data.guardian",
	"nobody of that id is verified as the person's guardian now, or the person is 18 and has none; see "+
		"guardian.verified")

// checkScope refuses an opt-out that names nothing, or a purpose that no version
// ever declared: taken as it is, it would leave the consent that was meant.
func (ref Reference) checkScope(s policy.Scope) error {
	if s.All == (len(s.Purposes) > 0) {
		return refusal.At(refusal.NothingNamed, "data.purposes", `name the purposes, or say "all": true`)
	}
	for _, id := range s.Purposes {
		if !ref.Policies.Declares(id) {
			return refusal.At(refusal.UnknownPurpose, "data.purposes",
				"no version of the policy declares a purpose "+refusal.Quote(string(id)))
		}
	}
	return nil
}

func changePermission(cmd ChangePermission, ref Reference, now deadline.Instant) (Event, error) {
	bound, known := ref.Policies.Bound(cmd.Permission, now)
	if !known {
		return nil, refusal.At(refusal.UnknownPermission, "data.permission",
			"no version of the policy names a permission "+refusal.Quote(string(cmd.Permission)))
	}

	switch cmd.Change {
	case Granted:
		return PermissionGranted{cmd.Permission, cmd.Details}, nil
	case Denied:
		return PermissionDenied{cmd.Permission, cmd.Details}, nil
	case Revoked:
		rests := ref.Policies.Resting(policy.Scope{Purposes: bound}, now)
		return PermissionRevoked{cmd.Permission, bound, cmd.Details, rests}, nil
	}

	panic(fmt.Sprintf("domain: permission change %d has no case", cmd.Change))
}
