package parse

import (
	"maps"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/eventstore/ledger"
)

// ownPrefix begins the names of the ledger's own headers.
const ownPrefix = "consent-"

const idempotencyKey = "idempotency-key"

// dryRunHeader is what somebody may guess who wants a dry run.
const dryRunHeader = "consent-dry-run"

// anyMayStray reports whether there is a header that StrayHeaders looks at.
func anyMayStray(header map[string][]string) bool {
	for name := range header {
		own := len(name) >= len(ownPrefix) && strings.EqualFold(name[:len(ownPrefix)], ownPrefix)
		if own || strings.EqualFold(name, idempotencyKey) {
			return true
		}
	}
	return false
}

// StrayHeaders refuses a message whose sender means something by a header that is
// not read: one of the ledger's own that is not among the taken ones, as a
// misspelt Consent-Signature, or an Idempotency-Key that says two things. No
// opt-out is refused for it: r, which may be nil, names the header, and keeps what
// it said.
func StrayHeaders(r *ledger.Request, header map[string][]string, taken ...string) error {
	if !anyMayStray(header) {
		return nil // as nearly always: a header that tells of a trace is nobody's business here
	}

	var stray ledger.Unread
	var refusal error
	for _, name := range slices.Sorted(maps.Keys(header)) {
		lower := strings.ToLower(name)
		isTaken := slices.ContainsFunc(taken, func(t string) bool { return strings.EqualFold(t, name) })
		switch {
		case lower == dryRunHeader: // whoever writes it wants nothing recorded, an opt-out neither
			return malformed("there is no header for a dry run: over HTTP it is asked for by ?dry_run, over NATS on " +
				"the subjects query.dry-run-...")
		case strings.HasPrefix(lower, ownPrefix) && !isTaken:
			refusal = malformed("there is a header Consent-... that is not read here; %s", knownHeaders(taken))
		case lower == idempotencyKey && Repeated(header, name):
			refusal = malformed("the header Idempotency-Key stands twice: send it once, or leave it out")
		default:
			continue
		}
		for _, value := range header[name] {
			stray = stray.With(shownHeader(lower), value)
		}
	}
	if refusal == nil || r == nil || !domain.IsOptOut(r.Command) {
		return refusal
	}
	r.Unread = r.Unread.And(stray)
	return nil
}

// shownHeader returns the name of a header as a record may have it in the clear:
// one that does not look like a name is not shown.
func shownHeader(lower string) string {
	if len(lower) > 40 || strings.Trim(lower, "abcdefghijklmnopqrstuvwxyz-") != "" {
		return "(a header)"
	}
	return lower
}

func knownHeaders(names []string) string {
	if len(names) == 0 {
		return "there is none that is"
	}
	return "it takes " + strings.Join(names, ", ")
}
