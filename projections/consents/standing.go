package consents

import (
	"cmp"
	"slices"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/jsonwrite"

	"github.com/go-json-experiment/json"
)

// A standingV1 is where a person stands with some purposes: one answer seldom
// is about one purpose alone.
type standingV1 struct {
	Purposes []domain.PurposeID  `json:"purposes"`
	Status   string              `json:"status"`
	Since    domain.Instant      `json:"since"`
	Until    domain.Instant      `json:"until"`
	Policy   string              `json:"policy"`
	Version  string              `json:"version"`
	Act      domain.ActID        `json:"act"`
	Events   []string            `json:"events"`
	Updated  eventstore.Position `json:"updated"`
}

// appendStandings writes rows, as reflection writes a list of standingV1, of
// rows that share a standing the first; equal rows make equal texts.
func appendStandings(b []byte, rows []row) ([]byte, error) {
	t := jsonwrite.Text{B: append(b, '[')}
	var room [64]bool
	written := append(room[:0], make([]bool, len(rows))...)
	for i := range rows {
		if written[i] {
			continue
		}
		if i > 0 {
			t.B = append(t.B, ',')
		}
		t.B = append(t.B, '{')
		t.Name("purposes")
		t.B = append(t.B, '[')
		t.Quote(string(rows[i].purpose))
		for j := i + 1; j < len(rows); j++ {
			if !written[j] && same(&rows[i], &rows[j]) {
				written[j] = true
				t.B = append(t.B, ',')
				t.Quote(string(rows[j].purpose))
			}
		}
		t.B = append(t.B, ']')
		rows[i].members(&t)
		t.B = append(t.B, '}')
	}
	return append(t.B, ']'), t.Err
}

// members writes what is in a standingV1 behind its purposes.
func (r *row) members(t *jsonwrite.Text) {
	t.Text("status", r.Status.String())
	t.Int("since", int64(r.Since))
	t.Int("until", int64(r.Until))
	t.Text("policy", r.Policy)
	version := ""
	if r.Version != (domain.Hash{}) {
		version = r.Version.String()
	}
	t.Text("version", version)
	t.Text("act", string(r.Act))
	t.Name("events")
	t.B = append(t.B, '[')
	for i, id := range r.Because {
		if i > 0 {
			t.B = append(t.B, ',')
		}
		t.Quote(eventstore.EventID(id).String())
	}
	t.B = append(t.B, ']')
	t.Int("updated", int64(r.position))
}

func same(a, b *row) bool {
	return a.position == b.position && a.Status == b.Status && a.Since == b.Since && a.Until == b.Until &&
		a.Policy == b.Policy && a.Version == b.Version && a.Act == b.Act && slices.Equal(a.Because, b.Because)
}

func readStandings(text string) ([]row, error) {
	var list []standingV1
	if err := json.Unmarshal([]byte(text), &list, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	var rows []row
	for _, s := range list {
		r, err := s.row()
		if err != nil {
			return nil, err
		}
		for _, r.purpose = range s.Purposes {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(x, y row) int { return cmp.Compare(x.purpose, y.purpose) })
	return rows, nil
}

func (s standingV1) row() (r row, err error) {
	r.Since, r.Until, r.Policy, r.Act, r.position = s.Since, s.Until, s.Policy, s.Act, s.Updated
	if r.Status, err = domain.ParseStatus(s.Status); err != nil {
		return r, err
	}
	if s.Version != "" {
		if r.Version, err = domain.ParseHash(s.Version); err != nil {
			return r, err
		}
	}
	for _, text := range s.Events {
		id, err := eventstore.ParseEventID(text)
		if err != nil {
			return r, err
		}
		r.Because = append(r.Because, domain.EventID(id))
	}
	return r, nil
}
