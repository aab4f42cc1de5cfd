package wire

import (
	"net/url"
	"slices"

	"consentledger/domain"
)

// An Accessor says who is about to read what the ledger keeps, and why. Whoever
// opens personal texts says all three. It is recorded before anything is read;
// why and by are sealed.
type Accessor struct {
	Reason string `json:"reason,omitzero" example:"dispute" doc:"a code: subject-request, dispute, authority, audit, incident or another; kept in the clear"`
	Why    string `json:"why,omitzero" maxLength:"500" doc:"the same in words; sealed"`
	By     string `json:"by,omitzero" maxLength:"500" doc:"who reads; sealed"`
}

// The headers that say the same for requests without a body. Their texts are
// UTF-8, percent-encoded.
const (
	ReasonHeader = "Consent-Reason"
	WhyHeader    = "Consent-Why"
	ByHeader     = "Consent-By"
)

// Headers returns what [parse.Accessor] reads, without what is not said.
func (r Accessor) Headers() [][2]string {
	all := [][2]string{{ReasonHeader, r.Reason}, {WhyHeader, url.PathEscape(r.Why)}, {ByHeader, url.PathEscape(r.By)}}
	return slices.DeleteFunc(all, func(h [2]string) bool { return h[1] == "" })
}

// AccessOf returns an access of a kind by an accessor.
func AccessOf(r Accessor, kind domain.AccessKind) domain.DataAccessed {
	return domain.DataAccessed{Kind: kind, Reason: r.Reason, Words: domain.Personal(r.Why), Name: domain.Personal(r.By)}
}
