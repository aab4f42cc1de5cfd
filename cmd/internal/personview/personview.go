// Package personview fetches and prints what is known of a person.
package personview

import (
	"encoding/json"
	"fmt"
	"net/url"

	"consentledger/api/rest"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// History asks for a person's entries, page by page.
func History(c *cobra.Command, path, subject string) (entries []json.RawMessage, err error) {
	for query := (url.Values{}); ; {
		answer, err := remote.Post(c, path+"?"+query.Encode(), rest.Subject{Subject: subject})
		if err != nil {
			return nil, err
		}
		rows, err := output.Member(answer, "entries")
		if err != nil {
			return nil, err
		}
		entries = append(entries, rows...)
		var page struct{ Next string }
		if err := json.Unmarshal(answer, &page); err != nil || page.Next == "" {
			return entries, err
		}
		query.Set("after", page.Next)
	}
}

// NearMisses returns the rows of an answer's near misses; it may have none.
func NearMisses(answer json.RawMessage) ([]json.RawMessage, error) {
	var shape struct {
		Near []json.RawMessage `json:"near"`
	}
	err := json.Unmarshal(answer, &shape)
	return shape.Near, err
}

// Print prints what is known of a person: as a table who is nearly called so, where they stand, and what was recorded.
func Print(c *cobra.Command, app string, purposes, near, entries []json.RawMessage) error {
	switch output.Form(c) {
	case "json":
		whole := map[string]any{"app": app, "purposes": purposes, "entries": entries}
		if len(near) > 0 {
			whole["near"] = near
		}
		return output.One(c, output.Object(whole))
	case "table":
		if len(near) > 0 {
			fmt.Fprintln(c.OutOrStdout(),
				"Other persons have an id that is nearly this one. If one is the same person: subject link")
			if err := output.Rows(c, near, "person", "kind", "differs"); err != nil {
				return err
			}
		}
		if err := output.Rows(c, purposes, "purpose", "allowed", "status", "why", "since", "until"); err != nil {
			return err
		}
	}
	return output.Rows(c, entries, "position", "recorded", "at", "sequence", "type", "actor", "event_id")
}
