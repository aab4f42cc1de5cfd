package reports

import (
	"encoding/json"
	"fmt"
	"time"

	"consentledger/cmd/internal/output"

	"github.com/spf13/cobra"
)

// PrintWitnesses prints a row a witness, and what the quorum signed beside it.
// As JSON it is one document.
func PrintWitnesses(c *cobra.Command, text []byte) error {
	if output.Form(c) == "json" {
		return output.One(c, text)
	}

	var quorum struct {
		Size    int64  `json:"size"`
		Last    string `json:"last"`
		Seconds int64  `json:"longest_gap_seconds"`
		From    string `json:"longest_gap_from"`
		To      string `json:"longest_gap_to"`
	}
	if err := json.Unmarshal(text, &quorum); err != nil {
		return err
	}

	rows, err := output.Member(text, "witnesses")
	if err != nil {
		return err
	}

	last := "never"
	if quorum.Last != "" {
		last = fmt.Sprintf("the first %d records, at %s", quorum.Size, quorum.Last)
	}

	fmt.Fprintf(c.ErrOrStderr(), "signed by a quorum: %s\nlongest time without one: %s, from %s to %s\n",
		last, time.Duration(quorum.Seconds)*time.Second, quorum.From, quorum.To)
	return output.Rows(c, rows, "name", "size", "at", "error")
}
