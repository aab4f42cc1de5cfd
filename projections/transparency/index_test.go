package transparency

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"consentledger/eventstore"
)

// TestSortedRun: a run is the ids in their order with their places, whether or
// not they begin alike.
func TestSortedRun(t *testing.T) {
	for _, same := range []int{0, 3, 5, 6, 7, 12} { // bytes that all of them begin with
		for _, n := range []int{0, 1, 2, 1000, runLength} {
			ids := make([]eventstore.EventID, n)
			for i := range ids {
				ids[i] = idOf(i)
				clear(ids[i][:same])
				binary.BigEndian.PutUint32(ids[i][12:], uint32(i)*2654435761) // no two are alike
			}
			rand.Shuffle(n, func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			var rows [][]byte
			for i, id := range ids {
				rows = append(rows, binary.BigEndian.AppendUint32(id[:], uint32(i)))
			}
			slices.SortFunc(rows, bytes.Compare)
			if got := sortedRun(ids); !bytes.Equal(got, bytes.Join(rows, nil)) {
				t.Errorf("%d ids that have %d bytes in common are not in their order", n, same)
			}
		}
	}
}
