package followup_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/followup"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
)

// replies promises a reply within 15 days, and that processing stops within a day.
func replies() domain.PublishPolicy {
	return promising(only(
		duty("reply", "consent.withdrawn", policy.DutyReply, "d15", "withdrawal.confirmed"),
		duty("stop", "consent.withdrawn", policy.DutyStop, "h24", "processing.stopped"),
	))
}

// However much is open, nothing of it is in memory once its records are learned; and what
// is to be said of it is counted.
func TestWhatIsOpenIsNotInMemory(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		r, stop := w.react()
		w.tell("", replies())
		const persons = 40
		for i := range persons {
			w.tell(fmt.Sprint("person-", i), withdrawn("ads"))
		}
		synctest.Wait()
		if n := len(duties(w)); n != 2*persons {
			t.Fatalf("%d are owed", n)
		}
		if s, err := r.State(); err != nil || s.Waiting != 4*persons {
			t.Errorf("%d wait, want %d, %v", s.Waiting, 4*persons, err)
		}

		w.tell("person-7", noted("withdrawal.confirmed", "channel", "app"))
		w.tell("person-7", noted("processing.stopped", "system", "crm"))
		synctest.Wait()
		if s, err := r.State(); err != nil || s.Waiting != 4*(persons-1) {
			t.Errorf("once one is met %d wait, want %d, %v", s.Waiting, 4*(persons-1), err)
		}
		stop()
		if n := r.AtHand(); n != 0 {
			t.Errorf("%d streams are in memory", n)
		}
	})
}

// More is due at once than is taken out at once, after the clock has jumped ahead while
// nobody was there: each is said once, at risk before late.
func TestTheClockJumpsOverWhatIsOwedToMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, stop := w.react()
		w.tell("", promising(only(duty("reply", "consent.withdrawn", policy.DutyReply, "d15"))))
		const persons = followup.Many + 100
		for i := range persons {
			w.tell(fmt.Sprint("person-", i), withdrawn("ads"))
		}
		synctest.Wait()
		stop()

		time.Sleep(40 * 24 * time.Hour)
		r, stop := w.react()
		synctest.Wait()
		if s, err := r.State(); err != nil || s.Waiting != 0 {
			t.Errorf("%d wait, %v", s.Waiting, err)
		}
		late := map[ident.StreamID]int{}
		for e := range w.told {
			switch e.Event.(type) {
			case domain.ObligationAtRisk:
				late[e.Stream]++
			case domain.ObligationOverdue:
				if late[e.Stream] += 2; late[e.Stream] != 3 {
					t.Errorf("%s was late before it was at risk, or twice", e.Stream)
				}
			}
		}
		if len(late) != persons {
			t.Errorf("it was said of %d, want %d", len(late), persons)
		}
		stop()
		once(w)
	})
}

// A halting store writes rows until it is told not to write one any more.
type halting struct {
	eventstore.Rows
	key  string
	dead atomic.Bool
}

func (h *halting) Write(ctx context.Context, c eventstore.Change) error {
	if h.dead.Load() && slices.ContainsFunc(c.Put, func(r eventstore.Row) bool { return string(r.Key) == h.key }) {
		return context.DeadlineExceeded
	}
	return h.Rows.Write(ctx, c)
}

// Who is killed between two checkpoints leaves rows that are ahead of the newer one, or of
// no record at all: what is open is made from the checkpoint then, and nothing is done
// twice or lost.
func TestRowsThatAreAheadOfTheCheckpointAreMadeAnew(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.tell("", replies())
		w.withdraws("ada")
		w.runs(&w.rows)

		killed := &halting{Rows: &w.rows, key: followup.HeadRow}
		killed.dead.Store(true)
		w.withdraws("bo", "cem")
		w.tell("ada", noted("withdrawal.confirmed", "channel", "app"))
		w.runs(killed)
		head := w.head()
		w.runs(&w.rows)
		if now := w.head(); now != head {
			t.Errorf("something was done again: %d, then %d", head, now)
		}
		w.recalls(&w.rows)

		w.lose(followup.ShelfRow)
		if told := w.runs(&w.rows); told != 1 {
			t.Errorf("told of %d records, want the last: the checkpoint is good", told)
		}
		w.recalls(&w.rows)
	})
}

// While what is open is made from the checkpoint the process is killed: the next start
// makes it anew.
func TestWhoIsKilledWhileRowsAreMadeBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.tell("", replies())
		w.withdraws("ada", "bo")
		w.runs(&w.rows)
		w.lose(followup.ShelfRow)
		killed := &halting{Rows: &w.rows, key: followup.ShelfRow}
		killed.dead.Store(true)
		w.runs(killed)

		head := w.head()
		w.runs(&w.rows)
		if now := w.head(); now != head {
			t.Errorf("something was done again: %d, then %d", head, now)
		}
		w.recalls(&w.rows)
	})
}

// A stuck ledger does not come to execute anything, once it is stuck.
type stuck struct {
	*ledger.Ledger
	stuck atomic.Bool
}

func (s *stuck) ExecuteOn(ctx context.Context, stream ident.StreamID, req ledger.Request) (ledger.Receipt, error) {
	if s.stuck.Load() {
		<-ctx.Done()
		return ledger.Receipt{}, ctx.Err()
	}
	return s.Ledger.ExecuteOn(ctx, stream, req)
}

// What was taken out because it is due, and was not done when the process ended, is done
// by the next.
func TestWhatIsDueAndNotDoneIsDoneByTheNextProcess(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		l, err := w.open()
		if err != nil {
			t.Fatal(err)
		}
		s, rows := &stuck{Ledger: l}, new(memory.Rows)
		w.tell("", replies())
		w.tell("ada", withdrawn("ads"))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() {
			done <- (&followup.Process{Ledger: s, Rows: rows, Every: 1, Log: slog.New(slog.DiscardHandler)}).Run(ctx)
		}()
		synctest.Wait()
		s.stuck.Store(true)
		until(w, "2000-01-10T00:00:00Z") // a day is over, 15 are not
		w.warned()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}

		w.spare = append(w.spare, rows)
		_, stop := w.react()
		synctest.Wait()
		w.warned("obligation.at_risk 2000-01-10 00:00:00", "obligation.overdue 2000-01-10 00:00:00")
		until(w, "2000-03-01T00:00:00Z")
		if n := len(warnings(w)); n != 4 {
			t.Errorf("%d warnings, want 4", n)
		}
		stop()
		once(w)
	})
}

// A row of the shelf that is damaged is said, and made anew from the checkpoint.
func TestADamagedRowIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.tell("", replies())
		w.tell("ada", withdrawn("ads"))
		w.runs(&w.rows)
		for row, err := range w.rows.Scan(t.Context(), []byte(followup.OpenRows)) {
			if err != nil {
				t.Fatal(err)
			}
			w.put(string(row.Key), []byte{0xff})
		}
		w.tell("ada", noted("withdrawal.confirmed", "channel", "app"))
		w.runs(&w.rows)
		if !bytes.Contains(w.log.Bytes(), []byte("what is owed in")) {
			t.Errorf("nothing was said of it: %s", w.log.String())
		}
		w.expect("reply.d15 met, stop.h24 open")
		w.recalls(&w.rows)
	})
}

func TestRowsOfTimeAreInTheOrderOfTime(t *testing.T) {
	times := []deadline.Instant{-1 << 62, -1, 0, 1, 1 << 40, 1 << 62}
	for i := range times[1:] {
		if a, b := followup.TimeKey(times[i], true), followup.TimeKey(times[i+1], false); bytes.Compare(a, b) >= 0 {
			t.Errorf("%d is not before %d", times[i], times[i+1])
		}
	}
	if bytes.Compare(followup.TimeKey(7, false), followup.TimeKey(7, true)) >= 0 {
		t.Error("at one time at risk does not come before late")
	}
}
