package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
	"consentledger/domain/published"
	"consentledger/domain/refusal"
	"consentledger/domain/surface"
)

// The limits on a grant. An opt-out has none.
const (
	FutureSkew = 5 * deadline.Minute // how far ahead of the ledger's a source's clock may be
	lateLimit  = 30 * deadline.Day   // how late a grant may come that is not an import
)

// A grant is a wish to consent with everything that decides whether it counts.
type grant struct {
	cmd     GiveConsent
	ref     *Reference
	version *published.Policy
	guessed bool // nobody said which version, and none that is known was there
	act     policy.Act
	kind    policy.ConsentKind
	named   int              // how many purposes were named
	at, now deadline.Instant // when it was said, and when it counts from
	before  *Subject         // the person's history
	band    AgeBand
	initial surface.State
	build   string

	notice  *NoticePresented // nil: not known
	surface *surface.Surface // nil: not known
	shown   surface.Locale
	control *surface.Control // nil: not known
}

func (s Subject) give(cmd GiveConsent, ref Reference, at, recorded deadline.Instant) (Event, error) {
	switch {
	case at > recorded.Add(FutureSkew):
		return nil, refusal.At(refusal.AtInFuture, "time",
			"a yes may not be more than 5 minutes ahead of the ledger's clock")
	case at < recorded.Add(-lateLimit) && !cmd.Import:
		return nil, refusal.At(refusal.AtTooLate, "time",
			"a yes more than 30 days old is taken only as an import, marked so")
	case cmd.Until != 0 && cmd.Until <= at:
		return nil, refusal.At(refusal.AlreadyOver, "data.until", "the consent would end before it was given")
	}
	if err := cmd.filtered(ref.Erased); err != nil {
		return nil, err
	}

	y := grant{cmd: cmd, ref: &ref, at: at, now: max(at, recorded), before: &s, initial: cmd.Initial, build: cmd.Build}
	if err := y.look(); err != nil {
		return nil, err
	}
	if err := y.person(); err != nil {
		return nil, err
	}

	items, err := y.items()
	if err != nil {
		return nil, err
	}
	return y.given(items), nil
}

// look finds what was shown and done: the presentation, its surface and
// control, the version and the act.
func (y *grant) look() (err error) {
	var surface content.Hash
	if surface, err = y.present(); err != nil {
		return err
	}
	if y.version, err = y.ref.Policies.Meant(y.cmd.Policy, y.cmd.Version, y.at); err != nil {
		return err
	}

	y.guessed = y.cmd.Version == (content.Hash{}) && guessed(y.version, y.at, y.now)
	if err = y.find(surface); err != nil {
		return err
	}

	var ok bool
	if y.act, ok = y.version.Document.Act(y.cmd.Act); !ok {
		return refusal.At(refusal.UnknownAct, "data.act", "the policy names no act "+refusal.Quote(string(y.cmd.Act))+refusal.Among(y.version.Document.ActIDs()))
	}

	y.kind = y.kindOf()
	return nil
}

// kindOf returns what kind of consent the grant is. Who sends it may say that it
// is less than its act can be, never that it is more: a general act stays
// general. A written consent and a guardian's are made by their document.
func (y *grant) kindOf() policy.ConsentKind {
	switch y.cmd.Kind {
	case policy.NoConsent:
		return y.act.Counts
	case policy.ExplicitConsent:
		if y.act.Counts == policy.GeneralConsent || y.act.Counts == policy.NoConsent {
			return y.act.Counts
		}
	case policy.SeparateConsent:
		if y.act.Counts == policy.GeneralConsent || y.act.Counts == policy.NoConsent ||
			y.act.Counts == policy.ExplicitConsent && y.control == nil {
			return y.act.Counts
		}
	case policy.GeneralConsent, policy.WrittenConsent, policy.GuardianConsent:
	}
	return y.cmd.Kind
}

// present takes over what the presentation says that the grant answers.
func (y *grant) present() (surface content.Hash, err error) {
	if y.cmd.Notice == (ident.EventID{}) {
		return content.Hash{}, nil
	}

	f, ok := y.before.notice(y.cmd.Notice)
	if !ok {
		return content.Hash{}, refusal.At(refusal.UnknownNotice, "data.notice",
			"no notice of that id was presented to this person")
	}

	n := f.Event.(NoticePresented)
	y.notice = &n
	c := &y.cmd
	for _, same := range []bool{
		agree(&c.Policy, n.Policy), agree(&c.Version, n.Version),
		agree(&c.Locale, n.Locale) || form.SameLocale(c.Locale, n.Locale), agree(&c.Text, n.Text),
		agree(&y.build, n.Build),
	} {
		if !same {
			return content.Hash{}, refusal.At(refusal.Contradicts, "data.notice",
				"the policy, version, locale, text or build is another than in the presentation that is named")
		}
	}

	if f.At > y.at.Add(FutureSkew) {
		return content.Hash{}, refusal.At(refusal.Contradicts, "data.notice",
			"the answer is from before the presentation that it names")
	}
	return n.Surface, nil
}

// agree sets what was left out, and reports whether what was not is the same.
func agree[E comparable](said *E, shown E) bool {
	var none E
	if *said == none {
		*said = shown
	}
	return *said == shown || shown == none
}

// find finds the surface and the control on it.
func (y *grant) find(id content.Hash) error {
	if id == (content.Hash{}) {
		if y.ref.publishedBuild(y.ref.By, y.build, y.cmd.Control) {
			return errOwnSurface
		}
		if y.cmd.Control != "" && y.notice != nil {
			return refusal.At(refusal.UnknownControl, "data.control",
				"the presentation names no surface, so no control of it is known")
		}
		return nil
	}

	p, ok := y.ref.Surfaces.Surface(id)
	if !ok {
		return refusal.At(refusal.UnknownSurface, "data.notice", "the presentation's surface was never published")
	}

	y.surface, y.build = &p.Surface, p.Surface.Build
	y.shown, _ = p.Surface.Locale(y.cmd.Locale)
	if publishedBy(y.ref.By, p) {
		return errOwnSurface
	}
	if y.cmd.Control == "" {
		return nil
	}

	c, ok := p.Surface.Control(y.cmd.Control)
	switch {
	case !ok:
		return refusal.At(refusal.UnknownControl, "data.control",
			"the surface has no control "+refusal.Quote(string(y.cmd.Control)))
	case c.Refuses:
		return refusal.At(refusal.Contradicts, "data.control", "the control refuses; a refusal is consent.refused")
	case !agree(&y.cmd.Act, c.Act):
		return refusal.At(refusal.Contradicts, "data.act", "the control stands for another act")
	case !agree(&y.initial, c.Initial) && y.initial != surface.Ticked:
		return refusal.At(refusal.Contradicts, "data.initial", "the control shows something else before it is touched")
	}

	y.control = &c
	return nil
}

// person finds what the person's history says about the grant.
func (y *grant) person() error {
	if y.cmd.Guardian != "" {
		y.kind = policy.GuardianConsent
		if !y.before.GuardianAt(y.cmd.Guardian, y.now) {
			return refusal.At(refusal.UnknownGuardian, "data.guardian",
				"nobody of that id is verified as the person's guardian now; see guardian.verified")
		}
	}
	if err := y.before.checkConfirms(y.cmd.Confirms, *y.ref); err != nil {
		return err
	}
	y.band, _ = y.before.Band(y.now)
	return nil
}

// stale reports whether the grant is to more than an earlier one covers. If there
// is one version, nothing can be more.
func (y *grant) stale(p policy.PurposeID) bool {
	return len(y.ref.Policies.Versions()) > 1 &&
		y.ref.adds(p, y.before.Standing(p, y.now, *y.ref), y.version.Version)
}

// items says what a grant covers. A grant that names no purpose covers what its
// control offers, or else what its act stands for. If neither says, it covers
// every purpose whose basis is consent. Purposes that want more than it gives
// fall short of it, each with its reason.
func (y *grant) items() ([]Item, error) {
	ids := y.cmd.Purposes
	if len(ids) == 0 && y.control != nil {
		ids = y.control.Purposes
	}
	if len(ids) == 0 {
		ids = y.act.Purposes
	}
	y.named = len(ids)

	if len(ids) == 0 {
		for _, p := range y.version.Document.Purposes {
			if p.Basis == policy.BasisConsent && !p.Separate {
				ids = append(ids, p.ID)
			}
		}
	}

	if len(ids) == 0 {
		return nil, refusal.At(refusal.NothingNamed, "data.purposes",
			"the consent names no purpose and the policy has none that an act like this covers")
	}

	items := make([]Item, 0, len(ids))
	inForce := y.ref.Policies.AllInForce(y.now)
	for _, id := range ids {
		p, ok := y.version.Document.Purpose(id)
		if !ok {
			return nil, refusal.At(refusal.UnknownPurpose, "data.purposes",
				"the policy declares no purpose "+refusal.Quote(string(id))+
					refusal.Among(y.version.Document.PurposeIDs()))
		}
		p.Separate = p.Separate || demandsSeparate(inForce, id)
		items = append(items, Item{id, y.shortfall(p)})
	}
	return items, nil
}

// demandsSeparate reports whether a specific policy that prevails, of those in
// force, demands a separate consent for the purpose.
func demandsSeparate(inForce published.Bindings, id policy.PurposeID) bool {
	v, p, ok := inForce.Declaring(id)
	return ok && v.Document.Over != "" && p.Separate
}

func (y *grant) given(items []Item) ConsentGiven {
	c := y.cmd
	g := ConsentGiven{
		Policy: y.version.Document.Name, Version: y.version.Version, Locale: c.Locale, Text: c.Text,
		Act: c.Act, Kind: y.kind, Items: items, Notice: c.Notice, Until: c.Until, Import: c.Import,
		FilteredBy: c.FilteredBy, Details: c.Details,
		Build: y.build, Control: c.Control, Initial: y.initial, Once: c.Once, Guardian: c.Guardian, Proof: c.Proof,
		Signer: y.ref.By.Signer, Confirms: c.Confirms, Evidence: y.evidence(),
	}
	if y.notice != nil {
		g.Surface = y.notice.Surface
	}
	g.Until, g.Ends = y.ends(items)
	return g
}
