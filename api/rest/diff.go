package rest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/projections/consents"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"
)

// DiffRequest asks what differs between two published versions, or between the
// version in force and a document. Both are of one policy, or the new one is of
// a specific policy that prevails over the old one's.
type DiffRequest struct {
	Old      string `json:"old,omitempty" doc:"sha256:... of a version"`
	New      string `json:"new,omitempty" doc:"sha256:... of a version"`
	Document any    `json:"document,omitempty" doc:"a policy/1 document instead of both, against the version in force; the first of a specific policy, against the general one's"`
}

// DiffAnswer is what differs, and what follows if the new version is published.
type DiffAnswer struct {
	Policy        string       `json:"policy"`
	Over          string       `json:"over,omitempty" doc:"the policy that old is of, if policy is a specific one that prevails over it: then only what policy declares is compared, for the general one goes on beside it, and no kind of material change is declared"`
	Old           string       `json:"old"`
	New           string       `json:"new"`
	Differences   []Difference `json:"differences"`
	Material      []string     `json:"material" doc:"the kinds of material change: what a publisher must declare at least"`
	Stale         []string     `json:"stale"`
	Scopes        []Added      `json:"scopes"`
	RightsReduced bool         `json:"rights_reduced"`
	Touched       []Touched    `json:"touched"`
	AsOf          string       `json:"as_of" doc:"of touched"`
}

// A Difference is one thing that differs.
type Difference struct {
	Section  string `json:"section"`
	Name     string `json:"name"`
	Old      string `json:"old,omitempty"`
	New      string `json:"new,omitempty"`
	Material string `json:"material,omitempty" doc:"the kind of material change; absent: none"`
	Reduces  bool   `json:"reduces,omitempty" doc:"rights of persons"`
}

// Touched is how many people have a consent to a purpose that would grow stale with
// the new version, whole or in what is added; by whichever policy it is, as long as
// the new version changes what binds for it. Ids that are linked are counted each,
// since each has consents of its own: a grant crosses no link.
type Touched struct {
	Purpose string `json:"purpose"`
	People  int64  `json:"people"`
}

func (s *server) diffRoute(api huma.API) {
	bodied[DiffRequest](s, api, "diff-policies", http.MethodPost, "/v1/apps/{app}/policies/diff",
		"What differs between two versions, and whose consents it touches; nothing is recorded", maxPolicy, s.diff)
}

func (s *server) diff(ctx context.Context, in *checkBody) (*out[DiffAnswer], error) {
	name, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}

	ref, err := s.Ledger.App(ctx, name)
	if err != nil {
		return nil, err
	}

	was, is, err := s.versions(ref.Policies, in.RawBody)
	if err != nil {
		return nil, err
	}

	c, over, err := compare(ref.Policies, was, is, s.Ledger.Now())
	if err != nil {
		return nil, err
	}

	a := DiffAnswer{
		Over:   over,
		Policy: is.Document.Name, Old: was.Version.String(), New: is.Version.String(), Differences: []Difference{},
		Material: slices.Concat([]string{}, c.Material), Stale: slices.Concat([]string{}, words(c.Stale)),
		Scopes: slices.Concat([]Added{}, scopesOf(c.Scopes)), RightsReduced: c.RightsReduced,
	}
	for _, d := range c.Differences {
		a.Differences = append(a.Differences, Difference(d))
	}
	if a.Touched, a.AsOf, err = s.touched(ctx, name, ref.Policies, is, c); err != nil {
		return nil, err
	}
	return ok(a)
}

// versions returns the two versions that a body names.
func (s *server) versions(policies domain.Policies, body []byte) (was, is domain.PublishPolicy, err error) {
	var b struct {
		Old      string         `json:"old"`
		New      string         `json:"new"`
		Document jsontext.Value `json:"document"`
	}
	if err := strict(body, &b); err != nil {
		return was, is, err
	}
	if (b.Document == nil) == (b.Old == "" && b.New == "") {
		return was, is, bad(`name two versions, as in {"old": "sha256:...", "new": "sha256:..."}, or a document, and not both`)
	}

	if b.Document == nil {
		if was, err = versionOf(policies, "old", b.Old); err != nil {
			return was, is, err
		}
		is, err = versionOf(policies, "new", b.New)
		return was, is, err
	}

	if is, err = parseDocument(b.Document); err != nil {
		return was, is, err
	}

	v, found := policies.InForce(is.Document.Name, s.Ledger.Now())
	if !found && is.Document.Over != "" {
		v, found = policies.InForce(is.Document.Over, s.Ledger.Now())
	}

	if !found {
		return was, is, refusal.Refusal{
			Code: refusal.UnknownPolicy,
			Path: "document",
			Text: "document: no version of a policy of that name is in force, nor of one over which it prevails: " +
				"there is nothing to compare with",
		}
	}
	return domain.PublishPolicy{Version: v.Version, Document: v.Document}, is, nil
}

// versionOf finds a published version by its hash.
func versionOf(policies domain.Policies, member, hash string) (domain.PublishPolicy, error) {
	h, err := content.ParseHash(hash)
	if err != nil {
		return domain.PublishPolicy{}, bad(member + ": " + err.Error())
	}
	v, found := policies.Version(h)
	if !found {
		return domain.PublishPolicy{}, refusal.Refusal{
			Code: refusal.UnknownVersion,
			Path: member,
			Text: member + ": this version was never published for this app",
		}
	}
	return domain.PublishPolicy{Version: v.Version, Document: v.Document}, nil
}

// compare compares two versions of one policy, or of a general one and a
// specific one that prevails over it: then over is the general one's name.
func compare(
	policies domain.Policies, old, new domain.PublishPolicy, now deadline.Instant,
) (c policy.Comparison, over string, err error) {
	was, is := old.Document, new.Document
	switch {
	case was.Name == is.Name:
		until := now
		if v, published := policies.Version(new.Version); published {
			until = v.Effective
		}
		return policies.Compare(old.Version, is, until), "", nil
	case is.Over == was.Name:
		return policies.CompareSpecific(old.Version, is), was.Name, nil
	case was.Over == is.Name:
		return c, "", refusal.Refusal{Code: refusal.Malformed, Path: "old", Text: fmt.Sprintf(
			"old: %s prevails over %s: name the version of the general policy first, and then that of the "+
				"specific one", refusal.Quote(was.Name), refusal.Quote(is.Name))}
	}

	return c, "", refusal.Refusal{Code: refusal.Malformed, Path: "new", Text: fmt.Sprintf(
		"new: this is a version of %s and the old one of %s, and neither prevails over the other: name two versions "+
			"of one policy, or of a general and of a specific one",
		refusal.Quote(is.Name), refusal.Quote(was.Name))}
}

// touched counts the people whose consents cover less once a version binds: of those
// that hold now. Of a version that binds already these are the ones that held when it
// began to and did not run out since: what it made stale itself counts. Purposes that
// differ are named also if nobody consented to them.
func (s *server) touched(
	ctx context.Context, app ident.AppName, policies domain.Policies, is domain.PublishPolicy, c policy.Comparison,
) ([]Touched, string, error) {
	now := s.Ledger.Now()
	change := consents.Change{Policies: policies.As(is, now), At: now, Before: now, After: now}
	if v, published := policies.Version(is.Version); published {
		change.Before, change.After = min(now, v.Effective-1), v.Effective
	} else {
		change.Before--
	}
	people, asOf, err := s.Consents.Touched(ctx, app, change)
	if err != nil {
		return nil, "", err
	}

	ids := slices.Clone(c.Stale)
	for _, scope := range c.Scopes {
		ids = append(ids, scope.Purpose)
	}
	for _, id := range slices.Sorted(maps.Keys(people)) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	list := []Touched{}
	for _, id := range ids {
		list = append(list, Touched{Purpose: string(id), People: people[id]})
	}
	return list, wire.FormatPosition(asOf), nil
}
