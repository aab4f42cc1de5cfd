package codec

import (
	"reflect"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/jsonwrite"

	"github.com/go-json-experiment/json"
)

// What is owed since a fact stands in its own line, beside its data: so it is durable
// with it, and takes one record for all targets of all rules. Programs that do not
// know the member refuse the line, as they do a shape that is newer than they are.

// owingV1 is what is owed by one rule since a fact, by each target.
type owingV1 struct {
	Due     dueV1              `json:"due"`
	Held    *heldV1            `json:"held,omitempty"`
	Keeps   []policy.PurposeID `json:"keeps,omitempty"`
	Kind    string             `json:"kind"`
	MetBy   []string           `json:"met_by,omitempty"`
	Rule    ruleV1             `json:"rule"`
	RuleSet string             `json:"rule_set,omitzero"`
	Targets []string           `json:"targets,omitempty"` // none: the handler alone
	Version string             `json:"version,omitzero"`
}

// heldV1 is how the clock stands that a legal hold stopped when it began.
type heldV1 struct {
	Due    dueV1     `json:"due"`
	Pauses []pauseV1 `json:"pauses"`
}

func owingShapes(list []obligation.Owing) []owingV1 {
	var shapes []owingV1
	for _, w := range list {
		s := owingV1{Due: dueShape(w.Due), Keeps: w.Keeps, Kind: string(w.Kind), MetBy: w.MetBy,
			Rule: ruleShape(w.Rule), RuleSet: hash(w.RuleSet), Version: hash(w.Version)}
		if len(w.Targets) != 1 || w.Targets[0] != "" {
			s.Targets = w.Targets
		}
		if w.Held != nil {
			s.Held = &heldV1{Due: dueShape(w.Held.Due), Pauses: pauseShapes(w.Held.Pauses)}
		}
		shapes = append(shapes, s)
	}
	return shapes
}

func owingOf(shapes []owingV1) ([]obligation.Owing, error) {
	var r reader
	var list []obligation.Owing
	for _, s := range shapes {
		w := obligation.Owing{
			Kind: policy.DutyKind(s.Kind), Rule: s.Rule.rule(&r), Version: r.hash(s.Version),
			RuleSet: r.hash(s.RuleSet), MetBy: s.MetBy, Keeps: s.Keeps,
			Targets: s.Targets, Due: s.Due.due(&r),
		}
		if len(w.Targets) == 0 {
			w.Targets = []string{""}
		}
		if s.Held != nil {
			w.Held = &obligation.Stopped{Due: s.Held.Due.due(&r), Pauses: pausesOf(s.Held.Pauses)}
		}
		list = append(list, w)
	}
	return list, r.err
}

func (s *owingV1) appendTo(t *jsonwrite.Text) {
	t.Object("due", s.Due.appendTo)
	if h := s.Held; h != nil {
		t.Object("held", func(t *jsonwrite.Text) {
			t.Object("due", h.Due.appendTo)
			jsonwrite.Objects(t, "pauses", h.Pauses, func(t *jsonwrite.Text, p *pauseV1) {
				t.Int("from", p.From)
				t.Textz("reason", p.Reason)
				t.Intz("to", p.To)
			})
		})
	}

	jsonwrite.Listz(t, "keeps", s.Keeps)
	t.Text("kind", s.Kind)
	jsonwrite.Listz(t, "met_by", s.MetBy)
	t.Object("rule", s.Rule.appendTo)
	t.Textz("rule_set", s.RuleSet)
	jsonwrite.Listz(t, "targets", s.Targets)
	t.Textz("version", s.Version)
}

// scanOwing reads what is owed since the fact. Few facts say so: it is read by
// reflection.
func (e *Entry) scanOwing(s *scan) {
	var shapes []owingV1
	text := s.array()
	if s.bad || json.Unmarshal(text, &shapes, json.RejectUnknownMembers(true)) != nil {
		s.bad = true
		return
	}
	var err error
	if e.Owing, err = owingOf(shapes); err != nil {
		s.bad = true
	}
}

// Owed returns the facts about obligations that e says beside its event, each as an
// entry: of the stream in which goes on what becomes of them, and otherwise like e.
// Their revisions count from 1, as if they were recorded there.
func (e Entry) Owed() []Entry {
	if len(e.Owing) == 0 {
		return nil
	}

	cause := obligation.Cause{Event: ident.EventID(e.ID), Kind: e.Kind(), Stream: e.Stream.String(),
		Subject: e.Stream.ID}
	var owed []Entry
	for _, w := range e.Owing {
		for _, event := range domain.EventsOf(w, cause) {
			o := Entry{Envelope: e.Envelope, Type: shapeOfEvent[reflect.TypeOf(event)].name, Event: event,
				Revision: eventstore.Revision(len(owed) + 1), Position: e.Position}
			o.Stream, o.Owing = ident.OwedStream(e.Stream, uint64(e.Revision)), nil
			owed = append(owed, o)
		}
	}
	return owed
}
