package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"consentledger/api/rest"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// healthWithin is how long the server has to answer by default: it looks at its parts
// for 5 seconds at most.
const healthWithin = 8 * time.Second

func newHealthcheck() *cobra.Command {
	var within time.Duration
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Whether the server can answer, for container runtimes: exit code 0 or 1",
		Long: `Ask a server's /readyz once, and print one line: "ready", or what is missing. The exit
code is 0 or 1, and no other: container runtimes keep the rest for themselves. So a
server that cannot be reached is 1 here, too.

  HEALTHCHECK CMD ["/consentledger", "healthcheck"]

An alarm (see consentledger alarms) leaves the server ready.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if within <= 0 {
				return exit.Failed(errors.New("--within: want a time above zero, as in 5s"))
			}
			ctx, cancel := context.WithTimeout(c.Context(), within)
			defer cancel()
			if err := askReady(ctx, c); err != nil {
				return exit.Failed(errors.New("not ready: " + oneLine(err.Error())))
			}
			fmt.Fprintln(c.OutOrStdout(), "ready")
			return nil
		},
	}
	c.Flags().DurationVar(&within, "within", healthWithin, "how long the server may take to answer")
	return c
}

// askReady returns what a server misses; nil: nothing.
func askReady(ctx context.Context, c *cobra.Command) error {
	resp, err := remote.Send(ctx, c, http.MethodGet, "/readyz", "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}

	var h rest.Health
	if err := json.Unmarshal(text, &h); err != nil || h.OK != (resp.StatusCode == http.StatusOK) {
		return fmt.Errorf("what listens there is no consent ledger: it answered %s", resp.Status)
	}
	if h.OK {
		return nil
	}
	var missing []string
	for _, check := range h.Checks {
		if !check.OK && !check.Alarm {
			missing = append(missing, check.Name+": "+check.Detail)
		}
	}
	if len(missing) == 0 {
		return errors.New("the server does not say why")
	}
	return errors.New(strings.Join(missing, "; "))
}

// oneLine puts the lines of a text behind each other.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
