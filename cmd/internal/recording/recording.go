// Package recording records events that a verb makes of its flags, and prints their receipts.
package recording

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"

	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// An Event is an event that an operator records with a verb of its own.
type Event struct {
	App, id, at, source string
}

// Flags gives a verb the flags of an event.
func (t *Event) Flags(c *cobra.Command) {
	commandline.AppFlag(c, &t.App)
	f := c.Flags()
	f.StringVar(&t.id, "id", "", "the event's id (default: a random one)")
	f.StringVar(&t.at, "time", "", "when it happened, RFC 3339 (default: now)")
	f.StringVar(&t.source, "source", "consentledger-cli", "who sends it")
	dryRunFlag(c)
	output.Flag(c)
}

// Record records an event as an operator, and prints its receipt; or prints what would be
// recorded, if no more is asked for.
func (t *Event) Record(c *cobra.Command, kind, subject string, data map[string]any, columns ...string) error {
	return foretell(c, t.record(c, kind, subject, data, columns...))
}

func (t *Event) record(c *cobra.Command, kind, subject string, data map[string]any, columns ...string) error {
	event := map[string]any{"specversion": "1.0", "type": kind, "source": t.source, "id": t.id,
		"datacontenttype": "application/json", "data": data}
	if t.id == "" {
		event["id"] = rand.Text()
	}
	if t.at != "" {
		event["time"] = t.at
	}
	if subject != "" {
		event["subject"] = subject
	}

	body, err := json.Marshal(event)
	if err != nil {
		return err
	}

	answer, err := remote.Call(c, http.MethodPost, remote.App(t.App)+"/operator/events", "application/cloudevents+json",
		body)
	if err != nil {
		return Propose(c, t.App, "event", json.RawMessage(body), err)
	}
	if err := output.One(c, answer, append(columns, "event_id", "position")...); err != nil {
		return err
	}
	return Reason(c, answer)
}

// Words returns a flag's text, or standard input for "-".
func Words(c *cobra.Command, flag string) (string, error) {
	text, _ := c.Flags().GetString(flag)
	if text != "-" {
		return text, nil
	}
	in, err := files.ReadInput(c, "--"+flag, "-", files.MaxInput)
	return strings.TrimSpace(string(in)), err
}

// Evidence puts the hash of a document into data, if there is one.
func Evidence(data map[string]any, evidence string) error {
	if evidence == "" {
		return nil
	}
	hash, err := files.HashOf(evidence)
	if err != nil {
		return files.NamedBy("--evidence", err)
	}
	data["evidence"] = hash
	return nil
}
