package storetest

import (
	"context"
	"errors"
	"testing"

	"consentledger/eventstore"
)

func afterRevision(t *testing.T, s eventstore.Store) {
	for i := range 5 {
		add(t, s, "a", eventstore.Revision(i), rec(2*i))
		add(t, s, "b", eventstore.Revision(i), rec(2*i+1))
	}
	for after := range eventstore.Revision(8) {
		got := stream(t, s, "a", after)
		if want := max(0, 5-int(after)); len(got) != want {
			t.Errorf("read %d records after revision %d, want %d", len(got), after, want)
		}
		for i, r := range got {
			checkRecorded(t, r, "a", after+eventstore.Revision(i)+1, rec(2*(int(after)+i)))
		}
	}
}

func afterPosition(t *testing.T, s eventstore.Store) {
	for i := range 5 {
		add(t, s, "a", eventstore.Revision(i), rec(2*i))
		add(t, s, "b", eventstore.Revision(i), rec(2*i+1))
	}

	whole := all(t, s, 0)
	if len(whole) != 10 {
		t.Fatalf("read %d records, want 10", len(whole))
	}

	checkOrder(t, whole)
	for n, r := range whole {
		rest := all(t, s, r.Position)
		if len(rest) != len(whole)-n-1 {
			t.Fatalf("read %d records after position %d, want %d", len(rest), r.Position, len(whole)-n-1)
		}
		for i := range rest {
			if w := whole[n+1+i]; rest[i].Position != w.Position || rest[i].ID != w.ID {
				t.Errorf("record %d after position %d is %s, want %s", i, r.Position, rest[i].ID, w.ID)
			}
		}
	}

	betweenPositions(t, s, whole)
}

// betweenPositions begins where perhaps no record is.
func betweenPositions(t *testing.T, s eventstore.Store, whole []eventstore.Recorded) {
	t.Helper()
	last := whole[len(whole)-1].Position
	for _, r := range whole {
		for _, after := range []eventstore.Position{r.Position - 1, r.Position + 1} {
			want := whole[:0:0]
			for _, r := range whole {
				if r.Position > after {
					want = append(want, r)
				}
			}
			if got := all(t, s, after); len(got) != len(want) || len(got) > 0 && got[0].ID != want[0].ID {
				t.Fatalf("read %d records after position %d, want %d", len(got), after, len(want))
			}
			if after >= last {
				continue
			}
			for batch, err := range s.Follow(t.Context(), after) {
				if err != nil || batch[0].ID != want[0].ID {
					t.Fatalf("after position %d comes %v, %v, want %s", after, batch, err, want[0].ID)
				}
				break
			}
		}
	}
}

func atPositions(t *testing.T, s eventstore.Store) {
	const many = 1200 // more than one page of any store
	for n := 0; n < many; n += 300 {
		records := make([]eventstore.Record, 300)
		for i := range records {
			records[i] = rec(n + i)
		}
		add(t, s, "a", eventstore.Revision(n), records...)
	}
	whole := all(t, s, 0)
	for _, step := range []int{1, 2, 7, 599, many} {
		for from := range 3 {
			var want []eventstore.Recorded
			var positions []eventstore.Position
			for i := from; i < len(whole); i += step {
				want, positions = append(want, whole[i]), append(positions, whole[i].Position)
			}
			got := at(t, s, positions...)
			if len(got) != len(want) {
				t.Fatalf("read %d records at %d positions", len(got), len(want))
			}
			for i, r := range got {
				if r.Position != want[i].Position {
					t.Fatalf("record %d is at %d, want %d", i, r.Position, want[i].Position)
				}
				checkRecorded(t, r, "a", want[i].Revision, want[i].Record)
			}
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for r, err := range s.ReadAt(ctx, whole[0].Position) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that is done it yielded %d, %v", r.Position, err)
		}
	}
}

func atNone(t *testing.T, s eventstore.Store) {
	if got := at(t, s, 1, 2, 3); len(got) != 0 {
		t.Errorf("an empty store yielded %d records", len(got))
	}
	last := add(t, s, "a", 0, rec(0), rec(1))
	if got := at(t, s, 0, last, last+1, last+1000); len(got) != 1 || got[0].Position != last {
		t.Errorf("read %+v, want the record at %d", got, last)
	}
	if got := at(t, s); len(got) != 0 {
		t.Errorf("no position yielded %d records", len(got))
	}
}

func stops(t *testing.T, s eventstore.Store) {
	add(t, s, "a", 0, rec(0), rec(1))
	for _, err := range s.ReadAll(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}

	for _, err := range s.ReadAt(t.Context(), all(t, s, 0)[0].Position, all(t, s, 0)[1].Position) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}

	for _, err := range s.ReadStream(t.Context(), "a", 0) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}

	for _, err := range s.Follow(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}

	add(t, s, "a", 2, rec(2))
}

func head(t *testing.T, s eventstore.Store) {
	for i := range 4 {
		var want eventstore.Position
		if got := all(t, s, 0); i > 0 {
			want = got[len(got)-1].Position
		}
		got, err := s.Head(t.Context())
		if err != nil || got != want {
			t.Errorf("after %d appends head is %d, %v, want %d", i, got, err, want)
		}
		pos := add(t, s, "a", eventstore.Revision(2*i), rec(2*i), rec(2*i+1))
		if got, err := s.Head(t.Context()); err != nil || got != pos {
			t.Errorf("head is %d, %v, want %d as the append said", got, err, pos)
		}
	}
}

func follows(t *testing.T, s eventstore.Store) {
	const want = 2500
	for n := 0; n < want; n += 500 {
		records := make([]eventstore.Record, 500)
		for i := range records {
			records[i] = rec(n + i)
		}
		add(t, s, "a", eventstore.Revision(n), records...)
	}

	n := 0
	for batch, err := range s.Follow(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 || len(batch) > eventstore.MaxBatch {
			t.Errorf("a slice holds %d records, want 1 to %d", len(batch), eventstore.MaxBatch)
		}
		for _, r := range batch {
			checkRecorded(t, r, "a", eventstore.Revision(n+1), rec(n))
			n++
		}
		if n >= want {
			break
		}
	}

	if n != want {
		t.Errorf("followed %d records, want %d", n, want)
	}
}

// waits appends only after Follow has yielded everything, and so is being
// waited for.
func waits(t *testing.T, s eventstore.Store) {
	const want = 20
	first := add(t, s, "a", 0, rec(0))
	next := make(chan int)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range next {
			if _, err := s.Append(t.Context(), "a", eventstore.Revision(n), rec(n)); err != nil {
				t.Error(err)
			}
		}
	}()
	n := 1
	next <- n
	for batch, err := range s.Follow(t.Context(), first) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range batch {
			checkRecorded(t, r, "a", eventstore.Revision(n+1), rec(n))
			n++
		}
		if n == want {
			break
		}
		next <- n
	}

	close(next)
	<-done
}

func ends(t *testing.T, s eventstore.Store) {
	add(t, s, "a", 0, rec(0))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n := 0
	for batch, err := range s.Follow(ctx, 0) {
		if last != nil {
			t.Fatal("follow goes on after an error")
		}
		if last = err; err == nil {
			n += len(batch)
			go cancel()
		}
	}

	if n != 1 || !errors.Is(last, context.Canceled) {
		t.Errorf("follow ended after %d records with %v, want 1 and %v", n, last, context.Canceled)
	}

	for batch, err := range s.Follow(ctx, 0) {
		if err == nil || !errors.Is(err, context.Canceled) {
			t.Errorf("follow with a context that is done yielded %d records, %v", len(batch), err)
		}
	}
}
