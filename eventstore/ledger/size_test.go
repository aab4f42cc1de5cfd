package ledger

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// ofSomebody returns n records of somebody, read as from a log.
func ofSomebody(t testing.TB, who, n int) (list []codec.Entry) {
	t.Helper()
	stream := ident.StreamID{Noun: ident.SubjectNoun, App: "demo", ID: fmt.Sprintf("%032x", who)}
	for i := range n {
		env := codec.Envelope{Stream: stream, At: deadline.Instant(1767225600000 + i*1000), Recorded: deadline.Instant(1767225600000 + i*1000), Actor: "person", RecordedBy: "app:demo", Rules: domain.Rules}
		binary.BigEndian.PutUint64(env.ID[:], uint64(i)+1)
		binary.BigEndian.PutUint64(env.Request.ID[:], uint64(i)+1)
		var e domain.Event = domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}}
		switch i % 4 {
		case 0, 1:
			e = domain.ConsentGiven{Policy: "privacy", Version: content.Hash{1}, Locale: "en", Act: "agree", Kind: policy.GeneralConsent,
				Items: []domain.Item{{Purpose: "ads"}, {Purpose: "analytics"}, {Purpose: "face", Short: domain.NeedsSeparate}}}
		case 2:
			e = domain.NoticePresented{Policy: "privacy", Version: content.Hash{1}, Locale: "en", Kind: "general"}
		}
		x, err := codec.Encode(env, e, stream.ID, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		read, err := codec.Decode(eventstore.Recorded{Record: x.Record, Stream: eventstore.Stream(stream.String()), Revision: eventstore.Revision(i + 1), Position: eventstore.Position(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, read)
	}
	return list
}

// TestTheCacheHoldsAboutAsManyBytesAsItCounts measures what folds take in memory:
// of short and of long histories, from records, one by one, and from a snapshot.
func TestTheCacheHoldsAboutAsManyBytesAsItCounts(t *testing.T) {
	one := func(list []codec.Entry) *fold { return foldOf(list, lists.Alone) }
	onebyone := func(list []codec.Entry) *fold {
		f := newFold()
		for _, e := range list {
			n, own := f.next()
			n.add(e, own)
			n.bytes(ident.SubjectNoun)
			f = n
		}
		return f
	}
	for _, tt := range []struct {
		name        string
		folds, size int
		make        func([]codec.Entry) *fold
	}{
		{"short", 500, 13, one}, {"of one record", 500, 1, one}, {"long", 3, 6000, one},
		{"short, one by one", 300, 13, onebyone}, {"long, one by one", 2, 3000, onebyone},
		{"long, from a snapshot", 3, 6000, func(list []codec.Entry) *fold {
			text, err := writeSnapshot(one(list))
			if err != nil {
				t.Fatal(err)
			}
			f, ok := readSnapshot(text)
			if !ok {
				t.Fatal("the snapshot cannot be read")
			}
			return f
		}},
	} {
		c := newFolds(1<<30, nil, 0)
		var counted int
		before := heap()
		for i := range tt.folds {
			list := ofSomebody(t, i, tt.size)
			f := tt.make(list)
			c.put(list[0].Stream, f, 0)
			counted += f.weight
		}
		took := heap() - before
		if took > 2*counted || counted > 2*took {
			t.Errorf("%s: %d folds of %d records take %d bytes, counted as %d", tt.name, tt.folds, tt.size, took, counted)
		}
		if each := took / tt.folds; tt.size == 13 && each > 4<<10 {
			t.Errorf("%s: a person of %d records takes %d bytes, want at most 4 KB", tt.name, tt.size, each)
		}
		t.Logf("%s: %d bytes, counted %d", tt.name, took/tt.folds, counted/tt.folds)
		runtime.KeepAlive(&c)
	}
}

// TestTheCacheIsBoundedInBytes puts more into it than it may hold, of histories
// that grow.
func TestTheCacheIsBoundedInBytes(t *testing.T) {
	const most = 1 << 20
	c := newFolds(most, nil, 0)
	list := ofSomebody(t, 0, 40)
	for i := range 1000 {
		s := ident.StreamID{Noun: ident.SubjectNoun, App: "demo", ID: fmt.Sprint(i)}
		c.put(s, foldOf(list[:1+i%40], lists.Alone), 0)
	}
	held, n := 0, 0
	for i := range 1000 {
		if f, ok := c.last.Peek(ident.StreamID{Noun: ident.SubjectNoun, App: "demo", ID: fmt.Sprint(i)}); ok {
			held, n = held+f.weight, n+1
		}
	}
	if held > most || n < 10 {
		t.Errorf("it holds %d folds of %d bytes, want at most %d", n, held, most)
	}
}
