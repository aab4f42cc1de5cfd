package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A world is a ledger with obligations, and a NATS server.
type world struct {
	*ledger.Ledger
	t     *testing.T
	store memory.Store
	vault *vault.Vault
	dir   string
	nats  *server.Server
	n     atomic.Int64

	reader *nats.Conn
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	var err error
	if w.vault, err = vault.Open(t.Context(), new(memory.Rows), vault.NewMemoryKeys()); err != nil {
		t.Fatal(err)
	}
	w.Ledger = w.open()
	register := domain.RegisterApp{App: domain.App{Name: "demo", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}}
	if _, err := w.Execute(t.Context(), ledger.Request{App: "demo", Source: "test", ID: "app", Body: []byte("x"), Actor: "operator", RecordedBy: "test", Command: register}); err != nil {
		t.Fatal(err)
	}
	w.serve()
	return w
}

// open opens the ledger as another process would.
func (w *world) open() *ledger.Ledger {
	w.t.Helper()
	l, err := ledger.Open(w.t.Context(), ledger.Config{Store: &w.store, Vault: w.vault, Now: func() deadline.Instant { return deadline.At(time.Now()) }, Shared: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) serve() {
	w.t.Helper()
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: w.dir, NoSigs: true, NoLog: true})
	if err != nil {
		w.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		w.t.Fatal("the NATS server is not ready")
	}
	w.t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	w.nats = s
}

func (w *world) connect() *nats.Conn {
	w.t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(w.nats))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	return nc
}

// tell starts a process that tells, and returns how to stop it.
func (w *world) tell() (o *Outbox, stop func()) {
	o = &Outbox{Conn: w.connect(), Ledger: w.open(), Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	workers.Go(func() {
		if err := o.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	workers.Go(func() {
		if err := o.Watch(ctx); err != nil {
			w.t.Error(err)
		}
	})
	stop = func() { cancel(); workers.Wait() }
	w.t.Cleanup(stop)
	return o, stop
}

// owe lets something be owed to somebody and go wrong: three facts.
func (w *world) owe() {
	w.t.Helper()
	n := w.n.Add(1)
	cause := ident.EventID{byte(n), byte(n >> 8), 1}
	stream := ident.ObligationStream("demo", fmt.Sprintf("%x", cause))
	rule := deadline.Rule{ID: "d15", Source: "1", Unit: deadline.UnitCalendarDay, Length: 15, TimeZone: "Asia/Shanghai", ClockStart: "Withdrawn"}
	do := func(cmd domain.Command) {
		req := ledger.Request{Source: "react", ID: fmt.Sprintf("%s %+v", stream, cmd), Body: []byte("x"), Actor: "system", RecordedBy: "react", Command: cmd}
		if _, err := w.ExecuteOn(w.t.Context(), stream, req); err != nil {
			w.t.Error(err)
		}
	}
	do(domain.OpenDuties{Cause: obligation.Cause{Event: cause, Kind: "consent.withdrawn", Stream: "subject-demo-00ff", Subject: "00ff"},
		Rule: policy.DutyRule{ID: "reply", Kind: policy.DutyReply}, Start: 1767225600000, Rules: []deadline.Rule{rule}}) // 2026
	duties, err := w.Duties(w.t.Context(), stream)
	if err != nil || len(duties.All()) == 0 {
		w.t.Error(duties, err)
		return
	}
	d := duties.All()[0]
	do(domain.WarnObligation{ID: d.ID, Until: d.Due.Until, Overdue: true})
	do(domain.MeetObligation{ID: d.ID})
}

// told returns what the stream holds, in order.
func (w *world) told() []wire.Outgoing {
	w.t.Helper()
	if w.reader == nil || !w.reader.IsConnected() {
		w.reader = w.connect()
	}
	js, err := jetstream.New(w.reader)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := js.Stream(w.t.Context(), Stream)
	if err != nil {
		return nil
	}
	var all []wire.Outgoing
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(w.t.Context(), seq)
		if err != nil {
			w.t.Fatal(err)
		}
		var out wire.Outgoing
		if err := json.Unmarshal(m.Data, &out); err != nil || m.Subject != "consent.v1.demo.out."+out.Type {
			w.t.Fatal(m.Subject, err)
		}
		all = append(all, out)
	}
	return all
}

func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("never: %s", what)
		}
	}
}

// check compares what was told with the log.
func (w *world) check() {
	w.t.Helper()
	var want, got []string
	for e, err := range w.Replay(w.t.Context(), 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		for _, part := range wire.Told(e) {
			id := e.ID.String()
			if len(e.Owing) > 0 {
				id += "/" + strconv.Itoa(int(part.Revision))
			}
			want = append(want, id+" "+part.Kind())
		}
	}
	for _, out := range w.told() {
		got = append(got, out.ID+" "+out.Type)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("%d told, %d in the log:\n%s\n%s", len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatIsTold(t *testing.T) {
	w := newWorld(t)
	w.owe()
	w.tell()
	w.until("three are told", func() bool { return len(w.told()) == 3 })
	overdue := w.told()[1]
	var cause [16]byte
	cause[0], cause[2] = 1, 1
	want := wire.OutgoingData{
		App: "demo", Obligation: "reply.d15", Kind: "reply", Rule: "d15", Due: "2026-01-16", Until: "2026-01-16T16:00:00.000Z",
		Pseudonym: "00ff", Cause: "consent.withdrawn", CauseEvent: "01000100-0000-0000-0000-000000000000", Position: overdue.Data.Position,
	}
	if overdue.Type != "obligation.overdue" || overdue.Data != want || overdue.Subject != "obligation-demo-01000100000000000000000000000000" {
		t.Errorf("%+v", overdue)
	}
	if met := w.told()[2].Data; !met.Late || met.Met == "" || met.Due != "2026-01-16" {
		t.Errorf("%+v", met)
	}
}

func TestSeveralProcessesTellEverythingOnceInOrder(t *testing.T) {
	w := newWorld(t)
	const each, writers = 20, 3
	_, stop := w.tell()
	w.tell()
	var workers sync.WaitGroup
	for range writers {
		workers.Go(func() {
			for range each {
				w.owe()
			}
		})
	}
	w.until("some are told", func() bool { return len(w.told()) > 10 })
	stop() // in the middle
	w.tell()
	workers.Wait()
	w.until("all are told", func() bool { return len(w.told()) >= 3*each*writers })
	w.check()
	if w.tell(); true { // and again after a restart
		w.owe()
		w.until("what came last is told", func() bool { return len(w.told()) >= 3*each*writers+3 })
		w.check()
	}
}

func TestWhatHappenedWhileNATSWasAwayIsToldAfterwards(t *testing.T) {
	w := newWorld(t)
	_, stop := w.tell()
	w.owe()
	w.until("three are told", func() bool { return len(w.told()) == 3 })
	w.nats.Shutdown()
	w.nats.WaitForShutdown()
	w.owe()
	stop()
	w.serve()
	o, _ := w.tell()
	w.until("all are told", func() bool { return len(w.told()) == 6 })
	w.check()
	w.until("it says so", func() bool { at, err := o.State(); return at != 0 && err == nil })
}

// TestWhatTheServerForgetsInACrashIsToldAgain: the stream is not synced, what a
// consumer has had of it may be.
func TestWhatTheServerForgetsInACrashIsToldAgain(t *testing.T) {
	w := newWorld(t)
	stream := filepath.Join(w.dir, "jetstream", "$G", "streams", Stream)
	messages, early := filepath.Join(stream, "msgs"), t.TempDir()
	tell := func(told int) {
		t.Helper()
		_, stop := w.tell()
		w.owe()
		w.until("all are told", func() bool { return len(w.told()) == told })
		stop()
	}
	next := func(n int) (ids []string) {
		t.Helper()
		js, err := jetstream.New(w.connect(), jetstream.WithDefaultTimeout(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		c, err := js.CreateOrUpdateConsumer(t.Context(), Stream, jetstream.ConsumerConfig{Durable: "app", AckPolicy: jetstream.AckExplicitPolicy})
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			m, err := c.Next(jetstream.FetchMaxWait(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if err := m.DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
			var out wire.Outgoing
			if err := json.Unmarshal(m.Data(), &out); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, out.ID)
		}
		return ids
	}
	down := func() {
		w.nats.Shutdown()
		w.nats.WaitForShutdown()
	}

	tell(3)
	down()
	if err := os.CopyFS(early, os.DirFS(messages)); err != nil {
		t.Fatal(err)
	}
	w.serve()
	tell(6)
	before := w.told()
	next(6)
	down()
	if err := errors.Join(os.RemoveAll(messages), os.CopyFS(messages, os.DirFS(early))); err != nil {
		t.Fatal(err)
	}
	w.serve()
	if n := len(w.told()); n != 3 {
		t.Fatalf("%d are there after the crash, want 3", n)
	}
	tell(9)
	w.check()
	if again := w.told()[:6]; !reflect.DeepEqual(again, before) {
		t.Errorf("told again:\n%+v\nbefore:\n%+v", again, before)
	}
	var heard, want []string
	for _, out := range w.told()[6:] {
		want = append(want, out.ID)
	}
	for len(heard) == 0 || heard[len(heard)-1] != want[2] {
		heard = append(heard, next(1)...)
	}
	if len(heard) < 3 || !slices.Equal(heard[len(heard)-3:], want) {
		t.Errorf("a consumer that had six hears %v, want at least %v", heard, want)
	}
}

func TestAStreamThatIsNotThisLedgersIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		config jetstream.StreamConfig
		header string
		want   string
	}{
		"it listens elsewhere":     {jetstream.StreamConfig{Name: Stream, Subjects: []string{"consent.v1.demo.out.>"}}, "", "subjects is"},
		"it removes what was read": {jetstream.StreamConfig{Name: Stream, Subjects: []string{subjects}, Retention: jetstream.InterestPolicy}, "", "retention is"},
		"of another ledger":        {config, "99999", "of another ledger"},
		"somebody else publishing": {config, "soon", "says no position"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			js, err := jetstream.New(w.connect(), jetstream.WithDefaultTimeout(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := js.CreateStream(t.Context(), tt.config); err != nil {
				t.Fatal(err)
			}
			if tt.header != "" {
				if _, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: "consent.v1.demo.out.x", Header: nats.Header{positionHeader: {tt.header}}}); err != nil {
					t.Fatal(err)
				}
			}
			o, _ := w.tell()
			w.until("it says why", func() bool { _, err := o.State(); return err != nil && strings.Contains(err.Error(), tt.want) })
		})
	}
}

// TestALedgerThatWasRestoredFromBefore and has grown since does not go on behind what it
// does not know: what it recorded up to there would be told to nobody.
func TestALedgerThatWasRestoredFromBefore(t *testing.T) {
	for _, topic := range []Topic{Obligations, Consents} {
		t.Run(topic.stream(), func(t *testing.T) {
			before, restored := newWorld(t), newWorld(t)
			restored.n.Add(100)
			stop := before.tellBoth(new(memory.Rows))
			before.owe()
			before.say("ada", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
			before.until("it is told", func() bool { return len(before.told()) >= 3 && len(before.changes()) == 1 })
			stop()

			head, err := before.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			restored.until("it has grown", func() bool {
				restored.owe()
				at, err := restored.Head(t.Context())
				return err == nil && at > head
			})
			o := &Outbox{
				Conn: before.connect(), Ledger: restored.open(), Topic: topic, Rows: new(memory.Rows), Apart: true, Log: slog.New(slog.DiscardHandler),
			}
			if topic == Consents {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				row := o.row(changesRow{V: 1}) // as the backup has it
				if err := o.Rows.Write(ctx, eventstore.Change{Put: []eventstore.Row{row}}); err != nil {
					t.Fatal(err)
				}
			}
			js, err := jetstream.New(o.Conn, jetstream.WithDefaultTimeout(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := o.publish(ctx, js); err == nil || !strings.Contains(err.Error(), "restored from before") {
				t.Errorf("it goes on: %v", err)
			}
		})
	}
}

// What somebody changes while the ledger runs is put right, or named.
func TestASettingOfTheStreamThatIsChangedIsPutRight(t *testing.T) {
	w := newWorld(t)
	o, _ := w.tell()
	w.owe()
	w.until("three are told", func() bool { return len(w.told()) == 3 })
	js, err := jetstream.New(w.connect(), jetstream.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	change := func(change func(*jetstream.StreamConfig)) {
		t.Helper()
		s, err := js.Stream(t.Context(), Stream)
		if err != nil {
			t.Fatal(err)
		}
		c := s.CachedInfo().Config
		if change(&c); true {
			_, err = js.UpdateStream(t.Context(), c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	right := func() bool {
		s, err := js.Stream(t.Context(), Stream)
		if err != nil {
			return false
		}
		c := s.CachedInfo().Config
		return c.MaxMsgs >= 1_000_000 && c.MaxBytes <= 0 && c.MaxAge == 0 && c.Discard == jetstream.DiscardOld && c.MaxMsgSize <= 0 && c.MaxMsgsPerSubject <= 0 && !c.NoAck
	}
	for name, wrong := range map[string]func(*jetstream.StreamConfig){
		"max_msgs":             func(c *jetstream.StreamConfig) { c.MaxMsgs = 1_000 },
		"max_bytes":            func(c *jetstream.StreamConfig) { c.MaxBytes = 1<<30 - 1 },
		"max_age":              func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"discard":              func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardNew },
		"max_msg_size":         func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1 },
		"max_msgs_per_subject": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1_000 },
		"no_ack":               func(c *jetstream.StreamConfig) { c.NoAck = true },
	} {
		change(wrong)
		w.until(name+" is put right", right)
	}
	change(func(c *jetstream.StreamConfig) { c.MaxMsgs, c.MaxBytes = 5_000_000, 1<<30 }) // the administrator's to say

	change(func(c *jetstream.StreamConfig) { c.Subjects = []string{"elsewhere.>"} })
	w.until("it names the setting", func() bool {
		_, err := o.State()
		return err != nil && strings.Contains(err.Error(), "subjects is elsewhere.>")
	})
	change(func(c *jetstream.StreamConfig) { c.Subjects = []string{subjects} })
	w.until("it is well again", func() bool { _, err := o.State(); return err == nil })
	if s, err := js.Stream(t.Context(), Stream); err != nil || s.CachedInfo().Config.MaxMsgs != 5_000_000 || s.CachedInfo().Config.MaxBytes != 1<<30 {
		t.Errorf("what was the administrator's to say is changed: %v", err)
	}

	if err := js.DeleteStream(t.Context(), Stream); err != nil {
		t.Fatal(err)
	}
	w.until("all is told again", func() bool {
		s, err := js.Stream(t.Context(), Stream)
		return err == nil && s.CachedInfo().State.Msgs == 3
	})
	w.check()
}
