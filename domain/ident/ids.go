package ident

import (
	"strings"

	"consentledger/domain/internal/form"
)

// An AppName names an app: 1 to 32 of a-z and 0-9.
type AppName string

// ParseAppName returns s as an AppName.
func ParseAppName(s string) (AppName, error) {
	if !form.IsName(s, 32) || strings.Contains(s, "-") {
		return "", form.Error("an app name is 1 to 32 of a-z and 0-9")
	}
	return AppName(s), nil
}

// NoApp stands for the app of a message that names no registered one. No app
// has that name.
const NoApp AppName = "invalid"

// An EventID names a recorded fact for ever; see eventstore.EventID.
type EventID [16]byte

// A Noun is the kind of thing that a stream is about.
type Noun string

// The nouns. What a stream is about never changes.
const (
	ServiceNoun Noun = "service"
	PolicyNoun  Noun = "policy"
	SubjectNoun Noun = "subject"
	SurfaceNoun Noun = "surface"
	AccessNoun  Noun = "access" // what was asked about a person, and answered

	RequestNoun    Noun = "request"
	IncidentNoun   Noun = "incident"
	ObligationNoun Noun = "obligation" // what follows from one fact, and was not asked for
	CalendarNoun   Noun = "calendar"
)

// AppStream is the id of a noun's stream that is an app's, and no person's.
const AppStream = "main"

// A StreamID names a stream: one noun of one app. The ID is ours, never the
// outside world's: a pseudonym, or a fixed word.
type StreamID struct {
	Noun Noun
	App  AppName
	ID   string
}

// String returns the form "noun-app-id" that [ParseStreamID] reads.
func (s StreamID) String() string { return string(s.Noun) + "-" + string(s.App) + "-" + s.ID }

// ParseStreamID reads what [StreamID.String] writes, and nothing else.
func ParseStreamID(s string) (StreamID, error) {
	noun, rest, _ := strings.Cut(s, "-")
	name, id, _ := strings.Cut(rest, "-")
	app, err := ParseAppName(name)
	if err != nil || !form.IsName(id, 64) {
		return StreamID{}, errStream
	}
	switch Noun(noun) {
	case ServiceNoun, PolicyNoun, SubjectNoun, SurfaceNoun, AccessNoun, RequestNoun, IncidentNoun, ObligationNoun,
		CalendarNoun:
		return StreamID{Noun(noun), app, id}, nil
	}
	return StreamID{}, errStream
}

const errStream = form.Error(`a stream is named "noun-app-id", as in policy-smartkey-main`)

// A PersonKey is how the outside world names a person: an account, or an
// installation before there is an account. It never enters the log.
type PersonKey struct{ Kind, ID string }

// ParsePersonKey reads "account:ID", "device:ID" or "ID", which means account.
// IDs are opaque: what looks like a phone number, an e-mail address or an
// identity-card number is refused.
func ParsePersonKey(s string) (PersonKey, error) {
	kind, id, ok := strings.Cut(s, ":")
	if !ok {
		kind, id = "account", s
	}

	switch {
	case kind != "account" && kind != "device":
		return PersonKey{}, form.Error(`a person is named "account:ID" or "device:ID"`)
	case id == "" || len(id) > 128 || !form.IsOpaque(id, ""):
		return PersonKey{}, form.Error("a person's id is 1 to 128 of A-Z, a-z, 0-9, dot, underscore, tilde and " +
			"hyphen; use an opaque account or installation id, not an e-mail address")
	case form.LooksPersonal(id):
		return PersonKey{}, form.Error("a person's id must be opaque: this one looks like a phone or identity-card " +
			"number")
	}
	return PersonKey{kind, id}, nil
}

// String returns the form "kind:id". It is personal: never log it.
func (k PersonKey) String() string { return k.Kind + ":" + k.ID }
