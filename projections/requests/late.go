package requests

import (
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// A LateAnswer is an answer "you may" about a moment at which, as was learned
// later, the person had said no already: asked between the two times of a
// withdrawal that came late. It was right by what was known.
type LateAnswer struct {
	Person     string // a pseudonym
	Purpose    string
	Valid      deadline.Instant // the moment that was asked about
	Answered   deadline.Instant
	Check      string // the event of the answer
	Withdrawn  deadline.Instant
	Recorded   deadline.Instant // when the ledger heard of it
	Withdrawal string           // its event
}

// answer keeps an answer "you may".
func (b *batch) answer(e codec.Entry, x domain.CheckAnswered) error {
	if !x.Allowed {
		return nil
	}
	_, err := b.tx.Exec("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", string(e.Stream.App), e.Stream.ID,
		int64(e.Position), string(x.Purpose), int64(x.Valid), int64(e.Recorded), e.ID.String())
	return err
}

// withdraw keeps a withdrawal that came later than it was said, whatever took
// the consent away, if an answer was given about a moment in between. Answers that
// come after it know of it: so most withdrawals, which are late by milliseconds, need
// not be read by a report.
func (b *batch) withdraw(e codec.Entry, scope policy.Scope) error {
	if e.At >= e.Recorded || !scope.All && len(scope.Purposes) == 0 {
		return nil
	}
	var purposes []string
	for _, id := range scope.Purposes {
		purposes = append(purposes, string(id))
	}
	said := listOf(purposes)
	var answered bool
	if err := b.tx.Row("SELECT EXISTS (SELECT 1 FROM answers a WHERE a.app = ? AND a.person = ? AND a.valid >= ? AND "+
		"(? = '' OR instr(?, ',' || a.purpose || ',') > 0))",
		[]any{string(e.Stream.App), e.Stream.ID, int64(e.At), said, said}, &answered); err != nil || !answered {
		return err
	}
	_, err := b.tx.Exec("INSERT INTO late VALUES (?, ?, ?, ?, ?, ?, ?)", string(e.Stream.App), e.Stream.ID,
		int64(e.Position), int64(e.At), int64(e.Recorded), said, e.ID.String())
	return err
}

// EachLateAnswer calls do for the answers that a later withdrawal of q's app, and person
// if q names one, shows to have been about a moment after it: at most q.Limit,
// in the order of the withdrawals. Answers are known as far as they are logged. It
// returns the position that the answer is as of.
func (v *View) EachLateAnswer(ctx ctx, q Query, do func(LateAnswer) error) (eventstore.Position, error) {
	return v.read(ctx, q, func(r *reading) error { return r.lateAnswers(do) })
}

func (r *reading) lateAnswers(do func(LateAnswer) error) error {
	var s statement
	s.add("SELECT a.person, a.purpose, a.valid, a.recorded, a.event, w.at, w.recorded, w.event FROM late w JOIN "+
		"answers a"+
		" ON a.app = w.app AND a.person = w.person AND a.position < w.position AND a.valid >= w.at AND (w.purposes = "+
		"'' OR instr(w.purposes, ',' || a.purpose || ',') > 0)"+
		" WHERE w.app = ? AND w.position <= ? AND NOT EXISTS (SELECT 1 FROM tests t WHERE t.app = w.app AND t.person "+
		"= w.person AND ? BETWEEN t.position AND t.ended - 1)",
		string(r.App), int64(r.asOf), int64(r.asOf))
	if r.Person != "" {
		s.add(" AND w.person = ?", r.Person)
	}

	s.add(" ORDER BY w.position, a.position")
	if r.Limit > 0 {
		s.add(" LIMIT ?", r.Limit)
	}

	return r.tx.Each(s.text.String(), s.args, func(scan func(...any) error) error {
		var y LateAnswer
		var valid, answered, at, recorded int64
		if err := scan(&y.Person, &y.Purpose, &valid, &answered, &y.Check, &at, &recorded, &y.Withdrawal); err != nil {
			return err
		}
		y.Valid, y.Answered = deadline.Instant(valid), deadline.Instant(answered)
		y.Withdrawn, y.Recorded = deadline.Instant(at), deadline.Instant(recorded)
		return do(y)
	})
}
