package auth

import (
	"context"
	"slices"

	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"
)

// A Roster knows which roles a principal has now who is not asking at the moment: whoever
// proposed something may have lost the role for it before another one approves.
//
// Of a key, and of a file of roles, it knows what holds now. Of the groups of an identity
// provider it knows what the newest token said that was seen, see [Seen]: who lost a group
// there since is found out with their next token.
type Roster struct {
	Keys         *Keys
	Certificates func(principal string) []Binding // nil: nobody comes by one

	// Groups returns what the groups of somebody give, as they were last seen; nil: there is
	// no identity provider.
	Groups func(ctx context.Context, principal string) ([]Binding, error)
}

// Holds reports whether a principal may do an operation in an app. An error says that
// nobody knows now.
func (r Roster) Holds(ctx context.Context, principal string, op Operation, app ident.AppName) (bool, error) {
	row, has := rowOf(op)
	if !has {
		return false, nil
	}
	bindings, err := r.bindings(ctx, principal)
	return slices.ContainsFunc(bindings, func(b Binding) bool { return b.may(row) && b.In(app) }), err
}

// bindings returns all roles of a principal.
func (r Roster) bindings(ctx context.Context, principal string) (all []Binding, err error) {
	keys, err := r.Keys.List(ctx) // which reads them: another process may have revoked one
	if err != nil {
		return nil, err
	}
	for _, l := range keys {
		if l.Principal == principal && !l.Ended(r.Keys.Now()) {
			all = append(all, l.principal().Bindings...)
		}
	}

	if r.Certificates != nil {
		all = append(all, r.Keys.Reach(r.Certificates(principal))...)
	}
	if r.Groups == nil {
		return all, nil
	}
	groups, err := r.Groups(ctx, principal)
	return append(all, r.Keys.Reach(groups)...), err
}

// StillMay refuses what two principals decided in an app if the first may not propose it any
// more, or the second not approve it. [ledger.PendingApprover] stands for a second who has
// not decided.
func (r Roster) StillMay(ctx context.Context, app ident.AppName, by [2]string) error {
	may, err := r.Holds(ctx, by[0], Propose, app)
	if err != nil {
		return err
	}
	if !may {
		return refusal.Refusal{Code: refusal.RoleLost,
			Text: "who proposed this has no role in this app any more that may propose it"}
	}

	if by[1] == ledger.PendingApprover {
		return nil
	}
	if may, err = r.Holds(ctx, by[1], Approve, app); err != nil || may {
		return err
	}
	return refusal.Refusal{Code: refusal.RoleLost,
		Text: "who approved this has no role in this app any more that may approve it"}
}
