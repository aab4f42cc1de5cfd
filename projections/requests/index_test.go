package requests_test

import (
	"reflect"
	"testing"

	"consentledger/domain"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// TestAReportIsTheSameWhenever it is asked for: after every batch, by a view
// that was asked before or was only just opened, of any position.
func TestAReportIsTheSameWhenever(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	all := w.Entries()
	for _, size := range []int{1, 5, len(all)} {
		place := projectiontest.Place(t)
		asked, err := requests.Open(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(all); i += size {
			batch := all[i:min(i+size, len(all))]
			if err := asked.Apply(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				bytesOf(t, asked, w.Time(), requests.Known{})
			}
		}
		want := map[eventstore.Position]string{}
		for _, e := range all {
			want[e.Position] = bytesOf(t, asked, e.Recorded, requests.Known{Past: true, At: e.Position})
		}
		if err := asked.Close(); err != nil {
			t.Fatal(err)
		}
		opened, err := requests.Open(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if got := bytesOf(t, opened, e.Recorded, requests.Known{Past: true, At: e.Position}); got != want[e.Position] {
				t.Fatalf("batches of %d, as known at %d: opened only now\n%s\nasked all along\n%s", size, e.Position, got, want[e.Position])
			}
		}
		if err := opened.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestABatchThatFailsLeavesNoTrace applies a batch whose last entry cannot be,
// and then the same without it.
func TestABatchThatFailsLeavesNoTrace(t *testing.T) {
	w := begin(t)
	w.Ask("ada", request.Access)
	said := len(w.Entries())
	w.Ask("ben", request.Complaint)
	all := w.Entries()
	v := viewOf(t, all[:said])
	before := bytesOf(t, v, w.Time(), requests.Known{})
	wrong := all[len(all)-1]
	wrong.Position, wrong.Event = wrong.Position+1, domain.ObligationVoided{ID: "reply.of-nobody"}
	if err := v.Apply(t.Context(), append(all[said:len(all):len(all)], wrong)); err == nil {
		t.Fatal("what was never opened became void")
	}
	if got := bytesOf(t, v, w.Time(), requests.Known{}); got != before {
		t.Errorf("after a batch that failed\n%s\nbefore\n%s", got, before)
	}
	if err := v.Apply(t.Context(), all[said:]); err != nil {
		t.Fatal(err)
	}
	if got, want := bytesOf(t, v, w.Time(), requests.Known{}), bytesOf(t, viewOf(t, all), w.Time(), requests.Known{}); got != want {
		t.Errorf("applied again\n%s\nwithout a failure\n%s", got, want)
	}
}

// TestAReportIsOfOneMoment asks while entries are applied: every answer is what
// a view says that has applied all, of the position that the answer names.
func TestAReportIsOfOneMoment(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	all, at := w.Entries(), w.Time()
	whole := viewOf(t, all)
	v, err := requests.Open(t.Context(), projectiontest.Place(t))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	applied := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < len(all) && err == nil; i++ {
			err = v.Apply(t.Context(), all[i:i+1])
		}
		applied <- err
	}()
	for running := true; running; {
		select {
		case err := <-applied:
			if running = false; err != nil {
				t.Fatal(err)
			}
		default:
		}
		sum, asOf, err := v.Summary(t.Context(), requests.Query{App: projectiontest.App, At: at})
		if err != nil {
			t.Fatal(err)
		}
		want, _, err := whole.Summary(t.Context(), requests.Query{App: projectiontest.App, At: at, Known: requests.Known{Past: true, At: asOf}})
		if err != nil || !reflect.DeepEqual(sum, want) {
			t.Fatalf("as of %d: %+v, want %+v, %v", asOf, sum, want, err)
		}
	}
}
