package requests

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"consentledger/domain/amount"
	"consentledger/domain/policy"
	"consentledger/eventstore"
)

// A Summary adds a report up. Percentages have one digit after the point, and
// are empty of nothing; see [amount.Percent].
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
	g.OnTime = amount.Percent(g.Met, g.Met+g.Late+g.Overdue)
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

// Report returns a page and the summary, both of one snapshot. What is counted by the row is
// looked at once for both.
func (v *View) Report(
	ctx ctx, q Query,
) (list []Obligation, next Place, sum Summary, asOf eventstore.Position, err error) {
	asOf, err = v.read(ctx, q, func(r *reading) error {
		paged := *r
		paged.Limit++
		c := choice{reading: &paged}
		heaps := map[heap]int64{}
		if sum.Tests, err = paged.look(&c, heaps); err != nil {
			return err
		}
		if list, next, err = paged.open(c.done(), r.Limit); err != nil {
			return err
		}
		sum.count(heaps)
		return r.besides(&sum)
	})
	return list, next, sum, asOf, err
}

func (r *reading) summary() (s Summary, err error) {
	heaps := map[heap]int64{}
	if s.Tests, err = r.look(nil, heaps); err != nil {
		return s, err
	}
	s.count(heaps)
	return s, r.besides(&s)
}

// besides adds up what is no obligation.
func (r *reading) besides(s *Summary) error {
	if err := r.grounds(s); err != nil {
		return err
	}
	return r.fees(s)
}

// A heap is what many rows have in common that are counted.
type heap struct {
	of      *class
	state   State
	binding bool
	days    int32
}

// A monthType is where a heap is counted.
type monthType struct{ month, of string }

// count counts obligations.
func (s *Summary) count(heaps map[heap]int64) {
	total, groups, states := &gathered{}, map[monthType]*gathered{}, map[State]int64{}
	for h, n := range heaps {
		reply := h.binding && h.of.kind == policy.DutyReply
		total.add(h.state, reply, int(h.days), n)
		states[h.state] += n
		of := wordsOf(h.of.types)
		if len(of) == 0 {
			of = []string{""}
		}
		for _, t := range of {
			k := monthType{h.of.month, t}
			if groups[k] == nil {
				groups[k] = &gathered{}
			}
			groups[k].add(h.state, reply, int(h.days), n)
		}
	}

	s.Total = total.tally()
	for _, state := range slices.Sorted(maps.Keys(states)) {
		s.States = append(s.States, StateCount{state, states[state]})
	}

	keys := slices.SortedFunc(maps.Keys(groups),
		func(a, b monthType) int { return cmp.Or(cmp.Compare(a.month, b.month), cmp.Compare(a.of, b.of)) })
	for _, k := range keys {
		s.Groups = append(s.Groups, Group{k.month, k.of, groups[k].tally()})
	}
}

// notTests leaves out steps of persons who are tests.
const notTests = " AND NOT EXISTS (SELECT 1 FROM tests t WHERE t.app = s.app AND t.person = s.person AND ? BETWEEN " +
	"t.position AND t.ended - 1)"

func (r *reading) grounds(s *Summary) error {
	counts := map[string]int64{}
	err := r.tx.Each("SELECT codes, count(*) FROM steps s WHERE app = ? AND codes <> '' AND position > ? AND "+
		"position <= ?"+notTests+" GROUP BY codes",
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
	sums := map[string]map[string]amount.Amount{}
	err := r.tx.Each("SELECT kind, amount, count(*) FROM steps s WHERE app = ? AND kind IN ('fee.paid', "+
		"'fee.quoted', 'fee.waived') AND amount <> '' AND position > ? AND position <= ?"+notTests+" GROUP BY kind, amount",
		[]any{string(r.App), int64(r.SinceSteps), int64(r.asOf), int64(r.asOf)}, func(scan func(...any) error) error {
			var kind, text string
			var n int64
			if err := scan(&kind, &text, &n); err != nil {
				return err
			}
			a, err := amount.Parse(text)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			of := sums[a.Currency]
			if of == nil {
				of = map[string]amount.Amount{}
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
		for kind, into := range map[string]*string{"fee.quoted": &f.Quoted, "fee.paid": &f.Paid,
			"fee.waived": &f.Waived} {
			if sum, ok := sums[currency][kind]; ok {
				*into = sum.String()
			}
		}
		s.Fees = append(s.Fees, f)
	}
	return err
}
