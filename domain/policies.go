package domain

import (
	"cmp"
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/domain/published"
	"consentledger/domain/refusal"
)

// Policies is every version of every policy of one app. The zero Policies is empty.
type Policies struct{ published.Policies }

// Evolve returns p as it is after f.
func (p Policies) Evolve(f Fact) Policies { return p.Fold(f, lists.Shared) }

// Fold is [Policies.Evolve] for a caller who owns as much of p as it says.
func (p Policies) Fold(f Fact, own lists.Own) Policies {
	switch e := f.Event.(type) {
	case PolicyPublished:
		return Policies{p.With(published.Policy(e), own)}
	default:
		MustBeIdle(e, ident.PolicyNoun) // of one that begins to bind the version itself says from when on
	}
	return p
}

// Decide answers cmd with the facts it makes true. What is published already
// is no news: no facts, no error.
func (p Policies) Decide(cmd Command, by ident.By, recorded deadline.Instant) ([]Event, error) {
	if err := CheckSender(by, cmd); err != nil {
		return nil, err
	}
	switch cmd := cmd.(type) {
	case PublishPolicy:
		return p.publish(cmd, recorded)
	case Say:
		if e, ok := cmd.Event.(PolicyEffective); ok {
			return p.begin(e, recorded)
		}
	}
	return nil, refusal.New(refusal.WrongStream, "a policy stream takes policy.published and policy.effective only")
}

func (p Policies) publish(cmd PublishPolicy, recorded deadline.Instant) ([]Event, error) {
	if known, ok := p.Version(cmd.Version); ok {
		return nil, p.again(cmd, &known, recorded)
	}
	if problems := cmd.Document.Check(); len(problems) > 0 {
		return nil, refusal.At(refusal.PolicyInvalid, problems[0].Path, problems[0].Message)
	}

	e := published.Policy{
		Version: cmd.Version, Document: cmd.Document, Effective: max(cmd.Effective, recorded),
		Material: cmd.Material, Stale: cmd.Stale, Scopes: cmd.Scopes,
	}
	if err := p.Complete(&e); err != nil {
		return nil, err
	}

	for _, s := range e.Scopes {
		if _, ok := e.Document.Purpose(s.Purpose); !ok {
			return nil, refusal.At(refusal.UnknownPurpose, "scopes",
				"scopes name "+refusal.Quote(string(s.Purpose))+", which this version does not declare")
		}
	}

	for _, id := range e.Stale {
		if _, ok := e.Document.Purpose(id); !ok {
			return nil, refusal.At(refusal.UnknownPurpose, "stale",
				"stale names "+refusal.Quote(string(id))+", which this version does not declare")
		}
	}

	if e.Effective > recorded {
		return []Event{PolicyPublished(e)}, nil
	}
	return []Event{PolicyPublished(e), PolicyEffective{e.Version}}, nil
}

// As returns p as it will be once a version is published that binds from a moment
// on, with what its publisher must declare and nothing more. Of one that is published
// already nothing changes.
func (p Policies) As(v PublishPolicy, from deadline.Instant) Policies {
	if _, known := p.Version(v.Version); known {
		return p
	}
	e := published.Policy{Version: v.Version, Document: v.Document, Effective: from}
	if before, ok := p.InForce(v.Document.Name, from); ok {
		e.Material = p.Compare(before.Version, v.Document, from).Material
	}
	if err := p.Complete(&e); err != nil {
		panic("domain: what a version changes was declared, and is refused: " + err.Error())
	}
	return Policies{p.With(e, lists.Shared)}
}

// again refuses to publish a version a second time, if that asks for something
// else than is recorded: a version is published once. What is as it was asked for
// is no news.
func (p Policies) again(cmd PublishPolicy, known *published.Policy, recorded deadline.Instant) error {
	const way = ": to publish it otherwise, change the document, be it in its title"

	if cmd.Effective > recorded && cmd.Effective != known.Effective {
		return refusal.At(refusal.AlreadyPublished, "effective",
			"this version was published before, to bind from "+known.Effective.String()+way)
	}
	if cmd.Effective <= recorded && known.Effective > recorded {
		return refusal.At(refusal.AlreadyPublished, "effective",
			"this version was published before, and binds only from "+known.Effective.String()+way)
	}
	if now, binds := p.InForce(known.Document.Name, recorded); known.Effective <= recorded && binds &&
		now.Version != known.Version {
		return refusal.At(refusal.AlreadyReplaced, "document",
			"this version was published before, and "+now.Version.String()+" has taken its place"+way)
	}

	for _, kind := range cmd.Material {
		if !slices.Contains(known.Material, kind) {
			return refusal.At(refusal.AlreadyPublished, "material",
				"this version was published before, without the material change "+refusal.QuoteCode(kind)+
					", as one that makes "+cmp.Or(strings.Join(known.Material, ", "), "none")+way)
		}
	}
	for _, id := range cmd.Stale {
		if !slices.Contains(known.Stale, id) {
			return refusal.At(refusal.AlreadyPublished, "stale",
				"this version was published before, and "+refusal.Quote(string(id))+
					" is not asked again because of it"+way)
		}
	}
	return nil
}

// begin answers PolicyEffective once the version's time has come.
func (p Policies) begin(e PolicyEffective, recorded deadline.Instant) ([]Event, error) {
	v, ok := p.Version(e.Version)
	switch {
	case !ok:
		return nil, refusal.At(refusal.UnknownVersion, "data.version", "this version was never published for this app")
	case v.Effective > recorded:
		return nil, refusal.At(refusal.AtInFuture, "data.version", "this version does not bind yet")
	}
	return []Event{e}, nil
}
