package domain

import (
	"strings"

	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/domain/surface"
)

// Whoever publishes what a screen shows could make it say anything, and let themselves
// record that people agreed to it. So the principal that published a surface records no
// consents that were collected on it, neither by a presentation that names the surface,
// nor by naming its build alone, nor by tokens that they mint. An opt-out is taken from
// everybody.

// TokenSuffix is how the principal of a subject token ends: before it stands that of who
// minted it.
const TokenSuffix = "-token"

var errOwnSurface = refusal.New(refusal.SamePrincipal,
	"who published a surface may not record consents to it: let the app's back end do so, by a key of another holder")

// publishedBy reports whether b published a surface, or speaks by a token of who did.
func publishedBy(b ident.By, p SurfacePublished) bool {
	minter, _ := strings.CutSuffix(b.Principal, TokenSuffix)
	return b.Is(p.Publisher, p.Signer) || ident.By{Principal: minter}.Is(p.Publisher, "")
}

// publishedBuild reports whether b published a surface of a build, with a control on it if
// one is named.
func (ref Reference) publishedBuild(b ident.By, build string, control surface.ControlID) bool {
	if build == "" {
		return false
	}
	for _, p := range ref.Surfaces.list {
		if p.Surface.Build != build || !publishedBy(b, p) {
			continue
		}
		if _, has := p.Surface.Control(control); has || control == "" {
			return true
		}
	}
	return false
}
