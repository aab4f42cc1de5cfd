package dashboard

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"consentledger/api/wire"
)

// person is what is known of one person, once the form was sent.
type person struct {
	Subject, Reason, By string
	Asked               bool
	Purposes            []standing
	Entries             []entry // a page of them, the newest first
	Before              string  // the page has records before this position; empty: the newest
	Next                string  // the Before of the page of older records; empty: there are none

	Valid, Known slider
	Lives        []life
	Statuses     []string // that occur in the chart
	Marks        []int    // where in the chart the moment stands that is looked at
	Older        bool     // the chart begins later than the history

	MayProve, MayReceive bool // whoever looks may have inclusion proofs, and receipts
}

type standing struct {
	Purpose string `json:"purpose"`
	Status  string `json:"status"`
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
	Since   string `json:"since"`
}

type entry struct {
	EventID  string `json:"event_id"`
	Type     string `json:"type"`
	Position string `json:"position"`
	At       string `json:"at"`
	Recorded string `json:"recorded"`
	Actor    string `json:"actor"`

	Data json.RawMessage `json:"data"`
	Leaf string          `json:"leaf"` // its hash in the log of its app
}

// personRecords is how many records a page of a person has.
const personRecords = 100

// reasons are the codes for which a person may be looked at here.
var reasons = []string{"subject-request", "dispute", "incident", "audit", "authority"}

// Reasons are for the form.
func (*person) Reasons() []string { return reasons }

func readPerson(a *ask) (any, error) {
	p := &person{}
	if a.Method != http.MethodPost || a.App == "" {
		return p, nil
	}
	p.Subject, p.Reason, p.By = a.PostFormValue("subject"), a.PostFormValue("reason"), a.by()
	p.Before = a.PostFormValue("before")
	if p.Subject == "" || !slices.Contains(reasons, p.Reason) || p.By == "" {
		return nil, &problem{Status: http.StatusBadRequest, Code: "person-form"}
	}
	p.Asked = true

	// First the history, since reading it records who reads and why; without that record
	// nothing is shown.
	if err := p.records(a); err != nil || len(p.Entries) == 0 {
		return p, err
	}
	if p.Before != "" {
		return p, nil // where the person stood is on the first page
	}

	all := stops(p.Entries)
	p.Valid, p.Known = sliderOf(a, "valid", all), sliderOf(a, "known", all)
	var err error
	if p.Purposes, err = p.stand(a, p.Valid.At, p.Known.At); err != nil {
		return nil, err
	}
	return p, p.draw(a, all)
}

// records reads a page of the person's records, and one more, which says that there are older ones.
func (p *person) records(a *ask) error {
	asked := map[string]any{"app": a.App, "subject": p.Subject, "reason": p.Reason, "by": p.By, "hashes": true,
		"last": strconv.Itoa(personRecords + 1)}
	if p.Before != "" {
		asked["before"] = p.Before
	}
	var history recorder
	if err := a.do(http.MethodPost, "/v1/replay", asked, &history); err != nil {
		return err
	}

	for line := range bytes.Lines(history.body.Bytes()) {
		// The newest records are what is missing then, and a withdrawal may be among them.
		if wire.BreaksOff(line) {
			return errBrokeOff
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		p.Entries = append(p.Entries, e)
	}
	slices.Reverse(p.Entries)
	if len(p.Entries) > personRecords {
		p.Entries = p.Entries[:personRecords]
		p.Next = p.Entries[personRecords-1].Position
	}

	p.MayProve = a.may(proofOf(a, ""))
	p.MayReceive = a.mayUse(http.MethodPost, a.of("/receipts"))
	return nil
}
