package ledger

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// golden returns the entries of the first lines of the codec's golden file that
// a person's history may hold, each as a record of its own.
func golden(t *testing.T, lines int) (list []codec.Entry) {
	t.Helper()
	file, err := os.Open("../codec/testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := bufio.NewScanner(file)
	for n := 0; n < lines && all.Scan(); n++ {
		var line struct{ ID, Type, Stream string }
		if err := json.Unmarshal(all.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		id, err := eventstore.ParseEventID(line.ID)
		if err != nil {
			t.Fatal(err)
		}
		e, err := codec.Decode(eventstore.Recorded{
			Record: eventstore.Record{ID: id, Type: line.Type, Data: bytes.Clone(all.Bytes())}, Stream: eventstore.Stream(line.Stream),
		})
		if err != nil {
			t.Fatal(err)
		}
		if foldsInHistory(e) {
			list = append(list, e)
		}
	}
	return numbered(list)
}

// numbered makes entries the records of one stream.
func numbered(list []codec.Entry) []codec.Entry {
	for i := range list {
		list[i].Revision, list[i].Position = eventstore.Revision(i+1), eventstore.Position(3*i+2)
		binary.BigEndian.PutUint64(list[i].ID[:], uint64(i)+1)
		binary.BigEndian.PutUint64(list[i].Request.ID[:], uint64(i/2)+1)
		list[i].Recorded += deadline.Instant(i)
	}
	return list
}

// foldsInHistory reports whether the fold of a person's history takes an entry.
func foldsInHistory(e codec.Entry) (takes bool) {
	defer func() { takes = recover() == nil }()
	newFold().add(e, lists.Alone)
	return true
}

// pinned is what the first lines of the golden file fold to, by the version of
// folds.
var pinned = map[int]struct {
	lines         int
	shape, folded string
}{
	1: {81, "018581b8bad85148", "9c1756656a0a0147"},
	2: {81, "84c8d20fca39614a", "44cab9b7242e8958"},
	3: {81, "0269210b8536d5be", "44cab9b7242e8958"}, // the bytes are those of 2, the types of other packages
	4: {81, "ee46191c99fade67", "44cab9b7242e8958"}, // likewise
	5: {89, "ffa4f05b79426964", "64055715ecf2e022"},
}

// TestAFoldHasTheShapeOfItsVersion fails when what facts fold to is kept in other
// fields, or is something else: then an older program's snapshot must not be read
// as one of this program's.
func TestAFoldHasTheShapeOfItsVersion(t *testing.T) {
	want := pinned[foldVersion]
	b, err := snapshots.Append(nil, foldOf(golden(t, want.lines), lists.Alone).snapshot())
	if err != nil {
		t.Fatal(err)
	}
	shape, folded := snapshots.Shape(), sha256.Sum256(b)
	if hex.EncodeToString(shape[:8]) != want.shape || hex.EncodeToString(folded[:8]) != want.folded {
		t.Errorf("a fold is of shape %x, and the golden records fold to %x: raise foldVersion, and pin them under it", shape[:8], folded[:8])
	}
}

// TestEveryEventFoldsTheSameFromASnapshot is every event of the golden file that
// a person's history may hold, in any order and more than once.
func TestEveryEventFoldsTheSameFromASnapshot(t *testing.T) {
	all := golden(t, 1000)
	types := map[string]bool{}
	for _, e := range all {
		types[e.Type] = true
	}
	if len(types) < 30 {
		t.Fatalf("the golden file has %d types of a person's history: %v", len(types), types)
	}
	if err := snapshotsAlike(all); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var list []codec.Entry
		for range 40 {
			list = append(list, all[r.IntN(len(all))])
		}
		numbered(list)
		for i, e := range list {
			list[i].Event = pointed(e.Event, list[r.IntN(len(list))].ID)
		}
		if err := snapshotsAlike(list); err != nil {
			t.Fatal(err)
		}
	}
}

// pointed makes an event be about another record.
func pointed(e domain.Event, id eventstore.EventID) domain.Event {
	ids := []ident.EventID{ident.EventID(id)}
	switch e := e.(type) {
	case domain.RecordVoided:
		e.Records = ids
		return e
	case domain.RecordDisputed:
		e.Records = ids
		return e
	case domain.ConsentUsed:
		e.Consents = ids
		return e
	case domain.ExemptionEnded:
		e.Exemption = ids[0]
		return e
	}
	return e
}
