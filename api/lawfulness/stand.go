// Package lawfulness says what was so, as it was known then: where a person stood,
// what changed between two moments and by which events, and whether processing
// was lawful. What arrived later stands beside it and is never counted.
package lawfulness

import (
	"context"
	"reflect"
	"slices"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// A Ledger is what this package uses of [ledger.Ledger].
type Ledger interface {
	Past(ctx context.Context, app ident.AppName) (*ledger.Past, error)
	Pseudonym(ctx context.Context, app ident.AppName, who ident.PersonKey) (string, bool, error)
	KnownAt(ctx context.Context, at deadline.Instant) (eventstore.Position, error)
	Head(ctx context.Context) (eventstore.Position, error)
	Place(at eventstore.Position) error
	Now() deadline.Instant
}

// A Stand is the answer to "may we?" for one purpose, and what it rests on.
type Stand struct {
	Allowed  bool             `json:"allowed"`
	Status   string           `json:"status"`
	Why      string           `json:"why"`
	Basis    string           `json:"basis,omitzero"`
	Policy   string           `json:"policy,omitzero" doc:"the policy that answers"`
	Version  string           `json:"version,omitzero" doc:"of that policy"`
	Consent  string           `json:"consent_version,omitzero" doc:"the version that the grant was to"`
	Act      string           `json:"act,omitzero" doc:"how it was granted"`
	Evidence string           `json:"evidence,omitzero" doc:"how much the grant proves: strong, partial, weak or imported"`
	Since    string           `json:"since,omitzero" format:"date-time"`
	Until    string           `json:"until,omitzero" format:"date-time"`
	Short    string           `json:"short,omitzero" doc:"why the newest grant does not count"`
	Guardian bool             `json:"guardian,omitzero"`
	Disputed bool             `json:"disputed,omitzero"`
	Ground   *ExemptionGround `json:"ground,omitempty" doc:"of what is processed without consent"`
	Events   []string         `json:"events" doc:"that prove it"`
}

// An ExemptionGround is why something is processed without consent.
type ExemptionGround struct {
	Event    string `json:"event"`
	List     string `json:"list" enum:"collect,provide"`
	Code     string `json:"code"`
	Doubtful bool   `json:"doubtful" doc:"the law does not clearly admit it"`
	Reason   string `json:"reason"`
	Approver string `json:"approver"`
	Until    string `json:"until,omitzero" format:"date-time"`
}

// same reports whether two answers say the same on the same events.
func (s Stand) same(other Stand) bool { return reflect.DeepEqual(s, other) }

func standOf(m domain.Answer) Stand {
	s := Stand{
		Allowed: m.Allowed, Status: m.Standing.Status.String(), Why: string(m.Why), Policy: m.Policy,
		Act: string(m.Standing.Act), Evidence: m.Standing.Evidence.String(),
		Since: moment(m.Standing.Since), Until: moment(m.Standing.Until), Short: string(m.Standing.Short),
		Guardian: m.Standing.Guardian != "", Disputed: m.Standing.Disputed,
		Version: hash(m.Version), Consent: hash(m.Standing.Version), Events: []string{},
	}
	if m.Basis != 0 {
		s.Basis = m.Basis.String()
	}

	for _, id := range slices.Concat(m.Standing.Because, m.Because) {
		if text := eventstore.EventID(id).String(); !slices.Contains(s.Events, text) {
			s.Events = append(s.Events, text)
		}
	}
	return s
}

func moment(i deadline.Instant) string {
	if i == 0 {
		return ""
	}
	return i.String()
}

func hash(h content.Hash) string {
	if h == (content.Hash{}) {
		return ""
	}
	return h.String()
}

// A person is one person's past.
type person struct {
	*ledger.Past
	pseudonym string
}

// answer returns the answer to q as it was known at a position.
func (p person) answer(
	ctx context.Context, q domain.Question, known eventstore.Position,
) (domain.Answer, domain.Subject, error) {
	ref, err := p.Reference(ctx, known)
	if err != nil {
		return domain.Answer{}, domain.Subject{}, err
	}
	s, err := p.Subject(ctx, p.pseudonym, known)
	if err != nil {
		return domain.Answer{}, s, err
	}
	return domain.May(s, ref, q), s, nil
}

// stand is answer as a Stand, with the ground of what is exempt.
func (p person) stand(
	ctx context.Context, q domain.Question, known eventstore.Position,
) (Stand, domain.Subject, error) {
	m, s, err := p.answer(ctx, q, known)
	if err != nil {
		return Stand{}, s, err
	}
	st := standOf(m)
	if m.Why == domain.WhyExempt && len(m.Because) > 0 {
		st.Ground, err = p.ground(ctx, m.Because[0], known)
	}
	return st, s, err
}

func (p person) ground(ctx context.Context, id ident.EventID, known eventstore.Position) (*ExemptionGround, error) {
	e, ok, err := p.Find(ctx, p.pseudonym, id, known)
	if err != nil || !ok {
		return nil, err
	}
	x, ok := e.Event.(domain.ExemptionInvoked)
	if !ok {
		return nil, nil
	}
	return &ExemptionGround{e.ID.String(), x.List.String(), x.Code, x.Doubtful, x.Reason, x.Approver, moment(x.Until)},
		nil
}

// A ChangingEvent is a record that changed an answer.
type ChangingEvent struct {
	EventID  string `json:"event_id"`
	Type     string `json:"type"`
	Position string `json:"position"`
	At       string `json:"at" format:"date-time"`
	Recorded string `json:"recorded" format:"date-time"`
	Stream   string `json:"stream"`
}

func eventOf(e codec.Entry) ChangingEvent {
	return ChangingEvent{e.ID.String(), e.Kind(), wire.FormatPosition(e.Position), e.At.String(), e.Recorded.String(),
		e.Stream.String()}
}
