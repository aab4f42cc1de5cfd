package vaultkeys

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/server"

	"github.com/spf13/cobra"
)

// Print prints how the keys are, an epoch a row.
func Print(c *cobra.Command, answer []byte) error {
	var k server.KeysReport
	if err := json.Unmarshal(answer, &k); err != nil {
		return errors.New("the server's answer is no JSON: is it of this version?")
	}

	var rows []map[string]any
	for _, n := range k.Epochs {
		does := "unwraps"
		if n == k.Epoch {
			does = "wraps"
		}
		if n > k.Epoch {
			does = "waits"
		}
		row := map[string]any{
			"epoch": n, "does": does, "keys": k.Wrapped[n], "state": k.State, "sum": k.Sum, "done": k.Done,
			"total": k.Total, "error": k.Error,
		}
		if len(k.Processes) > 0 {
			row["processes"] = whoHas(k.Processes, n)
		}
		rows = append(rows, row)
	}

	columns := []string{"epoch", "does", "keys", "state", "done", "total"}
	if len(k.Processes) > 0 {
		columns = append(columns, "processes")
	}
	return output.Values(c, rows, append(columns, "sum", "error")...)
}

// whoHas says how many of the processes that share a vault have an epoch, and which do not.
func whoHas(processes []server.KeysOf, epoch uint32) string {
	var lack []string
	for _, of := range processes {
		if !slices.Contains(of.Epochs, epoch) {
			lack = append(lack, of.Process)
		}
	}
	text := fmt.Sprintf("%d of %d", len(processes)-len(lack), len(processes))
	if len(lack) > 0 {
		text += ", not " + strings.Join(lack, ", ")
	}
	return text
}
