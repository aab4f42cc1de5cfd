package query

import (
	"context"
	"strings"

	"consentledger/api/wire"
	"consentledger/api/wire/tag"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"
)

// Prompt returns what r asks for.
func Prompt(
	ctx context.Context, l Stater, app ident.AppName, r wire.PromptRequest, now deadline.Instant,
) (wire.PromptAnswer, error) {
	who, err := ident.ParsePersonKey(r.Subject)
	if err != nil {
		return wire.PromptAnswer{}, malformed("subject: %v", err)
	}
	if r.Locale != "" && !tag.IsLocale(r.Locale) {
		return wire.PromptAnswer{}, malformed("locale must be a language tag, as in zh-CN")
	}

	s, err := l.State(ctx, app, who, ledger.AsOf{})
	if err != nil {
		return wire.PromptAnswer{}, err
	}

	a := wire.PromptAnswer{App: string(app), Items: []wire.PromptItem{}, Position: wire.FormatPosition(s.Position),
		ValidAt: now.String()}
	for _, ask := range domain.Prompt(s.Subject, s.Reference, r.Locale, now) {
		a.Items = append(a.Items, itemOf(ask, s.Reference.Policies, r.Locale))
	}
	return a, nil
}

func itemOf(ask domain.Ask, policies domain.Policies, locale string) wire.PromptItem {
	item := wire.PromptItem{
		Purpose: string(ask.Purpose), Title: titleOf(ask, policies, locale), Reason: string(ask.Reason),
		Separate: ask.Separate, Explicit: ask.Explicit,
		Policy: ask.Policy, Version: ask.Version.String(),
		Text: wire.PromptText{Locale: ask.Text.Locale, Hash: ask.Text.Hash.String(),
			Standing: ask.Text.Force.String(), URL: "/v1/blobs/" + ask.Text.Hash.String()},
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
