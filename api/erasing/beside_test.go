package erasing_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/api/erasing"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/eventstore/vault"
)

// betweenRows do something once, after a job was read and before it is written.
type betweenRows struct {
	eventstore.Rows
	do func()
}

func (b *betweenRows) Write(ctx context.Context, c eventstore.Change) error {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.Rows.Write(ctx, c)
}

// TestWhatTwoProcessesDoToAJobIsDoneByBoth: each reads the job before the other has written it,
// and what one did is not undone by the other.
func TestWhatTwoProcessesDoToAJobIsDoneByBoth(t *testing.T) {
	w := newWorld(t)
	for _, p := range people(4) {
		w.must(t, p.ID, "g", domain.GiveConsent{Act: "agree"})
	}
	other := w.jobs(w.l)
	slow := &betweenRows{Rows: w.rows}
	j := w.jobs(w.l)
	j.Rows = slow
	do := func(job erasing.Job, err error) erasing.Job {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return job
	}

	// Both begin it: it is one job.
	slow.do = func() { do(other.Begin(t.Context(), "demo", begin())) }
	do(j.Begin(t.Context(), "demo", begin()))
	if list, err := j.List(t.Context(), "demo"); len(list) != 1 || err != nil {
		t.Fatalf("%d jobs, %v", len(list), err)
	}

	// Both hand over a part: both are there.
	do(j.Add(t.Context(), "demo", "spring", "desk", 1, people(4)[:1]))
	slow.do = func() { do(other.Add(t.Context(), "demo", "spring", "desk", 2, people(4)[1:3])) }
	if job := do(j.Add(t.Context(), "demo", "spring", "desk", 1, people(4)[3:])); job.Parts != 2 || job.Persons != 3 {
		t.Fatalf("%+v", job)
	}

	// One starts it while the other hands over: what was approved is what is there.
	before := do(j.Get(t.Context(), "demo", "spring"))
	digest, err := j.Digest(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	slow.do = func() { do(other.Add(t.Context(), "demo", "spring", "desk", 3, people(4)[:1])) }
	if job, err := j.Start(t.Context(), "demo", "spring", "desk", digest); err == nil {
		t.Fatalf("a list is started that nobody approved: %+v", job)
	}
	do(j.Start(t.Context(), "demo", "spring", "desk", content.Hash{}))

	// One cancels it while the other notes how far it is.
	slow.do = func() { do(other.Cancel(t.Context(), "demo", "spring")) }
	job := until(t, j, erasing.Cancelled)
	if job.Ended == 0 {
		t.Errorf("%+v", job)
	}
}

// processes are two that serve one ledger, both of which believe that they have the turn.
func processes(t *testing.T, w *world, rows [2]eventstore.Rows, chunk int) (all [2]*erasing.Jobs) {
	t.Helper()
	for i := range all {
		v, err := vault.Open(t.Context(), rows[i], w.keys)
		if err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Open(t.Context(), ledger.Config{Store: w.store, Vault: v, Now: w.l.Now, Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = &erasing.Jobs{Ledger: l, Rows: rows[i], Log: slog.New(slog.DiscardHandler), Chunk: chunk}
	}
	return all
}

// TestTwoProcessesWorkOnOneJob: each believes that it has the turn, as one does that slept. Both
// order, both finish, and in the end everybody is erased once and counted once.
func TestTwoProcessesWorkOnOneJob(t *testing.T) {
	server := pgservertest.Serve(t)
	for _, of := range []string{erasing.OfIDs, erasing.OfAll} {
		for _, chunk := range []int{3, 8} {
			t.Run(fmt.Sprintf("%s in chunks of %d", of, chunk), func(t *testing.T) {
				name := fmt.Sprintf("jobs_%s_%d", of, chunk)
				if _, err := server.SQL(t.Context(), "postgres", "CREATE DATABASE "+name); err != nil {
					t.Fatal(err)
				}
				address, err := postgres.ParseAddress(server.Address(name))
				if err != nil {
					t.Fatal(err)
				}
				var rows [2]eventstore.Rows
				for i := range rows {
					r, err := postgres.OpenRows(address, postgres.Options{})
					if err != nil {
						t.Fatal(err)
					}
					defer r.Close()
					rows[i] = r
				}
				twoWorkOnOne(t, newWorldOn(t, rows[0]), rows, of, chunk)
			})
		}
	}
}

func twoWorkOnOne(t *testing.T, w *world, rows [2]eventstore.Rows, of string, chunk int) {
	const persons = 40
	var who []ident.PersonKey
	for i := range persons {
		id := fmt.Sprintf("user-%d", i)
		w.must(t, id, "y", domain.GiveConsent{Act: "agree"})
		who = append(who, ident.PersonKey{Kind: "account", ID: id})
	}

	all := processes(t, w, rows, chunk)
	b := begin()
	b.Of = of
	if _, err := all[0].Begin(t.Context(), "demo", b); err != nil {
		t.Fatal(err)
	}
	if of == erasing.OfIDs {
		if _, err := all[1].Add(t.Context(), "demo", "spring", "desk", 1, who); err != nil {
			t.Fatal(err)
		}
		if _, err := all[0].Start(t.Context(), "demo", "spring", "desk", content.Hash{}); err != nil {
			t.Fatal(err)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	var both sync.WaitGroup
	for _, j := range all {
		both.Go(func() { j.Run(ctx) })
	}
	for { // one may have said that the job is done while the other is at its last chunk
		job, err := all[0].Get(t.Context(), "demo", "spring")
		if err != nil {
			t.Fatal(err)
		}
		var file strings.Builder
		if job.State == erasing.Done && all[0].Certify(t.Context(), "demo", "spring", unsigned{w}, w.l, &file) == nil &&
			job.Erased >= persons {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	both.Wait()
	for i, j := range all {
		job, err := j.Get(t.Context(), "demo", "spring")
		if err != nil || job.Erased != persons || job.Already != 0 || job.Kept != 0 || job.Persons != persons {
			t.Fatalf("process %d says %+v, %v", i, job, err)
		}
	}
	if n := w.records(t, "erasure.ordered"); n != persons {
		t.Errorf("%d erasures are ordered", n)
	}
	if n := w.records(t, "subject.erased"); n != persons {
		t.Errorf("%d are erased", n)
	}
	var file strings.Builder
	if err := all[1].Certify(t.Context(), "demo", "spring", unsigned{w}, w.l, &file); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(file.String(), "\n"); n != persons+1 {
		t.Errorf("the certificate has %d lines", n)
	}
}
