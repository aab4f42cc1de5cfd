package bundle

// A wording is the report's language.
type wording struct {
	lang, title, overview, about, person, included, wholeLog, made, span, asked, beside, voids, gaps, rejected,
	unknown, linked, missing, partly string

	timeline, andMore, whatWasShown, nothingNamed, theScreen, thePicture, noPicture, theText, versionText, build, proof, statement string
	columns                                                                                                                        []string

	purposes, byAct, locale, evidence, shown, all, allowed, denied, due, reason, recordsRead, partsRead string

	kinds, qualities, consents, actions, whys, accesses, requests, shorts, lacks, states map[string]string

	// Of parts, of what was written down with a fact, and of why something was read.
	roles, fields, reasons map[string]string
	values                 map[string]map[string]string // by field; "" is any field
}

var english = wording{
	lang: "en", title: "Evidence from the consent ledger", overview: "What this is", about: "About", person: "person",
	included: "Linked history of the same person, included",
	wholeLog: "the whole log", made: "Made", span: "Span of recording times",
	asked: "Records of what was asked for",
	beside: "Records that come along, so that these can be understood: what the app published before, and whose " +
		"a request is",
	voids: "Records that void others", gaps: "Gaps in producers' numbers", rejected: "Messages rejected and waiting",
	unknown: "not known",
	linked:  "Linked history that is not in this bundle", missing: "Text that is not in this bundle",
	partly: "Stream of which only a part is in this bundle",

	timeline: "Timeline", columns: []string{"Happened", "Recorded", "Kind", "What", "Event"},
	andMore: "And %d more records, in %s.", whatWasShown: "What was shown",
	nothingNamed: "No record names a screen or a text.",
	theScreen:    "Screen", theText: "Text", thePicture: "Picture of the screen",
	noPicture:   "Picture of the screen, which is not in this bundle",
	versionText: "Text of the version that was answered (which text was shown is not recorded)", build: "build",
	proof: "Proof, and what the system vouches for",
	statement: `Every record above stands in an append-only RFC 6962 log of %d records with the root %s, signed as %s. Each was on disk, synced, before
its sender had a receipt. The two times of a record are its source's and the ledger's; the ledger's order is the log's order. A yes counts from
the later of the two, a no from the earlier. A record that was changed, removed, inserted or moved since does not verify. Personal texts are kept
outside the log and bound to it by commitments. Made by consentledger %s. Verify it offline, with a key that you had before:`,

	purposes: "purposes", byAct: "act", locale: "language", evidence: "evidence", shown: "shown", all: "all",
	allowed: "allowed", denied: "not allowed", due: "due",
	reason: "reason", recordsRead: "records", partsRead: "personal texts",
}
