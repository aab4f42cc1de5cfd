package requests

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"consentledger/domain"
	"consentledger/eventstore"
)

// A Summary adds a report up. Percentages have one digit after the point, and
// are empty of nothing; see [domain.Percent].
type Summary struct {
	Total   Tally
	States  []StateCount
	Groups  []Group // by month of opening, then by type
	Grounds []Ground
	Fees    []Fee
	Tests   int64 // how many were left out, since they are owed to a test
}

// A Tally is how many obligations came to what. On time are those that were met
// in time, of those that were met or are overdue; the others have time yet, or
// are void.
type Tally struct {
	Obligations int64
	Met         int64
	Late        int64 // met late
	Overdue     int64
	OnTime      string // percent
	Replies     int64  // met obligations to reply that bind
	Median      string // working days from day zero to the reply, of those; empty: of none
}

// A StateCount is how many obligations are in a state.
type StateCount struct {
	State       State
	Obligations int64
}

// A Group is the tally of one type of request in one month, and of what is owed
// without a request under the type "". What answers several types is counted in
// each.
type Group struct {
	Month string // 2006-01, where the rule is
	Type  string
	Tally
}

// A Ground is how often a request was rejected on it, whole or in part.
type Ground struct {
	Code     string
	Rejected int64
}

// A Fee is what was asked, got and given up in one currency.
type Fee struct{ Currency, Quoted, Paid, Waived string }

// A gathered tally remembers how many replies took how many working days.
type gathered struct {
	Tally
	days map[int]int64
}

func (g *gathered) add(s State, reply bool, days int, n int64) {
	g.Obligations += n
	switch s {
	case StateMet:
		g.Met += n
	case StateMetLate:
		g.Late += n
	case StateOverdue:
		g.Overdue += n
	}
	if reply && days >= 0 && (s == StateMet || s == StateMetLate) {
		if g.days == nil {
			g.days = map[int]int64{}
		}
		g.days[days] += n
		g.Replies += n
	}
}

func (g *gathered) tally() Tally {
	g.OnTime = domain.Percent(g.Met, g.Met+g.Late+g.Overdue)
	g.Median = median(g.days, g.Replies)
	return g.Tally
}

// median returns the middle of n numbers, or half way between the two in the
// middle.
func median(counts map[int]int64, n int64) string {
	if n == 0 {
		return ""
	}
	low, high, seen := -1, 0, int64(0)
	for _, days := range slices.Sorted(maps.Keys(counts)) {
		seen += counts[days]
		if low < 0 && seen >= (n+1)/2 {
			low = days
		}
		if seen >= n/2+1 {
			high = days
			break
		}
	}
	text := strconv.Itoa((low + high) / 2)
	if (low+high)%2 != 0 {
		text += ".5"
	}
	return text
}

// Summary adds up the obligations that q asks for, and all rejections and fees
// of the app, and returns the position that the answer is as of. Sort, From and
// Limit do not matter.
func (v *View) Summary(ctx ctx, q Query) (sum Summary, asOf eventstore.Position, err error) {
	asOf, err = v.read(ctx, q, func(r *reading) error {
		sum, err = r.summary()
		return err
	})
	return sum, asOf, err
}

// Report returns a page and the summary, both of one snapshot.
func (v *View) Report(ctx ctx, q Query) (list []Obligation, next Place, sum Summary, asOf eventstore.Position, err error) {
	asOf, err = v.read(ctx, q, func(r *reading) error {
		whole := *r
		if list, next, err = r.page(); err == nil {
			sum, err = whole.summary()
		}
		return err
	})
	return list, next, sum, asOf, err
}

func (r *reading) summary() (Summary, error) {
	s := Summary{}
	if err := r.count(&s); err != nil {
		return s, err
	}
	if err := r.grounds(&s); err != nil {
		return s, err
	}
	if err := r.fees(&s); err != nil {
		return s, err
	}
	var q statement
	q.add("SELECT count(*) FROM obligations")
	r.known(&q)
	q.add(" AND test = 1")
	return s, r.tx.Row(q.text.String(), q.args, &s.Tests)
}

// A groupKey is where a group of rows is counted.
type groupKey struct{ month, of string }

// A count is one query of the summary.
type count struct {
	where string
	state func(*statement)
}

// counts returns the queries that count all. What is settled is counted apart,
// as long as it stays settled at the moment that is asked about: an index has
// it in groups.
func (r *reading) counts() []count {
	if !r.latest {
		return []count{{"", r.state}}
	}
	all := []count{{" AND settled = 0", r.state}}
	if !onlyUnsettled(r.States) {
		all = append(all, count{" AND settled <> 0", func(s *statement) { s.add("outcome") }})
	}
	return all
}

// count counts obligations.
func (r *reading) count(s *Summary) error {
	total, groups, states := &gathered{}, map[groupKey]*gathered{}, map[State]int64{}
	for _, c := range r.counts() {
		var q statement
		q.add("SELECT month, types, kind, binding, days, ")
		c.state(&q)
		q.add(" AS state, count(*) FROM obligations")
		r.known(&q)
		q.add(c.where)
		r.filter(&q, c.state)
		q.add(" GROUP BY month, types, kind, binding, state, days")
		err := r.tx.Each(q.text.String(), q.args, func(scan func(...any) error) error {
			var month, types, kind string
			var binding bool
			var days, state int
			var n int64
			if err := scan(&month, &types, &kind, &binding, &days, &state, &n); err != nil {
				return err
			}
			reply := binding && domain.DutyKind(kind) == domain.DutyReply
			total.add(State(state), reply, days, n)
			states[State(state)] += n
			of := wordsOf(types)
			if len(of) == 0 {
				of = []string{""}
			}
			for _, t := range of {
				k := groupKey{month, t}
				if groups[k] == nil {
					groups[k] = &gathered{}
				}
				groups[k].add(State(state), reply, days, n)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	s.Total = total.tally()
	for _, state := range slices.Sorted(maps.Keys(states)) {
		s.States = append(s.States, StateCount{state, states[state]})
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b groupKey) int { return cmp.Or(cmp.Compare(a.month, b.month), cmp.Compare(a.of, b.of)) })
	for _, k := range keys {
		s.Groups = append(s.Groups, Group{k.month, k.of, groups[k].tally()})
	}
	return nil
}

// notTests leaves out steps of persons who are tests.
const notTests = " AND NOT EXISTS (SELECT 1 FROM tests t WHERE t.app = s.app AND t.person = s.person AND ? BETWEEN t.position AND t.ended - 1)"

func (r *reading) grounds(s *Summary) error {
	counts := map[string]int64{}
	err := r.tx.Each("SELECT codes, count(*) FROM steps s WHERE app = ? AND codes <> '' AND position > ? AND position <= ?"+notTests+" GROUP BY codes",
		[]any{string(r.App), int64(r.SinceSteps), int64(r.asOf), int64(r.asOf)}, func(scan func(...any) error) error {
			var codes string
			var n int64
			err := scan(&codes, &n)
			for _, code := range strings.Split(codes, ",") {
				counts[code] += n
			}
			return err
		})
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		s.Grounds = append(s.Grounds, Ground{code, counts[code]})
	}
	return err
}

func (r *reading) fees(s *Summary) error {
	sums := map[string]map[string]domain.Amount{}
	err := r.tx.Each("SELECT kind, amount, count(*) FROM steps s WHERE app = ? AND kind IN ('fee.paid', 'fee.quoted', 'fee.waived') AND amount <> '' AND position > ? AND position <= ?"+notTests+" GROUP BY kind, amount",
		[]any{string(r.App), int64(r.SinceSteps), int64(r.asOf), int64(r.asOf)}, func(scan func(...any) error) error {
			var kind, text string
			var n int64
			if err := scan(&kind, &text, &n); err != nil {
				return err
			}
			a, err := domain.ParseAmount(text)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			of := sums[a.Currency]
			if of == nil {
				of = map[string]domain.Amount{}
				sums[a.Currency] = of
			}
			for range n {
				sum, ok := of[kind]
				if !ok {
					of[kind] = a
				} else if of[kind], err = sum.Add(a); err != nil {
					return err
				}
			}
			return nil
		})
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		f := Fee{Currency: currency}
		for kind, into := range map[string]*string{"fee.quoted": &f.Quoted, "fee.paid": &f.Paid, "fee.waived": &f.Waived} {
			if sum, ok := sums[currency][kind]; ok {
				*into = sum.String()
			}
		}
		s.Fees = append(s.Fees, f)
	}
	return err
}
