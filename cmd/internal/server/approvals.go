package server

import (
	"context"
	"time"

	"consentledger/api/approval"
	"consentledger/api/auth"
)

// openApprovals makes the ledger ask for two principals where the table of package auth
// says so, and where the installation asks for more. Where nobody is authenticated nobody
// can be another person, and names in commands count as before.
func (h *Server) openApprovals() error {
	two, err := auth.ParseTwoPersons(h.Config.Access.Ways.TwoPersons)
	if err != nil {
		return err
	}
	h.Dir.Ledger.AskTwo(two.Needs, h.roster().StillMay)
	h.approvals = &approval.Approvals{Ledger: h.Dir.Ledger, Needs: two.Needs, Same: h.keys.SameHolder}
	return nil
}

// roster knows which roles principals have now, in whatever way they come.
func (h *Server) roster() auth.Roster {
	r := auth.Roster{Keys: h.keys}
	if h.certificates != nil {
		r.Certificates = h.certificates.Bindings
	}
	if h.roles == nil {
		return r
	}
	r.Groups = func(ctx context.Context, principal string) ([]auth.Binding, error) {
		groups, err := h.seen.Groups(ctx, principal)
		if err != nil {
			return nil, err
		}
		bindings, err := h.roles.look().Bindings(groups)
		if err != nil {
			return nil, nil // roles that nobody has both of: then they have none
		}
		return bindings, nil
	}
	return r
}

// finishEvery is how often it is looked whether something was approved that a process
// which died did not record.
const finishEvery = 10 * time.Second

// finishApproved records what was approved and not recorded, until ctx is done.
func (h *Server) finishApproved(ctx context.Context) {
	t := time.NewTicker(finishEvery)
	defer t.Stop()
	for ctx.Err() == nil {
		if err := h.approvals.Finish(ctx, h.Logs.Logged()); err != nil && ctx.Err() == nil {
			h.Log.Warn("what was approved could not be recorded, and is tried again", "error", err)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
}
