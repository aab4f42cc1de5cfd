// Package subject writes and reads the names of NATS subjects. Every subject is
//
//	consent.v1.<name>.<what>
//
// where name is an app, or a group of apps, and what says what the message is for,
// as in record, query.state or in.consent.given. Names have no dots.
package subject

import "strings"

// Prefix begins every subject. It is spelled here and nowhere else.
const Prefix = "consent.v1."

// Any begins the pattern of a subject of any app or group; what it is for follows.
const Any = Prefix + "*."

// Of returns the subject of an app or a group.
func Of(name, what string) string { return Prefix + name + "." + what }

// Parse returns whose subject it is, and what it is for; see [Of]. A pattern is
// everybody's: its name is "*".
func Parse(subject string) (name, what string) {
	name, what, _ = strings.Cut(strings.TrimPrefix(subject, Prefix), ".")
	return name, what
}

// In begins what a subject is for that a stream of events takes; the type of the
// event follows.
const In = "in."

// DryRun returns what a subject is for on which is asked what a command would do, as in
// query.dry-run-operate-policy of operate.policy. Nothing is kept.
//
// It is a subject and not a header: a ledger that does not know it does not listen there,
// and records nothing. A header that it does not know would not keep it from recording an
// opt-out. It is a question, where the ledger's user of an external NATS server may listen
// already.
func DryRun(what string) string { return "query.dry-run-" + strings.ReplaceAll(what, ".", "-") }

// Type returns the type of the events that a stream takes by this subject, which may
// be of no kind that is known. Other subjects have none.
func Type(subject string) (kind string, has bool) {
	_, what := Parse(subject)
	if kind, has = strings.CutPrefix(what, In); !has {
		return "", false
	}
	return kind, true
}
