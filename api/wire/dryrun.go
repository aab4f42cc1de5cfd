package wire

import (
	"regexp"
	"slices"

	"consentledger/eventstore/codec"

	"github.com/go-json-experiment/json/jsontext"
)

// A DryRun is what a command would do if it came now. Nothing of it is recorded.
type DryRun struct {
	DryRun  bool           `json:"dry_run" doc:"true: nothing of this is recorded"`
	Records []DryRecord    `json:"records" doc:"what would be recorded, in its order; empty: nothing would be, as of what was recorded before"`
	Answer  jsontext.Value `json:"answer" doc:"what the command itself would answer; its ids and positions are of nothing that there is"`
}

// A DryRecord is what would be recorded. It has no id and no position: those of the real
// record are others.
type DryRecord struct {
	App   string         `json:"app"`
	Type  string         `json:"type" example:"consent.given"`
	Of    string         `json:"of" example:"subject" doc:"what the record is about: subject, service, policy, surface, calendar, request, incident, obligation or access"`
	At    string         `json:"at" format:"date-time" doc:"when it counts as having happened"`
	Actor string         `json:"actor"`
	Data  jsontext.Value `json:"data" doc:"the event's own members that are not sealed; in the place of pseudonyms stand zeros"`
	Parts []string       `json:"parts" doc:"what would be sealed, but for the outside id of somebody who is not known yet"`
	Owed  []DryOwed      `json:"owed,omitempty" doc:"the obligations that would be open since"`
}

// A DryOwed is an obligation that a record would open.
type DryOwed struct {
	Kind   string `json:"kind"`
	Target string `json:"target,omitzero" doc:"the system or recipient that owes it; absent: the handler"`
	Rule   string `json:"rule"`
	Due    string `json:"due,omitzero" doc:"the last day; absent: it is counted in hours, or has no date yet"`
	Until  string `json:"until,omitzero" doc:"the instant at which it is late; absent: it has no date yet"`
}

// DryRunOf returns what is told of a command that was tried: what it would record, and what
// it answered.
func DryRunOf(entries []codec.Entry, answer []byte) (DryRun, error) {
	told := DryRun{DryRun: true, Records: []DryRecord{}, Answer: jsontext.Value(answer)}
	for _, e := range entries {
		record, err := DryRecordOf(e)
		if err != nil {
			return DryRun{}, err
		}
		told.Records = append(told.Records, record)
	}
	return told, nil
}

// An answer names records that are there already, as when something was said before, and
// persons whose ids are alike.
var (
	named  = regexp.MustCompile(`"(event_id|position|request)":"[^"]*"`)
	alike  = regexp.MustCompile(`,"near":"[^"]*"`)
	unread = []byte(`"$1":""`)
)

// Unread is d for whoever may not read persons: it names no record and nobody. They are told
// what would be recorded, and whether it would be.
func (d DryRun) Unread() DryRun {
	d.Answer = alike.ReplaceAll(named.ReplaceAll(d.Answer, unread), nil)
	return d
}

// Whoever may record need not be one who may read persons, and a dry run leaves no trace. So
// it tells neither whether somebody is known, which the part of the outside id would, nor by
// which pseudonym: in the log, which many may read, their history is found by that.
var pseudonym = regexp.MustCompile(`"[0-9a-f]{32}"`)

const (
	noPseudonym = `"00000000000000000000000000000000"`
	outsideID   = "binding" // the role of the part
)

// DryRecordOf returns what is told of a record that is not made.
func DryRecordOf(e codec.Entry) (DryRecord, error) {
	h, err := EntryOf(e)
	if err != nil {
		return DryRecord{}, err
	}

	d := DryRecord{
		App: string(e.Stream.App), Type: h.Type, Of: string(e.Stream.Noun), At: h.At, Actor: h.Actor,
		Data:  pseudonym.ReplaceAll(h.Data, []byte(noPseudonym)),
		Parts: slices.DeleteFunc(h.Parts, func(role string) bool { return role == outsideID }),
	}
	for _, o := range h.Owed {
		d.Owed = append(d.Owed, DryOwed{Kind: o.Kind, Target: o.Target, Rule: o.Rule, Due: o.Due, Until: o.Until})
	}
	return d, nil
}
