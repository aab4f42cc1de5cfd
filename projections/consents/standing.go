package consents

import (
	"cmp"
	"slices"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/jsonwrite"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A standingV2 is where a person stands with some purposes: one answer seldom
// is about one purpose alone.
type standingV2 struct {
	Purposes []domain.PurposeID  `json:"purposes"`
	Status   string              `json:"status"`
	Updated  eventstore.Position `json:"updated"`
	Proof    jsontext.Value      `json:"proof"` // a proofV1
}

// A proofV1 is what else is kept of a standing. It is written when the standing
// is found, and kept as it is written: it is read by queries only.
type proofV1 struct {
	Since   domain.Instant `json:"since"`
	Until   domain.Instant `json:"until"`
	Policy  string         `json:"policy"`
	Version string         `json:"version"`
	Act     domain.ActID   `json:"act"`
	Events  []string       `json:"events"`
	Alone   bool           `json:"alone,omitzero"`
	Rules   uint8          `json:"rules,omitzero"` // by which the yes folds
	Opposed *opposedV1     `json:"opposed,omitzero"`
}

// An opposedV1 is a machine's signal that is at odds with the person's own word.
type opposedV1 struct {
	Signal domain.ActID `json:"signal"`
	Event  string       `json:"event"`
}

// appendStandings writes rows, as reflection writes a list of standingV2, of
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
			if !written[j] && rows[i].shares(&rows[j]) {
				written[j] = true
				t.B = append(t.B, ',')
				t.Quote(string(rows[j].purpose))
			}
		}
		t.B = append(t.B, ']')
		t.Text("status", rows[i].status.String())
		t.Int("updated", int64(rows[i].position))
		t.Name("proof")
		t.B = append(append(t.B, rows[i].proof...), '}')
	}
	return append(t.B, ']'), t.Err
}

// shares reports whether two rows say the same of their purposes.
func (r *row) shares(o *row) bool {
	return r.position == o.position && r.status == o.status && r.proof == o.proof
}

// appendProof writes what else is kept of s, as reflection writes a proofV1.
func appendProof(b []byte, s *domain.Standing) ([]byte, error) {
	t := jsonwrite.Text{B: append(b, '{')}
	t.Int("since", int64(s.Since))
	t.Int("until", int64(s.Until))
	t.Text("policy", s.Policy)
	t.Name("version")
	t.B = append(t.B, '"')
	if s.Version != (domain.Hash{}) {
		t.B = s.Version.Append(t.B)
	}
	t.B = append(t.B, '"')
	t.Text("act", string(s.Act))
	t.Name("events")
	t.B = append(t.B, '[')
	for i, id := range s.Because {
		if i > 0 {
			t.B = append(t.B, ',')
		}
		t.B = append(eventstore.EventID(id).Append(append(t.B, '"')), '"')
	}
	t.B = append(t.B, ']')
	t.Flagz("alone", s.Alone)
	t.Intz("rules", int64(s.Rules))
	if s.Opposed.Signal != "" {
		t.Object("opposed", func(t *jsonwrite.Text) {
			t.Text("signal", string(s.Opposed.Signal))
			t.Text("event", eventstore.EventID(s.Opposed.Because).String())
		})
	}
	return append(t.B, '}'), t.Err
}

// same reports whether two standings have the same proof.
func same(a, b *domain.Standing) bool {
	return a.Since == b.Since && a.Until == b.Until &&
		a.Policy == b.Policy && a.Version == b.Version && a.Act == b.Act && a.Alone == b.Alone && a.Rules == b.Rules && a.Opposed == b.Opposed && slices.Equal(a.Because, b.Because)
}

func readStandings(text string) ([]row, error) {
	var list []standingV2
	if err := json.Unmarshal([]byte(text), &list, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	var rows []row
	for _, s := range list {
		r := row{position: s.Updated, proof: string(s.Proof)}
		var err error
		if r.status, err = domain.ParseStatus(s.Status); err != nil {
			return nil, err
		}
		for _, r.purpose = range s.Purposes {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(x, y row) int { return cmp.Compare(x.purpose, y.purpose) })
	return rows, nil
}

// standing returns the standing of a status that p is the proof of.
func (p proofV1) standing(status string) (s domain.Standing, err error) {
	s.Since, s.Until, s.Policy, s.Act, s.Alone, s.Rules = p.Since, p.Until, p.Policy, p.Act, p.Alone, p.Rules
	if s.Status, err = domain.ParseStatus(status); err != nil {
		return s, err
	}
	if p.Version != "" {
		if s.Version, err = domain.ParseHash(p.Version); err != nil {
			return s, err
		}
	}
	if p.Opposed != nil {
		id, err := eventstore.ParseEventID(p.Opposed.Event)
		if err != nil {
			return s, err
		}
		s.Opposed = domain.Opposition{Signal: p.Opposed.Signal, Because: domain.EventID(id)}
	}
	for _, text := range p.Events {
		id, err := eventstore.ParseEventID(text)
		if err != nil {
			return s, err
		}
		s.Because = append(s.Because, domain.EventID(id))
	}
	return s, nil
}
