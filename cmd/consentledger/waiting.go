package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"consentledger/api/rest"

	"github.com/spf13/cobra"
)

// sayEvery is how often a command that waits says how far the server is.
var sayEvery = 2 * time.Second

// waiting does work for which the server reads the whole log, and says on standard error
// from time to time how far it is.
func waiting(c *cobra.Command, what string, work func() error) error {
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
	body, err := call(c, http.MethodGet, "/v1/status", "", nil)
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
