package remote

import (
	"encoding/json"
	"fmt"
	"time"

	"consentledger/api/rest"
	"consentledger/cmd/internal/output"

	"github.com/spf13/cobra"
)

// sayEvery is how often a command that waits says how far the server is.
var sayEvery = 2 * time.Second

// Waiting does work for which the server reads the whole log, and says on standard error
// from time to time how far it is.
func Waiting(c *cobra.Command, what string, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	tick := time.NewTicker(sayEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if text := progressOf(c, what); text != "" {
				fmt.Fprintln(c.ErrOrStderr(), text)
			}
		}
	}
}

// progressOf asks the server how far a question is; empty: it does not say.
func progressOf(c *cobra.Command, what string) string {
	body, err := Get(c, "/v1/status")
	if err != nil {
		return ""
	}

	var s rest.StatusReport
	if json.Unmarshal(body, &s) != nil {
		return ""
	}

	for _, r := range s.Reading {
		if r.What == what {
			return fmt.Sprintf("%s: the log is read up to position %s of %s", what, r.Position, s.Head)
		}
	}
	return ""
}

// Pages asks for a list until there is no more, and returns the first answer
// and all rows. Cursor is the member of the body that body returns.
func Pages(
	c *cobra.Command, path string, cursor *string, body func() any, list string,
) (first []byte, rows []json.RawMessage, err error) {
	for {
		answer, err := Post(c, path, body())
		if err != nil {
			return nil, nil, err
		}
		if first == nil {
			first = answer
		}
		part, err := output.Member(answer, list)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, part...)
		var next struct{ Next string }
		if err := json.Unmarshal(answer, &next); err != nil {
			return nil, nil, err
		}
		if *cursor = next.Next; next.Next == "" {
			return first, rows, nil
		}
	}
}
