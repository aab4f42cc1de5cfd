package subject

import "strings"

// OwnInbox begins the inboxes of the ledger itself.
const OwnInbox = "_INBOX.consentledger"

// TakesAnswer reports whether the ledger answers on a subject that a request names: on
// an inbox that is not the ledger's own, and nowhere else. Whoever asks names it. Could it
// be any subject, they would let the ledger publish for them where they may not publish
// themselves: to another app's subjects, or to those by which streams are administered.
//
// A server puts _R_ before what crosses accounts, and _GR_ with two names before what
// crosses clusters.
func TakesAnswer(reply string) bool {
	reply = near(reply)
	if strings.HasPrefix(reply, OwnInbox+".") {
		return false
	}
	return strings.HasPrefix(reply, "_INBOX.") || strings.HasPrefix(reply, "_R_.")
}

// InboxName returns the name that an inbox begins with, after _INBOX. Where the ledger says
// who may listen where, it is that of who listens there; empty: it has none, as one that
// crosses accounts.
func InboxName(reply string) string {
	rest, is := strings.CutPrefix(near(reply), "_INBOX.")
	name, _, more := strings.Cut(rest, ".")
	if !is || !more {
		return ""
	}
	return name
}

// near returns an inbox as the cluster that it is in names it; empty: there is none.
func near(reply string) string {
	rest, far := strings.CutPrefix(reply, "_GR_.")
	if !far {
		return reply
	}
	parts := strings.SplitN(rest, ".", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[2]
}
