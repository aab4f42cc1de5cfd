package lawfulnessview

import (
	"encoding/json"

	"consentledger/api/rest"
	"consentledger/cmd/internal/output"

	"github.com/spf13/cobra"
)

// PrintPreview prints a preview: as a table itself, then its effects, then a
// line for every change of every person.
func PrintPreview(c *cobra.Command, answer []byte) error {
	if err := output.One(c, answer, "records", "persons", "by_type", "unknown", "tests", "next"); err != nil ||
		output.Form(c) != "table" {
		return err
	}

	var a rest.VoidCount
	if err := json.Unmarshal(answer, &a); err != nil {
		return err
	}

	effects, err := output.Member(answer, "effects")
	if err != nil {
		return err
	}
	if err := output.Rows(c, effects, "purpose", "before", "after", "persons"); err != nil {
		return err
	}

	var persons []json.RawMessage
	for _, p := range a.Touched {
		if len(p.Changes) == 0 {
			p.Changes = []rest.VoidChange{{}}
		}
		for _, change := range p.Changes {
			persons = append(persons, output.Object(map[string]any{"person": p.Person, "records": p.Records,
				"purpose": change.Purpose, "before": change.Before, "after": change.After}))
		}
	}
	return output.Rows(c, persons, "person", "records", "purpose", "before", "after")
}
