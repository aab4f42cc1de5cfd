package bundle

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"consentledger/domain/ident"
)

// A tally adds up what a bundle says of the records that it has, and of those
// that it leaves out of the same streams.
type tally struct {
	byStream map[string]*StreamCount
	others   map[string]bool // pseudonyms that the selected records link to
	voids    int
	numbers  map[string][]uint64 // of producers, over the whole log
}

func newTally() tally {
	return tally{byStream: map[string]*StreamCount{}, others: map[string]bool{}, numbers: map[string][]uint64{}}
}

func (t *tally) add(s stored, wanted bool) {
	c := t.byStream[s.Stream]
	if c == nil {
		c = &StreamCount{Stream: s.Stream}
		t.byStream[s.Stream] = c
	}

	c.LastRevision++
	if s.Request.Sequence != 0 {
		t.numbers[s.Request.Source] = append(t.numbers[s.Request.Source], s.Request.Sequence)
	}
	if !wanted {
		return
	}

	c.Records++
	if strings.HasPrefix(s.Type, "subject.linked.") {
		t.others[s.Data.Other] = true
	}
	if strings.HasPrefix(s.Type, "record.voided.") || strings.HasPrefix(s.Type, "build.voided.") {
		t.voids++
	}
}

// streams yields the streams that have records in the bundle, by their names.
func (t *tally) streams() iter.Seq[StreamCount] {
	return func(yield func(StreamCount) bool) {
		for _, name := range slices.Sorted(maps.Keys(t.byStream)) {
			if c := t.byStream[name]; c.Records > 0 && !yield(*c) {
				return
			}
		}
	}
}

// links returns the linked streams that are not in the bundle.
func (t *tally) links(s Selection) []string {
	list := []string{}
	for _, other := range slices.Sorted(maps.Keys(t.others)) {
		stream := ident.SubjectStream(s.App, other).String()
		if c := t.byStream[stream]; c == nil || c.Records == 0 {
			list = append(list, stream)
		}
	}
	return list
}

// gaps returns the numbers that producers left out. The facts of one event
// share its number; events come in any order.
func (t *tally) gaps() []Gap {
	gaps := []Gap{}
	for source, numbers := range t.numbers {
		slices.Sort(numbers)
		numbers = slices.Compact(numbers)
		for i := 1; i < len(numbers); i++ {
			if numbers[i] != numbers[i-1]+1 {
				gaps = append(gaps, Gap{source, numbers[i-1], numbers[i]})
			}
		}
	}
	slices.SortFunc(gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.After, b.After))
	})
	return gaps
}
