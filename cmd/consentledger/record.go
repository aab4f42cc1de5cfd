package main

import (
	"encoding/json"
	"net/http"
	"strings"

	"consentledger/api/wire"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/signing"

	"github.com/spf13/cobra"
)

func newRecord() *cobra.Command {
	var app, kind, person, data, id, source, at string
	var key signing.Key
	var operator bool
	var proof recording.ProofWait
	c := &cobra.Command{
		Use:   "record [FILE|-]",
		Short: "Record an event: a CloudEvent from a file, or one made of flags",
		Long: `Record an event: a CloudEvent from a file, or one made of flags. The receipt comes
once the event is on disk. With --wait-sealed the proof comes beside it, once the
record is under a signed checkpoint of the app's log, a second later at the most: a
c2sp.org/tlog-proof@v1, which verifies offline with: consentledger verify proof
If no checkpoint comes in time, the receipt is printed and the exit code is 6: the
event is recorded all the same, and its proof is there later, with: log proof`,
		Example: `  consentledger record --app smartkey --type consent.withdrawn --subject user-1 --data '{"purposes":["personalisation"]}'
  consentledger record --app smartkey event.json
  consentledger record --app smartkey event.json --wait-sealed --proof proof`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			attrs := map[string]string{"type": kind, "subject": person, "id": id, "source": source, "time": at}
			if err := proof.Check(c); err != nil {
				return err
			}
			body, err := recording.EventBody(c, args, attrs, data, operator)
			if err != nil {
				return err
			}
			endpoint := "/events"
			if operator {
				endpoint = "/operator/events"
			}
			headers, err := key.Headers(body)
			if err != nil {
				return err
			}
			answer, err := remote.Call(c, http.MethodPost, remote.App(app)+endpoint, "application/cloudevents+json",
				body, headers...)
			if err != nil && operator && json.Valid(body) {
				return recording.Propose(c, app, "event", json.RawMessage(body), err)
			}
			if err != nil {
				return err
			}
			return proof.Print(c, app, answer)
		},
	}
	f := c.Flags()
	commandline.AppFlag(c, &app)
	f.StringVar(&kind, "type", "", "the event type, as in consent.withdrawn; see: schema list")
	f.StringVar(&person, "subject", "", "the person, as in user-1 or device:abc")
	f.StringVar(&data, "data", "{}", "the event's data, JSON")
	f.StringVar(&id, "id", "", "the event's id (default: a random one)")
	f.StringVar(&source, "source", "consentledger-cli", "who sends it")
	f.StringVar(&at, "time", "", "when it happened, RFC 3339 (default: now)")
	f.BoolVar(&operator, "operator", false,
		"as an operator, not as an app; what is about the app as a whole needs no --subject")
	key.Flags(c)
	proof.Flags(c)
	output.Flag(c)
	recording.DryRun(c)
	return c
}

// checkColumns are what a table shows of an answer to "may we?".
var checkColumns = []string{"allowed", "status", "why", "purpose", "action", "evidence", "since", "events", "position"}

func newCheck() *cobra.Command {
	var app string
	c := &cobra.Command{
		Use:   "check",
		Short: "May we? Ask whether a purpose is allowed for a person",
		Long: "May we? Ask whether a purpose is allowed for a person. The exit code is 0 if it is and 4 if it is " +
			"not;\nany other means that it is unknown, which is not allowed.",
		Example: "  consentledger check --app smartkey --subject user-1 --purpose personalisation",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			body := map[string]string{}
			for _, name := range []string{"subject", "purpose", "action", "category", "recipient", "version",
				"valid_at", "known_at"} {
				v, err := c.Flags().GetString(strings.ReplaceAll(name, "_", "-"))
				if err != nil {
					return err
				}
				if v != "" {
					body[name] = v
				}
			}
			answer, err := remote.Post(c, remote.App(app)+"/check", body)
			if err != nil {
				return err
			}
			if err := output.One(c, answer, checkColumns...); err != nil {
				return err
			}
			var a wire.CheckAnswer
			if err := json.Unmarshal(answer, &a); err != nil {
				return err
			}
			if !a.Allowed {
				return exit.NotAllowed(a.Reason)
			}
			return nil
		},
	}
	f := c.Flags()
	commandline.AppFlag(c, &app)
	f.String("subject", "", "the person, as in user-1 or device:abc")
	f.String("purpose", "", "the purpose")
	f.String("action", "", "collect, use, provide, publish or export (default: use)")
	f.String("category", "", "the kind of data (default: any)")
	f.String("recipient", "", "who gets the data")
	f.String("version", "", "the policy version that the processing goes by (default: the one in force)")
	f.String("valid-at", "", "was it allowed then? RFC 3339 (default: now)")
	f.String("known-at", "", "as far as was known then, RFC 3339 (default: now)")
	commandline.Require(c, "subject", "purpose")
	output.Flag(c)
	return c
}
