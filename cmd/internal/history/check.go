package history

import (
	"encoding/json"
	"fmt"
	"strings"

	"consentledger/api/rest"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"

	"github.com/spf13/cobra"
)

// Check compares every table of the read models with what history makes of it. It prints a
// row for every table, and fails if one differs.
func Check(c *cobra.Command, data string) error {
	var answer rest.Rebuilt
	if data != "" {
		rows, err := server.RebuildDir(c.Context(), data)
		if err != nil {
			return err
		}
		answer = rest.RebuiltOf(rows)
	} else {
		var body []byte
		err := remote.Waiting(c, server.ReadingRebuild, func() (err error) {
			body, err = remote.Post(c, "/v1/replay/check", nil)
			return err
		})
		if err != nil {
			return err
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return err
		}
	}

	p := output.NewPrinter(c, "projection", "table", "position", "same", "live", "rebuilt")
	var wrong []string
	for _, t := range answer.Tables {
		if !t.Same {
			wrong = append(wrong, t.Projection+"."+t.Table)
		}
		if err := p.Row(output.Object(t)); err != nil {
			return err
		}
	}
	if err := p.End(); err != nil {
		return err
	}

	if len(wrong) > 0 {
		return exit.Differs(fmt.Errorf("not what history makes of it: %s; stop the server, remove the directory "+
			"views, and start it again", strings.Join(wrong, ", ")))
	}
	return nil
}
