package recording

import (
	"encoding/json"
	"errors"
	"fmt"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/domain/refusal"

	"github.com/spf13/cobra"
)

// ProposalColumns are what a table shows of a proposal.
var ProposalColumns = []string{"id", "state", "command", "reason", "by", "until", "decided_by", "answer", "record"}

// Propose proposes what was refused because it takes two principals. It returns err if
// that was refused for another reason.
func Propose(c *cobra.Command, app, member string, command any, err error) error {
	problem, is := errors.AsType[*exit.ProblemError](err)
	if !is || problem.Code != string(refusal.ApprovalNeeded) {
		return err
	}

	answer, err := remote.Post(c, remote.App(app)+"/proposals", map[string]any{member: command})
	if err != nil {
		return err
	}

	var p struct{ ID string }
	if err := json.Unmarshal(answer, &p); err != nil {
		return err
	}

	fmt.Fprintf(c.ErrOrStderr(),
		"Nothing is recorded yet: it takes two principals, and is proposed. Another one, with the role approver, "+
			"decides:\n"+
			"  consentledger proposal approve --app %s %s\n", app, p.ID)
	if c.Flags().Lookup("output") == nil {
		_, err = fmt.Fprintln(c.OutOrStdout(), string(answer))
		return err
	}
	return output.One(c, answer, ProposalColumns...)
}
