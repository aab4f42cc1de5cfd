package receipt

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// An answer is what a record says of a person's answer, whichever it is.
type answer struct {
	What    domain.Status // Given, Refused or Withdrawn
	Version content.Hash  // the policy that was answered; zero: the record names none
	Locale  string
	Text    content.Hash
	Method  string // the act, or the permission that was taken away
	Kind    policy.ConsentKind
	Items   []domain.Item
	All     bool // every purpose there is and will be
	Until   deadline.Instant
	Quality string // of the evidence
	Once    bool   // one use uses it up
	Import  bool   // it came with a list of old ones
	Mistake bool   // it was voided since
}

// whyVoided is why a grant that was voided does not count. No record has it for a
// shortfall: it is found later.
const whyVoided domain.Shortfall = "voided"

// asMistake returns the answer as one that was recorded by mistake: a grant counts
// for nothing. What fell short by itself keeps its reason.
func (a answer) asMistake() answer {
	a.Mistake, a.Items = true, slices.Clone(a.Items)
	for i := range a.Items {
		if a.Items[i].Short == "" && a.What == domain.Given {
			a.Items[i].Short = whyVoided
		}
	}
	return a
}

// answerOf reads an answer. Other events are none.
func answerOf(e codec.Entry) (answer, bool) {
	switch x := e.Event.(type) {
	case domain.ConsentGiven:
		return answer{
			What: domain.Given, Version: x.Version, Locale: x.Locale, Text: x.Text, Method: string(x.Act), Kind: x.Kind,
			Items: x.Items, Until: x.Until, Quality: x.Evidence.Quality.String(), Once: x.Once, Import: x.Import,
		}, true
	case domain.ConsentRefused:
		return answer{
			What: domain.Refused, Version: x.Version, Locale: x.Locale, Method: string(x.Act),
			Items: itemsOf(x.Scope.Purposes), All: x.Scope.All,
		}, true
	case domain.ConsentWithdrawn:
		return answer{What: domain.Withdrawn, Items: itemsOf(x.Scope.Purposes), All: x.Scope.All}, true
	case domain.PermissionRevoked:
		return answer{What: domain.Withdrawn, Method: string(x.Permission), Items: itemsOf(x.Withdraws)},
			len(x.Withdraws) > 0
	}
	return answer{}, false
}

func itemsOf(ids []policy.PurposeID) []domain.Item {
	var items []domain.Item
	for _, id := range ids {
		items = append(items, domain.Item{Purpose: id})
	}
	return items
}

// Version returns which version of a policy a record answers; zero: it names none.
// It is not ok if the record is no answer.
func Version(e codec.Entry) (version content.Hash, ok bool) {
	a, ok := answerOf(e)
	return a.Version, ok
}

// Purposes returns the purposes that the answer of a record is about. All means
// every purpose whose basis is consent, as its policy has them.
func Purposes(e codec.Entry, d policy.Document) []policy.PurposeID {
	a, _ := answerOf(e)
	var ids []policy.PurposeID
	for _, p := range a.about(d) {
		ids = append(ids, p.ID)
	}
	return ids
}

// about returns the purposes of the answer as a document declares them. One that
// it does not declare is known by its name alone.
func (a answer) about(d policy.Document) []policy.Purpose {
	var list []policy.Purpose
	for _, i := range a.Items {
		p, ok := d.Purpose(i.Purpose)
		if !ok {
			p = policy.Purpose{ID: i.Purpose}
		}
		list = append(list, p)
	}

	if !a.All {
		return list
	}

	for _, p := range d.Purposes {
		if p.Basis == policy.BasisConsent {
			list = append(list, p)
		}
	}
	return list
}

// short returns why a grant does not count for a purpose; empty: it counts.
func (a answer) short(p policy.PurposeID) domain.Shortfall {
	for _, i := range a.Items {
		if i.Purpose == p {
			return i.Short
		}
	}
	return ""
}

// counts reports whether the answer counts for any purpose. An opt-out does,
// unless it was a mistake: then it refuses nothing, and restores nothing.
func (a answer) counts() bool {
	if a.Mistake {
		return false
	}
	return a.What != domain.Given || slices.ContainsFunc(a.Items, func(i domain.Item) bool { return i.Short == "" })
}

// from returns when the answer counts from: a grant from the later of its two
// times, an opt-out from the earlier.
func (a answer) from(e codec.Entry) int64 {
	if a.What == domain.Given {
		return seconds(e)
	}
	return int64(min(e.At, e.Recorded)) / 1000
}

// A State is what held when a receipt was made. The ledger says so: a receipt
// proves its own record, and nothing of what came later.
type State struct {
	AsOf     string    `json:"asOf"` // RFC 3339
	Voided   *Void     `json:"voided,omitempty"`
	Purposes []Purpose `json:"purposes"`
	Refused  []Refusal `json:"refusedInTheSameAct,omitempty"`
}

// A Void says that an answer was recorded by mistake.
type Void struct {
	Event  string `json:"event"` // the record that says so
	Type   string `json:"type"`  // record.voided or build.voided
	At     string `json:"at"`    // RFC 3339; when it was recorded
	Reason string `json:"reason"`
}

// VoidOf says what voided an answer. It is not ok if the record voids nothing.
func VoidOf(e codec.Entry) (*Void, bool) {
	v := Void{Event: e.ID.String(), Type: e.Kind(), At: e.Recorded.String()}
	switch x := e.Event.(type) {
	case domain.RecordVoided:
		v.Reason = x.Reason
	case domain.BuildVoided:
		v.Reason = x.Reason
	default:
		return nil, false
	}
	return &v, true
}

// A Purpose is where the person stands with one.
type Purpose struct {
	Purpose   string   `json:"purpose"`
	Status    string   `json:"status"`
	Since     string   `json:"since,omitzero"` // RFC 3339
	Until     string   `json:"until,omitzero"`
	Because   []string `json:"because,omitempty"` // event ids
	Shortfall string   `json:"shortfall,omitzero"`
}

// A Refusal is an opt-out of the same act as the record's: the person answered
// several questions of one screen.
type Refusal struct {
	Event    string   `json:"event"`
	All      bool     `json:"all,omitzero"`
	Purposes []string `json:"purposes,omitempty"`
	Voided   *Void    `json:"voided,omitempty"`
}

// PurposeOf says where a person stands with a purpose.
func PurposeOf(id policy.PurposeID, st domain.Standing) Purpose {
	p := Purpose{Purpose: string(id), Status: st.Status.String(), Shortfall: string(st.Short)}
	if st.Since != 0 {
		p.Since = st.Since.String()
	}
	if st.Until != 0 {
		p.Until = st.Until.String()
	}
	for _, id := range st.Because {
		p.Because = append(p.Because, eventstore.EventID(id).String())
	}
	return p
}

// RefusalOf says what an opt-out is about, and returns its purposes, as a document
// declares them if it is about all.
func RefusalOf(f domain.Fact, d policy.Document) (Refusal, []policy.PurposeID) {
	e := codec.Entry{Event: f.Event}
	a, _ := answerOf(e)
	r := Refusal{Event: eventstore.EventID(f.ID).String(), All: a.All}
	for _, i := range a.Items {
		r.Purposes = append(r.Purposes, string(i.Purpose))
	}
	return r, Purposes(e, d)
}

// voided returns what voided the answer; nil: nothing did, as far as the state
// says.
func (s *State) voided() *Void {
	if s == nil {
		return nil
	}
	return s.Voided
}

// edition returns the edition of receipts with this state.
func (s *State) edition() int {
	if s.voided() != nil {
		return editionVoided
	}
	if s != nil && slices.ContainsFunc(s.Refused, func(r Refusal) bool { return r.Voided != nil }) {
		return editionVoided
	}
	return edition
}

// check refuses a void of a form that no ledger writes.
func (v *Void) check() error {
	if v == nil {
		return nil
	}
	if v.Type != "record.voided" && v.Type != "build.voided" {
		return errors.New("a void is a record.voided or a build.voided")
	}
	if strings.Trim(v.Reason, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return errors.New("a reason is a code")
	}
	_, err := eventstore.ParseEventID(v.Event)
	_, badTime := deadline.ParseInstant(v.At)
	return errors.Join(err, badTime)
}

// claim says in words what must be believed of a void.
func (v *Void) claim() string {
	return fmt.Sprintf("by %s %s at %s, because %s", v.Type, v.Event, v.At, v.Reason)
}

// check refuses a state that no ledger writes: it is nobody's who signed.
func (s *State) check() error {
	if s == nil {
		return nil
	}

	bad := func(what string) error {
		return errors.New("the state in it has " + what + " of a form that it does not have")
	}
	if _, err := deadline.ParseInstant(s.AsOf); err != nil {
		return bad("a time")
	}
	if s.Voided.check() != nil {
		return bad("a void")
	}

	for _, p := range s.Purposes {
		for _, t := range []string{p.Since, p.Until} {
			if _, err := deadline.ParseInstant(t); err != nil && t != "" {
				return bad("a time")
			}
		}
		if _, err := policy.ParsePurposeID(p.Purpose); err != nil {
			return bad("a purpose")
		}
		if _, err := domain.ParseStatus(p.Status); err != nil {
			return bad("a status")
		}
		if !isEvents(p.Because) {
			return bad("an event id")
		}
		if strings.Trim(p.Shortfall, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return bad("a shortfall")
		}
	}

	for _, r := range s.Refused {
		for _, id := range r.Purposes {
			if _, err := policy.ParsePurposeID(id); err != nil {
				return bad("a purpose")
			}
		}
		if !isEvents([]string{r.Event}) {
			return bad("an event id")
		}
		if r.Voided.check() != nil {
			return bad("a void")
		}
	}
	return nil
}

func isEvents(ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool {
		_, err := eventstore.ParseEventID(id)
		return err != nil
	})
}

// status returns what the state says of a purpose.
func (s *State) status(id policy.PurposeID) (Purpose, bool) {
	if s == nil {
		return Purpose{}, false
	}
	for _, p := range s.Purposes {
		if p.Purpose == string(id) {
			return p, true
		}
	}
	return Purpose{}, false
}

// claims says in words what must be believed.
func (s *State) claims() []string {
	if s == nil {
		return nil
	}

	var all []string
	if s.Voided != nil {
		all = append(all, "that the record was a mistake: voided "+s.Voided.claim())
	}

	for _, p := range s.Purposes {
		text := fmt.Sprintf("what holds at %s: %s %s", s.AsOf, p.Purpose, p.Status)
		if p.Since != "" {
			text += " since " + p.Since
		}
		if len(p.Because) > 0 {
			text += ", by " + strings.Join(p.Because, " and ")
		}
		if p.Shortfall != "" {
			text += "; a grant does not count: " + p.Shortfall
		}
		all = append(all, text)
	}

	for _, r := range s.Refused {
		what := strings.Join(r.Purposes, ", ")
		if r.All {
			what = "everything"
		}
		text := fmt.Sprintf("what was refused in the same act: %s, by %s", what, r.Event)
		if r.Voided != nil {
			text += "; voided " + r.Voided.claim()
		}
		all = append(all, text)
	}
	return all
}
