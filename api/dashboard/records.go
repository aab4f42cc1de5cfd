package dashboard

import (
	"encoding/json"
	"net/http"
	"net/url"
)

// The page of a person links each record to its evidence: the inclusion proof of every one,
// and the receipt of what the person agreed to or refused.

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

// proofOf is the route of a record's inclusion proof.
func proofOf(a *ask, event string) string {
	return "/log/" + url.PathEscape(a.App) + "/proof?" + url.Values{"event": {event}}.Encode()
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
