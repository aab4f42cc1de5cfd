package domain

import "fmt"

// The limits on a yes. A no has none.
const (
	FutureSkew = 5 * Minute // how far ahead of the ledger's a source's clock may be
	LateLimit  = 30 * Day   // how late a yes may come that is not an import
)

// A Reference is what a subject's decisions look up.
type Reference struct {
	App      App
	Policies Policies
}

// Decide answers cmd with the facts that it makes true. At is when it
// happened, as its source says; recorded is the ledger's time. A refusal is a
// [Refusal] and leaves no fact; a no is never refused for its time.
func (s Subject) Decide(cmd Command, ref Reference, at, recorded Instant) ([]Event, error) {
	switch cmd := cmd.(type) {
	case GiveConsent:
		return one(give(cmd, ref, at, recorded))
	case RefuseConsent:
		return one(refuseConsent(cmd, ref, at))
	case WithdrawConsent:
		return one(withdraw(cmd, ref))
	case AcknowledgePolicy:
		v, err := ref.version(cmd.Policy, cmd.Version, at)
		return one(PolicyAcknowledged{v.Document.Name, v.Version, cmd.Locale, cmd.Act, cmd.Details}, err)
	case PresentNotice:
		v, err := ref.version(cmd.Policy, cmd.Version, at)
		return one(NoticePresented{v.Document.Name, v.Version, cmd.Locale, cmd.Text, cmd.Kind, cmd.Details}, err)
	case ChangePermission:
		return one(changePermission(cmd, ref))
	case VoidRecords:
		return one(s.voidRecords(cmd))
	case RegisterApp, PublishPolicy:
		return nil, refuse(WrongStream, "this command is not about a person")
	}
	panic(fmt.Sprintf("domain: command %T has no case in Subject.Decide", cmd))
}

func one(e Event, err error) ([]Event, error) {
	if err != nil {
		return nil, err
	}
	return []Event{e}, nil
}

// version finds the version a command means: the one it names, or the one in
// force at the moment at.
func (ref Reference) version(policy string, h Hash, at Instant) (PolicyPublished, error) {
	if len(ref.Policies.versions) == 0 {
		return PolicyPublished{}, refuse(NoPolicy, "the app has published no policy yet")
	}
	if h != (Hash{}) {
		v, ok := ref.Policies.Version(h)
		if !ok {
			return v, refuse(UnknownVersion, "this version was never published for this app; name the one that was shown")
		}
		return v, nil
	}
	v, ok := ref.Policies.InForce(policy, at)
	if !ok && policy == "" {
		// said before the first version: what was in force first is meant
		v, ok = ref.Policies.versions[0], true
	}
	if !ok {
		return v, refuse(UnknownPolicy, fmt.Sprintf("no version of policy %s was in force then; name the version that was shown", Quote(policy)))
	}
	return v, nil
}

func give(cmd GiveConsent, ref Reference, at, recorded Instant) (Event, error) {
	switch {
	case at > recorded.Add(FutureSkew):
		return nil, refuse(AtInFuture, "a yes may not be more than 5 minutes ahead of the ledger's clock")
	case at < recorded.Add(-LateLimit) && !cmd.Import:
		return nil, refuse(AtTooLate, "a yes more than 30 days old is taken only as an import, marked so")
	case cmd.Until != 0 && cmd.Until <= max(at, recorded):
		return nil, refuse(AlreadyOver, "the consent would end before it begins")
	}
	v, err := ref.version(cmd.Policy, cmd.Version, at)
	if err != nil {
		return nil, err
	}
	act, ok := v.Document.Act(cmd.Act)
	if !ok {
		return nil, refuse(UnknownAct, fmt.Sprintf("the policy names no act %s", Quote(string(cmd.Act))))
	}
	kind := cmd.Kind
	if kind == 0 {
		kind = act.Counts
	}
	items, err := itemsOf(v.Document, act, kind, cmd.Purposes)
	if err != nil {
		return nil, err
	}
	return ConsentGiven{
		Policy: v.Document.Name, Version: v.Version, Locale: cmd.Locale, Text: cmd.Text,
		Act: cmd.Act, Kind: kind, Items: items, Notice: cmd.Notice,
		Until: cmd.Until, Import: cmd.Import, Details: cmd.Details,
	}, nil
}

// itemsOf says what a yes covers. A yes to nothing in particular covers every
// purpose whose basis is consent, and those that want more than it gives fall
// short of it, each with its reason.
func itemsOf(d Document, act Act, kind ConsentKind, named []PurposeID) ([]Item, error) {
	ids := named
	if len(ids) == 0 {
		for _, p := range d.Purposes {
			if p.Basis == BasisConsent && !p.Separate {
				ids = append(ids, p.ID)
			}
		}
	}
	if len(ids) == 0 {
		return nil, refuse(NothingNamed, "the consent names no purpose and the policy has none that an act like this covers")
	}
	items := make([]Item, 0, len(ids))
	for _, id := range ids {
		p, ok := d.Purpose(id)
		if !ok {
			return nil, refuse(UnknownPurpose, fmt.Sprintf("the policy declares no purpose %s", Quote(string(id))))
		}
		items = append(items, Item{id, shortfall(p, act, kind, len(named))})
	}
	return items, nil
}

// shortfall says why a yes of this kind, by this act, does not count for p. A
// separate consent is one item by itself.
func shortfall(p Purpose, act Act, kind ConsentKind, named int) Shortfall {
	switch {
	case act.Counts == NoConsent:
		return ActGivesNone
	case p.Separate && (act.Counts == GeneralConsent || kind == GeneralConsent || kind == ExplicitConsent || named != 1):
		return NeedsSeparate
	}
	return ""
}

func refuseConsent(cmd RefuseConsent, ref Reference, at Instant) (Event, error) {
	if err := ref.checkScope(cmd.Scope); err != nil {
		return nil, err
	}
	v, err := ref.version(cmd.Policy, cmd.Version, at)
	if err != nil {
		v = PolicyPublished{Version: cmd.Version} // a no is kept, whatever it answers
	}
	return ConsentRefused{cmd.Scope, v.Document.Name, v.Version, cmd.Locale, cmd.Act, cmd.Details}, nil
}

func withdraw(cmd WithdrawConsent, ref Reference) (Event, error) {
	if err := ref.checkScope(cmd.Scope); err != nil {
		return nil, err
	}
	return ConsentWithdrawn(cmd), nil
}

// checkScope refuses a no that names nothing, or a purpose that no version
// ever declared: taken as it is, it would leave the consent that was meant.
func (ref Reference) checkScope(s Scope) error {
	if s.All == (len(s.Purposes) > 0) {
		return refuse(NothingNamed, `name the purposes, or say "all": true, and not both`)
	}
	for _, id := range s.Purposes {
		known := false
		for _, v := range ref.Policies.versions {
			_, ok := v.Document.Purpose(id)
			known = known || ok
		}
		if !known {
			return refuse(UnknownPurpose, fmt.Sprintf("no version of the policy declares a purpose %s", Quote(string(id))))
		}
	}
	return nil
}

func changePermission(cmd ChangePermission, ref Reference) (Event, error) {
	var bound []PurposeID
	known := false
	for _, v := range ref.Policies.versions {
		if p, ok := v.Document.Permission(cmd.Permission); ok {
			bound, known = p.Purposes, true
		}
	}
	if !known {
		return nil, refuse(UnknownPermission, fmt.Sprintf("no version of the policy names a permission %s", Quote(string(cmd.Permission))))
	}
	switch cmd.Change {
	case Granted:
		return PermissionGranted{cmd.Permission, cmd.Details}, nil
	case Denied:
		return PermissionDenied{cmd.Permission, cmd.Details}, nil
	case Revoked:
		return PermissionRevoked{cmd.Permission, bound, cmd.Details}, nil
	}
	panic(fmt.Sprintf("domain: permission change %d has no case", cmd.Change))
}

func (s Subject) voidRecords(cmd VoidRecords) (Event, error) {
	switch {
	case len(cmd.Records) == 0:
		return nil, refuse(NothingNamed, "name the records to void")
	case cmd.Reason == "":
		return nil, refuse(ReasonMissing, "say why, by a code")
	case cmd.By[0] == "" || cmd.By[1] == "" || cmd.By[0] == cmd.By[1]:
		return nil, refuse(TwoPersons, "voiding takes two different persons")
	}
	for _, id := range cmd.Records {
		known := false
		for _, k := range s.known {
			known = known || k == id
		}
		if !known {
			return nil, refuse(UnknownRecord, "a record to void is not of this person")
		}
	}
	return RecordVoided(cmd), nil
}

// Clamp returns the time that a fact carries for what its source claims: a no
// from the future is from now, with the claim kept beside it. A claim of
// nothing is now.
func Clamp(cmd Command, claimed, recorded Instant) (at, kept Instant) {
	switch {
	case claimed == 0:
		return recorded, 0
	case claimed <= recorded:
		return claimed, 0
	}
	switch cmd := cmd.(type) {
	case RefuseConsent, WithdrawConsent:
		return recorded, claimed
	case ChangePermission:
		if cmd.Change != Granted {
			return recorded, claimed
		}
	case RegisterApp, PublishPolicy, GiveConsent, AcknowledgePolicy, PresentNotice, VoidRecords:
	}
	return claimed, 0
}
