package policy

import (
	"cmp"
	"strings"
)

// Signals are the acts that are a machine's, whatever a policy says of them. A
// policy may name others, see [policy.Act].
//
// A signal is a state, and no statement: a browser sends it with every page, for
// every app. So it never gives consent; the first of its kind is an opt-out like any
// other, for nobody can tell that it is not meant; and what repeats it is no news.
// A grant that the person says after it stands against its repeats, as it would
// against the first: a person who is asked in spite of a signal, and agrees, is
// not asked anew by every page (so the regulations on the CCPA, 7025(c)(3)). Where
// a signal and a person's own word are at odds, [Standing.Opposed] says so.
var Signals = []ActID{"gpc", "sec-gpc", "global-privacy-control", "dnt", "do-not-track"}

// IsSignal reports whether an act is one of [Signals].
func IsSignal(act ActID) bool { return spelled(act) != "" }

// spelled returns the act of [Signals] that an act is, with its hyphens or without:
// programs write the name of a header or a property in lower case. Empty: none.
func spelled(act ActID) ActID {
	for _, s := range Signals {
		if plain(act) == plain(s) {
			return s
		}
	}
	return ""
}

// signalNames are those that one signal has: a header's, a property's and the short one.
var signalNames = map[ActID]ActID{"sec-gpc": "gpc", "global-privacy-control": "gpc",
	"do-not-track": "dnt"}

// SameSignal reports whether two acts are one, be it one signal by two of its names or in
// two spellings: a page that reads the property says what the header said before.
func SameSignal(a, b ActID) bool {
	if a == b {
		return true
	}
	a, b = spelled(a), spelled(b)
	return a != "" && cmp.Or(signalNames[a], a) == cmp.Or(signalNames[b], b)
}

func plain(act ActID) string { return strings.ReplaceAll(string(act), "-", "") }
