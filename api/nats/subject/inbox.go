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
	if rest, far := strings.CutPrefix(reply, "_GR_."); far {
		parts := strings.SplitN(rest, ".", 3)
		if len(parts) < 3 {
			return false
		}
		reply = parts[2]
	}
	if strings.HasPrefix(reply, OwnInbox+".") {
		return false
	}
	return strings.HasPrefix(reply, "_INBOX.") || strings.HasPrefix(reply, "_R_.")
}
