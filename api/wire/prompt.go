package wire

import (
	"context"
	"strings"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// A PromptRequest asks what an app must ask a person, or show to them, now.
type PromptRequest struct {
	Subject string `json:"subject" doc:"account:ID, device:ID or ID"`
	Locale  string `json:"locale,omitzero" doc:"of the texts, as in zh-CN; absent or unknown: the policy's first"`
}

// A PromptAnswer is everything that must be asked or shown. An item with
// not_before is not asked before that moment.
type PromptAnswer struct {
	App      string       `json:"app"`
	Items    []PromptItem `json:"items"`
	Position string       `json:"position"`
	ValidAt  string       `json:"valid_at"`
}

// A PromptItem is one thing to ask or to show.
type PromptItem struct {
	Purpose   string     `json:"purpose,omitzero" doc:"absent: the policy as a whole"`
	Title     string     `json:"title"`
	Reason    string     `json:"reason" doc:"never-asked, refused, withdrawn, signal (a machine said no), expired, policy-changed, order-not-provable, material-change, acknowledge or guardian"`
	Separate  bool       `json:"separate" doc:"by a control of its own"`
	Explicit  bool       `json:"explicit" doc:"by more than a general \"Agree\""`
	NotBefore string     `json:"not_before,omitzero" doc:"never ask before this moment"`
	Policy    string     `json:"policy"`
	Version   string     `json:"version"`
	Text      PromptText `json:"text"`
}

// A PromptText is the policy's text in one language.
type PromptText struct {
	Locale   string `json:"locale"`
	Hash     string `json:"hash"`
	Standing string `json:"standing" doc:"authoritative, translation or sample"`
	URL      string `json:"url" doc:"where the text is"`
}

// ParsePrompt reads a [PromptRequest] from JSON.
func ParsePrompt(data []byte) (PromptRequest, error) {
	var r PromptRequest
	if len(data) > MaxEvent {
		return r, errLarge
	}
	if err := json.Unmarshal(data, &r, json.RejectUnknownMembers(true)); err != nil {
		return PromptRequest{}, wrongShape(err, "the request")
	}
	return r, NoEmpty(data)
}

// Prompt returns what r asks for.
func Prompt(ctx context.Context, l Stater, app domain.AppName, r PromptRequest, now deadline.Instant) (PromptAnswer, error) {
	who, err := domain.ParsePersonKey(r.Subject)
	if err != nil {
		return PromptAnswer{}, malformed("subject: %v", err)
	}
	var locale reader
	if locale.locale(r.Locale); locale.err != nil {
		return PromptAnswer{}, malformed("locale must be a language tag, as in zh-CN")
	}
	s, err := l.State(ctx, app, who, ledger.AsOf{})
	if err != nil {
		return PromptAnswer{}, err
	}
	a := PromptAnswer{App: string(app), Items: []PromptItem{}, Position: FormatPosition(s.Position), ValidAt: now.String()}
	for _, ask := range domain.Prompt(s.Subject, s.Reference, r.Locale, now) {
		a.Items = append(a.Items, itemOf(ask, s.Reference.Policies, r.Locale))
	}
	return a, nil
}

func itemOf(ask domain.Ask, policies domain.Policies, locale string) PromptItem {
	item := PromptItem{
		Purpose: string(ask.Purpose), Title: titleOf(ask, policies, locale), Reason: string(ask.Reason), Separate: ask.Separate, Explicit: ask.Explicit,
		Policy: ask.Policy, Version: ask.Version.String(),
		Text: PromptText{Locale: ask.Text.Locale, Hash: ask.Text.Hash.String(), Standing: ask.Text.Standing.String(), URL: "/v1/blobs/" + ask.Text.Hash.String()},
	}
	if ask.NotBefore != 0 {
		item.NotBefore = ask.NotBefore.String()
	}
	return item
}

// titleOf returns the purpose's title, or else the policy's in a locale, or in
// its first.
func titleOf(ask domain.Ask, policies domain.Policies, locale string) string {
	v, _ := policies.Version(ask.Version)
	if ask.Purpose != "" {
		p, _ := v.Document.Purpose(ask.Purpose)
		return p.Title
	}
	for _, t := range v.Document.Title {
		if strings.EqualFold(t.Locale, locale) {
			return t.Text
		}
	}
	if len(v.Document.Title) > 0 {
		return v.Document.Title[0].Text
	}
	return ""
}
