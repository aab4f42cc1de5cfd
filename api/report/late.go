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

// LateYesOf returns the public form of one.
func LateYesOf(y requests.LateAnswer) LateYes {
	return LateYes{y.Person, y.Purpose, Time(y.Valid), Time(y.Answered), y.Check, Time(y.Withdrawn),
		Time(y.Recorded), y.Withdrawal}
}

// LateColumns are the columns of the file. They are added to at the end only.
var LateColumns = []string{"person", "purpose", "valid_at", "answered_at", "check", "withdrawn_at", "recorded",
	"withdrawal"}

// A LateTable writes a list as CSV, row by row.
type LateTable struct{ csv *sheet.CSV }

// NewLateTable returns one onto w.
func NewLateTable(w io.Writer) LateTable {
	return LateTable{sheet.NewCSV(w, LateColumns, sheet.Text, sheet.Text, sheet.Instant, sheet.Instant, sheet.Text,
		sheet.Instant, sheet.Instant)}
}

// Write writes a row.
func (t LateTable) Write(late requests.LateAnswer) error {
	y := LateYesOf(late)
	return t.csv.Row(y.Person, y.Purpose, y.Valid, y.Answered, y.Check, y.Withdrawn, y.Recorded, y.Withdrawal)
}

// Close ends the list.
func (t LateTable) Close() error { return t.csv.Close() }
