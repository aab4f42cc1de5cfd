package dashboard

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"

	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/tlog"
)

// The page of a person links each record to its evidence: the inclusion proof of every one,
// and the receipt of what the person agreed to or refused.

// maxHashed is of how many records, the newest, the page shows the hash: each is read from
// its proof. Older ones have theirs in the proof that they link to.
const maxHashed = 100

// HasReceipt reports whether there is a receipt of the record: it is the person's answer.
func (e entry) HasReceipt() bool {
	switch e.Type {
	case "consent.given", "consent.refused", "consent.withdrawn":
		return true
	case "permission.revoked":
		var revoked struct {
			Withdraws []string `json:"withdraws"`
		}
		return json.Unmarshal(e.Data, &revoked) == nil && len(revoked.Withdraws) > 0
	}
	return false
}

// Raw returns the data of the record as the API gives them.
func (e entry) Raw() string { return string(e.Data) }

// hash gives the newest records the hash that they have in the app's log, and asks which
// evidence whoever looks may have. A record that no checkpoint covers yet has no hash.
func (p *person) hash(a *ask) {
	p.MayProve = a.may(proofOf(a, ""))
	p.MayReceive = a.mayUse(http.MethodPost, a.of("/receipts"))
	if !p.MayProve {
		return
	}

	for i := range p.Entries[:min(len(p.Entries), maxHashed)] {
		e := &p.Entries[i]
		var proof recorder
		if err := a.do(http.MethodGet, proofOf(a, e.EventID), nil, &proof); err == nil {
			e.Hash = leafHash(proof.body.Bytes())
		}
	}
}

// proofOf is the route of a record's inclusion proof.
func proofOf(a *ask, event string) string {
	return "/log/" + url.PathEscape(a.App) + "/proof?" + url.Values{"event": {event}}.Encode()
}

// leafHash returns the hash of the record that a proof carries, as the log has it: that of a
// leaf by RFC 6962. Empty: it carries none.
func leafHash(proof []byte) string {
	p, err := merkle.ParseProof(proof)
	if err != nil || p.Extra == nil {
		return ""
	}
	sum := tlog.RecordHash(p.Extra)
	return hex.EncodeToString(sum[:])
}

func getProof(a *ask, into *recorder) error {
	event := a.PathValue("event")
	into.file = "proof-" + event + ".txt"
	return a.do(http.MethodGet, proofOf(a, event), nil, into)
}

// getReceipt gets a receipt without the person's own words, which nobody needs a reason for.
func getReceipt(a *ask, into *recorder) error {
	event := a.PathValue("event")
	into.file = "receipt-" + event + ".json"
	return a.do(http.MethodPost, a.of("/receipts"), map[string]string{"event": event}, into)
}
