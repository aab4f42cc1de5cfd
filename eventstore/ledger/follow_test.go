package ledger_test

import (
	"fmt"
	"reflect"
	"sync"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// TestFollowersOfOneLedgerReadTheSame lets several follow while it is written,
// and after it was: from the beginning, from the middle, and what is so old that
// it is not remembered.
func TestFollowersOfOneLedgerReadTheSame(t *testing.T) {
	const records = 5000 // more than are remembered
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	follow := func(after, until int) (list []codec.Entry) {
		for entries, err := range l.Follow(t.Context(), eventstore.Position(after)) {
			if err != nil {
				t.Error(err)
			}
			if list = append(list, entries...); int(list[len(list)-1].Position) >= until {
				break
			}
		}
		return list
	}
	read := map[string][]codec.Entry{}
	var mu sync.Mutex
	var crew sync.WaitGroup
	reader := func(name string, after int) {
		crew.Go(func() {
			list := follow(after, records)
			mu.Lock()
			defer mu.Unlock()
			read[fmt.Sprintf("%s, after %d", name, after)] = list[:min(len(list), records-after)]
		})
	}
	reader("live", 0)
	reader("live", 0)
	reader("live", 3)
	for i := range records {
		w.now++
		r := request(fmt.Sprint(i), yes)
		r.Person.ID = fmt.Sprint(i % 50)
		must(t, l, r)
	}
	crew.Wait()
	for _, after := range []int{0, 1, 255, 256, 511, 700, records - 300, records - 1} {
		reader("later", after)
	}
	crew.Wait()
	var all []codec.Entry
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	for name, list := range read {
		want := all[records-len(list) : records]
		if len(list) == 0 || !reflect.DeepEqual(list, want) {
			t.Errorf("%s: %d entries, and they are not those of a replay", name, len(list))
		}
	}
}
