package intake

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/memory"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// rememberingServer is one whose ledger remembers what it saw of the streams.
func rememberingServer(t *testing.T) rejectedServer {
	h := idleServer(t)
	h.config.Rows = new(memory.Rows)
	h.config.Apps = func() []ident.AppName { return []ident.AppName{"smartkey"} }
	return rejectedServer{h, &Rejections{Config: h.config}}
}

// told returns what the log says of losses, one line each.
func (h *testServer) told() (lines []string) {
	h.t.Helper()
	for e, err := range h.ledger.Replay(h.t.Context(), 0) {
		if err != nil {
			h.t.Fatal(err)
		}
		if n, is := e.Event.(domain.Noted); is && e.Kind() == string(catalog.MessagesLost) {
			lines = append(lines, words(e, n))
		}
	}
	return lines
}

func words(e codec.Entry, n domain.Noted) string {
	text := string(e.Stream.App)
	for _, f := range n.Fields {
		text += " " + f.Name + "=" + f.Value
	}
	return text
}

func (h *testServer) losses() string {
	if err := h.config.Watch.Trouble(Losses); err != nil {
		return err.Error()
	}
	return ""
}

// withdraw publishes withdrawals that are acknowledged.
func (h *testServer) withdraw(from, to int) {
	h.t.Helper()
	for i := from; i <= to; i++ {
		h.publish("consent.withdrawn", event(fmt.Sprint(i), "consent.withdrawn", fmt.Sprint("person-", i), `{"all":true}`))
	}
}

// withdrawn returns how many withdrawals were taken.
func (h *testServer) withdrawn() (n int) {
	for _, id := range h.faulty.taken() {
		if !strings.HasPrefix(id, "lost-") {
			n++
		}
	}
	return n
}

// remove takes messages out of the stream, as a damaged block does.
func (h *testServer) remove(seqs ...uint64) {
	h.t.Helper()
	s, err := h.js.Stream(h.t.Context(), InStream)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, seq := range seqs {
		if err := s.DeleteMsg(h.t.Context(), seq); err != nil {
			h.t.Fatal(err)
		}
	}
}

// loose makes the stream one of which a test may take messages away.
func (d rejectedServer) loose() {
	d.t.Helper()
	d.makeStream(ourStream(func(c *jetstream.StreamConfig) { c.DenyDelete = false }))
}

func TestMessagesThatAreGoneFromTheStreamAreTold(t *testing.T) {
	for _, c := range []struct {
		name  string
		lose  func(d rejectedServer)
		taken int // of ten that were acknowledged while the ledger was away, and one after them
		red   string
		log   string
	}{
		{"none is gone", func(rejectedServer) {}, 11, "", ""},
		{"the first three are gone", func(d rejectedServer) { d.remove(1, 2, 3) }, 8,
			"messages 1 to 3 were acknowledged and are gone", "smartkey count=3 first=1 how=gap last=3 stream=incoming"},
		{"some in the midst are gone", func(d rejectedServer) { d.remove(4, 5, 7) }, 8,
			"messages 4 to 5 were acknowledged and are gone", "smartkey count=2 first=4 how=gap last=5 stream=incoming; smartkey count=1 first=7 how=gap last=7 stream=incoming"},
		{"the last are gone", func(d rejectedServer) { d.remove(9, 10) }, 9,
			"messages 9 to 10 were acknowledged and are gone", "smartkey count=2 first=9 how=gap last=10 stream=incoming"},
		{"all are gone", func(d rejectedServer) { d.remove(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) }, 1,
			"messages 1 to 10 were acknowledged and are gone", "smartkey count=10 first=1 how=gap last=10 stream=incoming"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := rememberingServer(t)
			d.loose()
			// The ledger has met the stream, and was away since.
			m, err := remember(t.Context(), d.config.Rows)
			if err != nil {
				t.Fatal(err)
			}
			if err := newWitness(d.config, d.js, m).settleFor(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.withdraw(1, 10)
			c.lose(d)
			defer d.start()()
			d.withdraw(11, 11)
			d.until("what is there is taken", func() bool { return d.withdrawn() == c.taken })
			d.until("health says so", func() bool { return strings.Contains(d.losses(), c.red) && (d.losses() == "") == (c.red == "") })
			d.until("the log says so", func() bool { return strings.Join(d.told(), "; ") == c.log })

			// It is red until somebody looked at it, and for that it is listed.
			n := 0
			for _, m := range d.list() {
				if m.Code != LostMessages || m.App != invalidApp || !m.MayBeOptOut || !strings.HasPrefix(m.Path, InStream+" ") {
					t.Errorf("%+v", m)
				}
				n++
				if err := d.MarkSeen(t.Context(), m.Seq, "the app sends again"); err != nil {
					t.Error(err)
				}
			}
			if want := len(d.told()); n != want {
				t.Errorf("%d losses are listed, want %d", n, want)
			}
			d.until("health is green", func() bool { return d.losses() == "" && d.unseen() == 0 })
		})
	}
}

// settleFor makes the stream known, and nothing else.
func (w *witness) settleFor(ctx context.Context) error {
	_, rejected, kv := wanted()
	for _, b := range kv {
		if err := makeBucket(ctx, w.Config, w.js, b); err != nil {
			return err
		}
	}
	if err := makeStream(ctx, w.Config, w.js, rejected); err != nil {
		return err
	}
	return w.meet(ctx)
}

// A ledger that stops and starts, and is handed messages anew, loses nothing and
// says so.
func TestWhatIsHandedOutLaterIsNotLost(t *testing.T) {
	d := rememberingServer(t)
	stop := d.start()
	d.faulty.breakFor("3")
	d.withdraw(1, 6)
	d.until("five are taken", func() bool { return len(d.faulty.taken()) == 5 })
	stop() // the third goes back to the server
	d.faulty.breakFor("")
	d.withdraw(7, 9)
	stop = d.start()
	d.until("all are taken", func() bool { return len(d.faulty.taken()) == 9 })
	d.until("nothing waits", func() bool { return bodies(t, d.js, InStream) == "" })
	stop()
	defer d.start()()
	if d.losses() != "" || len(d.told()) > 0 || len(d.list()) > 0 {
		t.Errorf("%s; %v; %v", d.losses(), d.told(), d.list())
	}
}

// A brokenServer is a server whose directory can be taken away.
type brokenServer struct {
	t      *testing.T
	dir    string
	server *server.Server
	port   int
}

func (b *brokenServer) start() {
	b.t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: b.port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: b.dir, SyncAlways: true})
	if err != nil {
		b.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		b.t.Fatal("the server does not start")
	}
	b.server = s
}

func (b *brokenServer) stop() { b.server.Shutdown(); b.server.WaitForShutdown() }

func TestAStreamThatIsAnotherOneOrWentBackIsTold(t *testing.T) {
	for _, c := range []struct {
		name   string
		unseen bool                  // a rejected withdrawal was waiting for somebody
		lose   func(b *brokenServer) // while everything is stopped
		red    []string
		log    []string
	}{
		{"the directory is gone", true, func(b *brokenServer) {
			if err := os.RemoveAll(b.dir); err != nil {
				b.t.Fatal(err)
			}
		}, []string{
			"stream CONSENT_IN is another one than was known: messages 6 to 7 were acknowledged and are gone",
			"stream CONSENT_REJECTED has lost some: message 1 was acknowledged and is gone",
		}, []string{"smartkey count=2 first=6 how=made-anew last=7 stream=incoming", "smartkey count=1 first=1 how=gap last=1 stream=rejected"}},
		{"an older copy of the directory is put back", false, func(b *brokenServer) {
			if err := os.RemoveAll(b.dir); err != nil {
				b.t.Fatal(err)
			}
			if err := os.CopyFS(b.dir, os.DirFS(b.dir+".old")); err != nil {
				b.t.Fatal(err)
			}
		}, []string{"stream CONSENT_IN went back: messages 6 to 7 were acknowledged and are gone"},
			[]string{"smartkey count=2 first=6 how=went-back last=7 stream=incoming"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &brokenServer{t: t, dir: t.TempDir() + "/nats", port: -1}
			b.start()
			defer func() { b.stop() }()
			d := rememberingServer(t)
			d.reach(b)
			stop := d.start()
			d.withdraw(1, 4)
			if c.unseen {
				d.publish("what", []byte("no"))
			} else {
				d.withdraw(5, 5)
			}
			d.until("what was sent is taken", func() bool { return bodies(t, d.js, InStream) == "" })
			stop()
			b.stop()
			if err := os.CopyFS(b.dir+".old", os.DirFS(b.dir)); err != nil {
				t.Fatal(err)
			}
			b.start()
			d.reach(b)

			// Two that the ledger saw, and could not take.
			stop = d.start()
			d.faulty.breakFor("6")
			d.withdraw(6, 6)
			d.publish("consent.withdrawn", event("6", "consent.withdrawn", "person-6", `{"all":true}`))
			d.until("the ledger has seen them", func() bool { return !strings.Contains(bodies(t, d.js, InStream), "person-1") && d.sees(7) })
			stop()
			b.stop()
			c.lose(b)
			b.start()
			d.reach(b)
			d.faulty.breakFor("")
			stop = d.start()
			defer func() { stop() }()
			d.until("health says so", func() bool {
				for _, want := range c.red {
					if !strings.Contains(d.losses(), want) {
						return false
					}
				}
				return true
			})
			d.until("the log says so", func() bool { return strings.Join(d.told(), "; ") == strings.Join(c.log, "; ") })
			d.withdraw(8, 8)
			d.until("what comes now is taken", func() bool { return bodies(t, d.js, InStream) == "" })

			// A restart tells nothing twice.
			stop()
			stop = d.start()
			if got := len(d.told()); got != len(c.log) || d.losses() == "" {
				t.Errorf("after a restart: %v; %s", d.told(), d.losses())
			}
			d.Rejections = &Rejections{Config: d.config}
			for _, m := range d.list() {
				if err := d.MarkSeen(t.Context(), m.Seq, "the apps send again"); err != nil {
					t.Error(err)
				}
			}
			d.until("health is green", func() bool { return d.losses() == "" && d.unseen() == 0 })
		})
	}
}

// A block of the stream is damaged while messages wait that the ledger had been
// handed and could not take: each is recorded, or told to be lost.
func TestADamagedBlockIsTold(t *testing.T) {
	const n = 114
	for name, damage := range map[string]func(block []byte) []byte{
		"the second half is gone": func(block []byte) []byte { return block[:len(block)/2] },
		"zeros in the midst":      func(block []byte) []byte { clear(block[len(block)/2 : len(block)/2+500]); return block },
		"one bit is another":      func(block []byte) []byte { block[len(block)/2] ^= 1; return block },
		"nothing is left":         func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			b := &brokenServer{t: t, dir: t.TempDir() + "/nats", port: -1}
			b.start()
			defer func() { b.stop() }()
			d := rememberingServer(t)
			d.reach(b)
			stop := d.start()
			d.faulty.breakFor("1")
			for i := range n { // one person's, and the first holds back the others
				d.publish("consent.withdrawn", event(fmt.Sprint(1+i), "consent.withdrawn", "person-1", `{"all":true}`))
			}
			d.until("the ledger has seen them", func() bool { return d.sees(n) })
			stop()
			b.stop()
			blocks, err := filepath.Glob(b.dir + "/jetstream/*/streams/" + InStream + "/msgs/*.blk")
			if err != nil || len(blocks) != 1 {
				t.Fatal(blocks, err)
			}
			block, err := os.ReadFile(blocks[0])
			if err == nil {
				err = os.WriteFile(blocks[0], damage(block), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}

			b.start()
			d.reach(b)
			d.faulty.breakFor("")
			defer d.start()()
			d.until("each is recorded, or told to be lost", func() bool { return d.withdrawn()+d.lost() == n })
			if d.lost() == 0 || d.losses() == "" {
				t.Errorf("%d were recorded, %d are told to be lost: %s", d.withdrawn(), d.lost(), d.losses())
			}
		})
	}
}

// lost adds up what the log says.
func (d rejectedServer) lost() (n int) {
	for _, line := range d.told() {
		_, count, _ := strings.Cut(line, "count=")
		count, _, _ = strings.Cut(count, " ")
		k, err := strconv.Atoi(count)
		if err != nil {
			d.t.Fatal(line)
		}
		n += k
	}
	return n
}

// sees reports whether the ledger's store knows that a message was seen.
func (d rejectedServer) sees(seq uint64) bool {
	m, err := remember(d.t.Context(), d.config.Rows)
	if err != nil {
		d.t.Fatal(err)
	}
	return m.now.Last >= seq
}

// reach connects to a server anew.
func (d rejectedServer) reach(b *brokenServer) {
	d.t.Helper()
	nc, err := nats.Connect(b.server.ClientURL(), nats.Timeout(time.Minute))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(nc.Close)
	d.testServer.nc, d.config.Conn = nc, nc
	d.js, _ = jetstream.New(nc, jetstream.WithDefaultTimeout(time.Minute))
	d.Rejections.Config.Conn = nc
}

func TestAPersonUnderstandsWhatWasLost(t *testing.T) {
	for _, c := range []struct {
		loss       loss
		span, text string
	}{
		{loss{Stream: InStream, How: leftGap, First: 387, Last: 500, Count: 114}, "CONSENT_IN 387-500", "stream CONSENT_IN has lost some: messages 387 to 500 were acknowledged and are gone"},
		{loss{Stream: InStream, How: leftGap, First: 7, Last: 7, Count: 1}, "CONSENT_IN 7", "stream CONSENT_IN has lost some: message 7 was acknowledged and is gone"},
		{loss{Stream: InStream, How: wentBack, First: 7, Last: 20, Count: 3}, "CONSENT_IN 7-20", "stream CONSENT_IN went back: 3 of the messages 7 to 20 were acknowledged and are gone"},
		{loss{Stream: InStream, How: madeAnew, First: 8, Last: 7}, "CONSENT_IN after 7", "stream CONSENT_IN is another one than was known: what it acknowledged after message 7, if anything, is gone; all that was known of was taken"},
	} {
		if got := c.loss.span(); got != c.span {
			t.Errorf("%q, want %q", got, c.span)
		}
		if got := c.loss.String(); got != c.text {
			t.Errorf("%q, want %q", got, c.text)
		}
	}
}
