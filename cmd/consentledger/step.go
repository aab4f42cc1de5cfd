package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain"

	"github.com/spf13/cobra"
)

// A tale is an event that an operator records with a verb of its own.
type tale struct {
	app, id, at, source string
}

func (t *tale) flags(c *cobra.Command) {
	appFlag(c, &t.app)
	f := c.Flags()
	f.StringVar(&t.id, "id", "", "the event's id (default: a random one)")
	f.StringVar(&t.at, "time", "", "when it happened, RFC 3339 (default: now)")
	f.StringVar(&t.source, "source", "consentledger-cli", "who sends it")
	outputFlag(c)
}

// tell records an event by the operators' door and prints its receipt.
func (t *tale) tell(c *cobra.Command, kind, subject string, data map[string]any, columns ...string) error {
	event := map[string]any{"specversion": "1.0", "type": kind, "source": t.source, "id": t.id, "datacontenttype": "application/json", "data": data}
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
	answer, err := call(c, http.MethodPost, "/v1/apps/"+url.PathEscape(t.app)+"/operator/events", "application/cloudevents+json", body)
	if err != nil {
		return proposed(c, t.app, "event", json.RawMessage(body), err)
	}
	if err := printOne(c, answer, append(columns, "event_id", "position")...); err != nil {
		return err
	}
	return tellReason(c, answer)
}

// newSteps returns a verb for every step of requests or of incidents.
func newSteps(noun domain.Noun) []*cobra.Command {
	var verbs []*cobra.Command
	for _, rule := range domain.StepRules {
		if rule.Noun == noun && !rule.Found {
			verbs = append(verbs, newStep(rule))
		}
	}
	return verbs
}

func newStep(rule domain.StepRule) *cobra.Command {
	var t tale
	noun := string(rule.Noun)
	verb, before := stepVerbs[rule.Kind], strings.ReplaceAll(strings.TrimPrefix(string(rule.Kind), noun+"."), ".", "-")
	c := &cobra.Command{
		Use: verb + " ID", Aliases: []string{before}, Short: upper(rule.Says), Args: cobra.ExactArgs(1),
		Long: upper(rule.Says) + " (" + rule.Source + ").\n\nRecords " + string(rule.Kind) + ".",
	}
	if rule.Opens() {
		c.Use, c.Args = verb+" [ID]", cobra.MaximumNArgs(1)
		c.Long += " Without an ID it opens an incident, whose id the receipt says."
	}
	t.flags(c)
	for _, f := range rule.Fields {
		c.Flags().String(strings.ReplaceAll(f.Name, "_", "-"), "", f.String())
		if f.Required && f.Name != "approved_by" { // where principals are authenticated, nobody is named
			c.MarkFlagRequired(strings.ReplaceAll(f.Name, "_", "-"))
		}
	}
	c.Flags().String("evidence", "", "a document that shows it: its file, or its hash")
	if rule.Noun == domain.RequestNoun {
		c.Flags().String("details", "", "more in words: sealed for the person; - reads them from standard input")
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		data, err := stepData(c, rule)
		if err != nil {
			return err
		}
		if len(args) == 1 {
			data[noun] = args[0]
		}
		return t.tell(c, string(rule.Kind), "", data, noun)
	}
	return c
}

// stepData collects what a step says from its flags.
func stepData(c *cobra.Command, rule domain.StepRule) (map[string]any, error) {
	data := map[string]any{}
	for _, f := range rule.Fields {
		if v, _ := c.Flags().GetString(strings.ReplaceAll(f.Name, "_", "-")); v != "" {
			data[f.Name] = v
		}
	}
	if v, _ := c.Flags().GetString("evidence"); v != "" {
		hash, err := hashOf(v)
		if err != nil {
			return nil, files.NamedBy("--evidence", err)
		}
		data["evidence"] = hash
	}
	if rule.Noun != domain.RequestNoun {
		return data, nil
	}
	words, err := wordsOf(c, "details")
	if words != "" {
		data["details"] = map[string]string{"text": words}
	}
	return data, err
}

// wordsOf returns a flag's text, or standard input for "-".
func wordsOf(c *cobra.Command, flag string) (string, error) {
	text, _ := c.Flags().GetString(flag)
	if text != "-" {
		return text, nil
	}
	in, err := files.ReadInput(c, "--"+flag, "-", files.MaxInput)
	return strings.TrimSpace(string(in)), err
}

// hashOf returns a hash as it is, or that of a file.
func hashOf(text string) (string, error) {
	if strings.HasPrefix(text, "sha256:") {
		return text, nil
	}
	f, info, err := files.OpenOwn(text)
	if err != nil {
		return "", exit.Usage(fmt.Errorf("want a file, or a hash as sha256: and 64 hex digits: %w", err))
	}
	defer f.Close()
	if info.Size() > files.MaxEvidence {
		return "", files.TooLarge(text, files.MaxEvidence)
	}

	// As many bytes as it had: it may grow meanwhile.
	h := sha256.New()
	if _, err := io.CopyN(h, f, info.Size()); err != nil {
		return "", fmt.Errorf("%s: %w", text, err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
