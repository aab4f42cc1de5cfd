package report

import (
	"io"

	"consentledger/api/report/sheet"
	"consentledger/projections/requests"
)

// A LateYes is an answer "you may" about a moment at which, as was learned
// later, the person had withdrawn already.
type LateYes struct {
	Person     string `json:"person" doc:"a pseudonym"`
	Purpose    string `json:"purpose"`
	Valid      string `json:"valid_at" format:"date-time" doc:"the moment that was asked about"`
	Answered   string `json:"answered_at" format:"date-time"`
	Check      string `json:"check" doc:"the event of the answer"`
	Withdrawn  string `json:"withdrawn_at" format:"date-time" doc:"when the person withdrew, as the source says"`
	Recorded   string `json:"recorded" format:"date-time" doc:"when the ledger heard of it"`
	Withdrawal string `json:"withdrawal" doc:"its event"`
}

// LateOf returns the public form of a list.
func LateOf(list []requests.LateAnswer) []LateYes {
	out := []LateYes{}
	for _, y := range list {
		out = append(out, LateYes{y.Person, y.Purpose, Time(y.Valid), Time(y.Answered), y.Check, Time(y.Withdrawn),
			Time(y.Recorded), y.Withdrawal})
	}
	return out
}

// LateColumns are the columns of the file. They are added to at the end only.
var LateColumns = []string{"person", "purpose", "valid_at", "answered_at", "check", "withdrawn_at", "recorded",
	"withdrawal"}

// WriteLate writes a list as CSV.
func WriteLate(w io.Writer, list []LateYes) error {
	t := sheet.NewCSV(w, LateColumns, sheet.Text, sheet.Text, sheet.Instant, sheet.Instant, sheet.Text, sheet.Instant,
		sheet.Instant)
	for _, y := range list {
		if err := t.Row(y.Person, y.Purpose, y.Valid, y.Answered, y.Check, y.Withdrawn, y.Recorded,
			y.Withdrawal); err != nil {
			return err
		}
	}
	return t.Close()
}
