package rest

import (
	"context"
	"net/http"
	"slices"

	"consentledger/api/auth"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"
)

// ownTypes are what a person's own browser or phone says by a subject token: what the
// person does and sees there. What is established about a person, as an age, a guardian
// or a second device, is a back end's to say.
var ownTypes = []string{
	"consent.given", "consent.refused", "consent.withdrawn", "consent.requested", "policy.acknowledged",
	"notice.presented",
	"permission.granted", "permission.denied", "permission.revoked", "request.received", "decision.objected",
}

// forbid refuses what a subject token is not for, and names nobody.
func forbid(detail string) error {
	p := plain(http.StatusForbidden, detail)
	p.Type, p.Title, p.Code = "urn:consentledger:problem:forbidden", "Not allowed", "forbidden"
	return failure{p}
}

// mayAsk refuses a question about another person than the one that a subject token is of.
func mayAsk(ctx context.Context, subject string) error {
	own, only := auth.About(ctx)
	if !only {
		return nil
	}
	who, err := ident.ParsePersonKey(subject)
	if err != nil {
		return bad("subject: " + err.Error())
	}
	if who != own {
		return forbid("this subject token is for one person, and this is about another: let the back end ask, or " +
			"mint a token for them")
	}
	return nil
}

// maySay refuses an event that a subject token is not for, before anything of it is
// recorded.
func maySay(ctx context.Context, r ledger.Request) error {
	own, only := auth.About(ctx)
	switch {
	case !only:
		return nil
	case r.Person != own:
		return forbid("subject: this subject token is for one person, and this is about another: let the back end " +
			"record it, or mint a token for them")
	case !slices.Contains(ownTypes, parse.TypeOf(r)):
		return forbid("type: by a subject token a person says what they do themselves, and not this: let the back " +
			"end record it")
	case r.Actor != string(ident.Person) || r.OnBehalfOf != "":
		return forbid("actor: by a subject token a person acts, and for themselves: leave out actor and onbehalfof, " +
			"or let the back end record it")
	case vouched(r.Command):
		return forbid("data: by a subject token nobody vouches for what was checked elsewhere: leave out import, " +
			"filtered_by and proof, or let the back end record it")
	case r.Other != (ident.PersonKey{}) || r.Stream != (ident.StreamID{}):
		return forbid("data: by a subject token a person speaks of themselves, and this names somebody or something " +
			"else: let the back end record it")
	}
	return nil
}

// vouched reports whether a grant says what a person does not do themselves: that it was
// given before and is carried over, that a list was held against it, or that somebody
// checked a document. With that it would count where it falls short without.
func vouched(cmd domain.Command) bool {
	grant, is := cmd.(domain.GiveConsent)
	return is && (grant.Import || grant.FilteredBy != "" || grant.Proof != domain.Proof{})
}
