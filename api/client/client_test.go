package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/wire"
)

const purpose = "personalisation"

func agree(subject string) Event {
	return Event{Type: "consent.given", Subject: subject, Data: map[string]any{"act": "agree-popup"}}
}

func withdraw(subject string) Event {
	return Event{Type: "consent.withdrawn", Subject: subject, Data: map[string]any{"purposes": []string{purpose}}}
}

func about(subject string) Question { return Question{Subject: subject, Purpose: purpose} }

func TestWhatIsRecordedIsAnswered(t *testing.T) {
	s := serve(t)
	transports := map[string]Transport{"HTTP": HTTP(s.http.URL + "/"), "NATS": NATS(s.overNATS())}
	for name, transport := range transports {
		t.Run(name, func(t *testing.T) {
			c := s.open(func(c *Config) { c.Transport = transport })
			ann := "account:ann-" + name

			e := agree(ann)
			e.ID, e.Sequence = "e1-"+name, 7
			e.Time = time.Now().Add(-time.Minute)
			first, err := c.Record(t.Context(), e)
			if err != nil || first.EventID == "" || first.Counts == "" || first.Subject != ann {
				t.Fatalf("%+v, %v", first, err)
			}
			if again, err := c.Record(t.Context(), e); err != nil || again != first {
				t.Errorf("sent again: %+v, %v; want %+v", again, err, first)
			}

			a, err := c.Check(t.Context(), about(ann))
			if err != nil || !a.Allowed || a.Status != "given" || !slices.Contains(a.Events, first.EventID) || !slices.Equal(a.Sequences, []uint64{7}) {
				t.Errorf("%+v, %v", a, err)
			}
			if _, err := c.Record(t.Context(), withdraw(ann)); err != nil {
				t.Fatal(err)
			}
			if a, err := c.Check(t.Context(), about(ann)); err != nil || a.Allowed || a.Status != "withdrawn" {
				t.Errorf("%+v, %v", a, err)
			}

			p, err := c.Prompt(t.Context(), "account:new-"+name, "en")
			if err != nil || len(p.Items) == 0 || p.Items[0].Text.Hash == "" {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}

// What the ledger refuses is said in its words, at once, by either transport.
func TestARefusalIsFinal(t *testing.T) {
	s := serve(t)
	transports := map[string]Transport{"HTTP": HTTP(s.http.URL), "NATS": NATS(s.overNATS())}
	for name, transport := range transports {
		c := s.open(func(c *Config) { c.Transport = transport })
		e := agree("account:ann")
		e.Data = map[string]any{"act": "no-such-act"}
		_, err := c.Record(t.Context(), e)
		if r, is := errors.AsType[*Refusal](err); !is || r.Status != 422 || r.Code != "unknown-act" || r.Detail == "" {
			t.Errorf("%s: %v", name, err)
		}
		_, err = c.Check(t.Context(), Question{Subject: "planet:mars", Purpose: purpose})
		if r, is := errors.AsType[*Refusal](err); !is || r.Code != "malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAnswerThatIsLostIsAskedForAgain(t *testing.T) {
	s := serve(t)
	c := s.open(nil)
	s.deaf.Store(3)
	r, err := c.Record(t.Context(), agree("account:ann"))
	if err != nil || r.EventID == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := s.recorded("account:ann"); !slices.Equal(got, []string{"consent.given"}) {
		t.Errorf("recorded %q, want one grant", got)
	}
	if asked := s.asked.Load(); asked != 4 {
		t.Errorf("asked %d times, want 4", asked)
	}
}

func TestWhatIsNotKnownIsSaidToBeUnknown(t *testing.T) {
	s := serve(t)
	c := s.open(nil)
	s.down.Store(true)
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := c.Record(short, agree("account:ann"))
	u, is := errors.AsType[*Unknown](err)
	if !is || u.ID == "" || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if strings.Contains(err.Error(), s.http.URL) || strings.Contains(err.Error(), "ann") {
		t.Errorf("the error repeats what was sent: %v", err)
	}
	if a, err := c.Check(t.Context(), about("account:ann")); err == nil || a.Allowed || a.Status != "unknown" {
		t.Errorf("%+v, %v", a, err)
	}

	s.down.Store(false)
	e := agree("account:ann")
	e.ID = u.ID
	if _, err := c.Record(t.Context(), e); err != nil {
		t.Error(err)
	}
}

// What is kept while the ledger is away is there after a restart, and is sent in the order of
// each person when the ledger is back. Until then an opt-out counts here.
func TestTheQueueOutlivesTheProcess(t *testing.T) {
	s := serve(t)
	dir := t.TempDir()
	config := func(c *Config) { c.Queue = dir }
	c := s.open(config)
	for _, who := range []string{"account:ann", "account:bo"} {
		if _, err := c.Record(t.Context(), agree(who)); err != nil {
			t.Fatal(err)
		}
	}

	s.down.Store(true)
	kept := []Event{withdraw("account:ann"), agree("account:cy"), withdraw("account:cy"), agree("account:cy")}
	for _, e := range kept {
		if err := c.Keep(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	c = s.open(config)
	defer c.Close()
	if n := c.Waiting(); n != len(kept) {
		t.Fatalf("%d wait, want %d", n, len(kept))
	}
	s.down.Store(false)
	if a := c.Allowed(t.Context(), about("account:ann")); a.Allowed || a.Why != "said-here" {
		t.Errorf("before the ledger has the opt-out: %+v", a)
	}
	if a := c.Allowed(t.Context(), about("account:bo")); !a.Allowed {
		t.Errorf("another person: %+v", a)
	}

	run(t, c)
	if got, want := s.recorded("account:cy"), []string{"consent.given", "consent.withdrawn", "consent.given"}; !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
	if a := c.Allowed(t.Context(), about("account:ann")); a.Allowed || a.Status != "withdrawn" || a.Why == "said-here" {
		t.Errorf("after the ledger has it: %+v", a)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.json")); len(left) > 0 {
		t.Errorf("left on disk: %q", left)
	}
}

// run sends what is kept, until nothing waits.
func run(t *testing.T, c *Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	for c.Waiting() > 0 && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	if n := c.Waiting(); n > 0 {
		t.Errorf("%d wait still", n)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWhatIsRefusedFromTheQueueIsKeptApart(t *testing.T) {
	s := serve(t)
	dir := t.TempDir()
	var refused []string
	c := s.open(func(c *Config) {
		c.Queue = dir
		c.Refused = func(e Event, why *Refusal) { refused = append(refused, e.ID+" "+why.Code) }
	})
	defer c.Close()
	bad := agree("account:ann")
	bad.ID, bad.Data = "bad", map[string]any{"act": "no-such-act"}
	for _, e := range []Event{bad, agree("account:ann")} {
		if err := c.Keep(e); err != nil {
			t.Fatal(err)
		}
	}
	run(t, c)

	if !slices.Equal(refused, []string{"bad unknown-act"}) {
		t.Errorf("told of %q", refused)
	}
	if got := s.recorded("account:ann"); !slices.Equal(got, []string{"consent.given"}) {
		t.Errorf("recorded %q", got)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "refused", "*.json"))
	if len(files) != 1 {
		t.Fatalf("kept apart: %q", files)
	}
	var apart struct {
		Event   cloudEvent
		Refusal Refusal
	}
	text, err := os.ReadFile(files[0])
	if err == nil {
		err = json.Unmarshal(text, &apart)
	}
	if err != nil || apart.Event.ID != "bad" || apart.Refusal.Code != "unknown-act" {
		t.Errorf("%s, %v", text, err)
	}
}

// A key that ended, or lost its role or its app, makes no event wrong: another may do it.
func TestWhatIsRefusedOfTheSenderWaits(t *testing.T) {
	s := serve(t)
	for _, refusal := range []Refusal{
		{Status: 401, Code: "unauthenticated"}, {Status: 403, Code: "forbidden"}, {Status: 403, Code: "unmapped"},
		{Status: 404, Code: "unknown-app"},
	} {
		t.Run(refusal.Code, func(t *testing.T) {
			t.Parallel()
			var open atomic.Bool
			asked := make(chan struct{}, 100)
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if open.Load() {
					s.handler.ServeHTTP(w, r)
					return
				}
				w.WriteHeader(refusal.Status)
				if err := json.NewEncoder(w).Encode(refusal); err != nil {
					t.Error(err)
				}
				asked <- struct{}{}
			}))
			defer front.Close()
			c := s.open(func(c *Config) {
				c.Transport, c.Queue = HTTP(front.URL), t.TempDir()
				c.Refused = func(_ Event, why *Refusal) { t.Errorf("told of %s", why.Code) }
			})
			defer c.Close()
			subject := "account:" + refusal.Code
			if err := c.Keep(withdraw(subject)); err != nil {
				t.Fatal(err)
			}
			running := make(chan struct{})
			go func() {
				defer close(running)
				run(t, c)
			}()

			<-asked
			if a := c.Allowed(t.Context(), about(subject)); a.Why != "said-here" {
				t.Errorf("while it waits: %+v", a)
			}
			open.Store(true)
			<-running
			if got := s.recorded(subject); !slices.Equal(got, []string{"consent.withdrawn"}) {
				t.Errorf("recorded %q", got)
			}
		})
	}
}

func TestAQueueLosesNothing(t *testing.T) {
	s := serve(t)
	dir := t.TempDir()
	config := func(c *Config) { c.Queue, c.QueueMax = dir, 2 }
	c := s.open(config)
	for range 2 {
		if err := c.Keep(agree("account:ann")); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Keep(withdraw("account:ann")); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("a full queue says %v", err)
	}
	if _, err := Open(Config{App: "smartkey", Transport: HTTP(s.http.URL), Queue: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second process is told %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	if err := os.WriteFile(files[0], []byte(`{"specversion":"1.0","id`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{App: "smartkey", Transport: HTTP(s.http.URL), Queue: dir}); err == nil || !strings.Contains(err.Error(), files[0]) {
		t.Errorf("a damaged file: %v", err)
	}
}

// An answer is repeated for as long as the app allows, and no longer than until something
// is said of the person, also while the question is on its way.
func TestNoAnswerOutlivesWhatWasSaidAfterIt(t *testing.T) {
	s := serve(t)
	slow := &gate{Transport: HTTP(s.http.URL)}
	c := s.open(func(c *Config) { c.Transport, c.Remember = slow, time.Hour })
	if _, err := c.Record(t.Context(), agree("account:ann")); err != nil {
		t.Fatal(err)
	}

	s.asked.Store(0)
	for range 3 {
		if a := c.Allowed(t.Context(), about("account:ann")); !a.Allowed {
			t.Fatalf("%+v", a)
		}
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	if _, err := c.Record(t.Context(), withdraw("account:ann")); err != nil {
		t.Fatal(err)
	}
	if a := c.Allowed(t.Context(), about("account:ann")); a.Allowed {
		t.Errorf("after the withdrawal: %+v", a)
	}

	if _, err := c.Record(t.Context(), agree("account:bo")); err != nil {
		t.Fatal(err)
	}
	slow.answered, slow.goOn = make(chan struct{}), make(chan struct{})
	var early Answer
	var asking sync.WaitGroup
	asking.Go(func() { early = c.Allowed(t.Context(), about("account:bo")) })
	<-slow.answered // the ledger said yes, and nobody here has heard it
	if _, err := c.Record(t.Context(), withdraw("account:bo")); err != nil {
		t.Fatal(err)
	}
	close(slow.goOn)
	asking.Wait()
	if !early.Allowed {
		t.Errorf("it was asked before the withdrawal: %+v", early)
	}
	slow.answered = nil
	if a := c.Allowed(t.Context(), about("account:bo")); a.Allowed {
		t.Errorf("an answer from before the withdrawal was remembered: %+v", a)
	}
}

// A gate holds back an answer to a check.
type gate struct {
	Transport
	answered, goOn chan struct{}
}

func (g *gate) send(ctx context.Context, app string, r request) (answer, error) {
	a, err := g.Transport.send(ctx, app, r)
	if r.verb == checkVerb && g.answered != nil {
		close(g.answered)
		<-g.goOn
	}
	return a, err
}

func TestSeveralEventsHaveAResultEach(t *testing.T) {
	s := serve(t)
	transports := map[string]Transport{"HTTP": HTTP(s.http.URL), "NATS": NATS(s.overNATS())}
	for name, transport := range transports {
		c := s.open(func(c *Config) { c.Transport = transport })
		var events []Event
		for i := range 1100 {
			who := fmt.Sprintf("account:%s-%d", name, i%7)
			e := agree(who)
			if i%3 == 1 {
				e = withdraw(who)
			}
			events = append(events, e)
		}
		events[10].Data = map[string]any{"act": "no-such-act", "purposes": []string{purpose}}

		results, err := c.RecordAll(t.Context(), events)
		if err != nil || len(results) != len(events) {
			t.Fatalf("%s: %d results, %v", name, len(results), err)
		}
		var want []string // of one person, in the order in which they were given
		for i, r := range results {
			refused := events[i].Type == "consent.given" && i == 10
			if _, is := errors.AsType[*Refusal](r.Err); is != refused || !refused && (r.Err != nil || r.Receipt.EventID == "") {
				t.Fatalf("%s: event %d: %+v", name, i, r)
			}
			if i%7 == 3 && !refused {
				want = append(want, events[i].Type)
			}
		}
		if got := s.recorded("account:" + name + "-3"); !slices.Equal(got, want) {
			t.Errorf("%s: recorded %q, want %q", name, got, want)
		}
	}
}

func TestAClientIsOpenedWithWhatItNeeds(t *testing.T) {
	for want, config := range map[string]Config{
		"App":       {App: "Smart Key", Transport: HTTP("http://127.0.0.1")},
		"Transport": {App: "smartkey"},
	} {
		if _, err := Open(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", config, err)
		}
	}
	for _, base := range []string{"", "consent.example.com", "ftp://a", "http://user:secret@a"} {
		c, err := Open(Config{App: "smartkey", Transport: HTTP(base)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Check(t.Context(), about("ann")); err == nil || !strings.Contains(err.Error(), "the ledger's URL") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", base, err)
		}
	}
	c, err := Open(Config{App: "smartkey", Transport: HTTP("http://127.0.0.1:1")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Record(t.Context(), Event{Subject: "ann"}); err == nil || !strings.Contains(err.Error(), "Type") {
		t.Error(err)
	}
	if err := c.Keep(agree("ann")); err == nil || !strings.Contains(err.Error(), "Config.Queue") {
		t.Error(err)
	}
}

// The forms here are those of the ledger, member by member.
func TestNoMemberIsLeftOut(t *testing.T) {
	for _, pair := range [][2]reflect.Type{
		{reflect.TypeFor[wire.Receipt](), reflect.TypeFor[Receipt]()},
		{reflect.TypeFor[wire.CheckAnswer](), reflect.TypeFor[Answer]()},
		{reflect.TypeFor[wire.PromptAnswer](), reflect.TypeFor[Prompt]()},
		{reflect.TypeFor[wire.PromptItem](), reflect.TypeFor[PromptItem]()},
		{reflect.TypeFor[wire.PromptText](), reflect.TypeFor[PromptText]()},
	} {
		theirs, ours := members(pair[0]), members(pair[1])
		for _, left := range []string{"outcome", "known_at", "app"} { // said by the error, or asked for by nobody here
			theirs = slices.DeleteFunc(theirs, func(m string) bool { return m == left })
		}
		if !slices.Equal(theirs, ours) {
			t.Errorf("%v has %q, want %q", pair[1], ours, theirs)
		}
	}
}

func members(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func FuzzEvent(f *testing.F) {
	for _, e := range []Event{agree("account:ann"), {Type: "consent.withdrawn", ID: "1", Sequence: 9, Traceparent: "00-1-2-01"}} {
		text, err := e.marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := parseEvent(text)
		if err != nil {
			return
		}
		once, err := e.marshal()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := parseEvent(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, err := again.marshal(); err != nil || string(twice) != string(once) {
			t.Errorf("%s, then %s, %v", once, twice, err)
		}
	})
}

// Each row of the table in the package's documentation.
func TestWhenTheLedgerIsDown(t *testing.T) {
	s := serve(t)
	c := s.open(func(c *Config) { c.Queue, c.Remember = t.TempDir(), time.Hour })
	defer c.Close()
	if _, err := c.Record(t.Context(), agree("account:ann")); err != nil {
		t.Fatal(err)
	}
	if a := c.Allowed(t.Context(), about("account:ann")); !a.Allowed {
		t.Fatalf("%+v", a)
	}
	s.down.Store(true)

	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := c.Record(short, agree("account:bo"))
	if u, is := errors.AsType[*Unknown](err); !is || u.ID == "" {
		t.Errorf("Record: %v, want an Unknown with the id", err)
	}
	if a, err := c.Check(t.Context(), about("account:ann")); err == nil || a.Allowed || a.Status != "unknown" {
		t.Errorf("Check: %+v, %v", a, err)
	}
	if a := c.Allowed(t.Context(), about("account:bo")); a.Allowed || a.Status != "unknown" {
		t.Errorf("Allowed of whom nothing is remembered: %+v", a)
	}
	if a := c.Allowed(t.Context(), about("account:ann")); !a.Allowed {
		t.Errorf("Allowed within Remember: %+v", a)
	}
	if err := c.Keep(withdraw("account:ann")); err != nil || c.Waiting() != 1 {
		t.Errorf("Keep: %v, %d wait", err, c.Waiting())
	}
	if a := c.Allowed(t.Context(), about("account:ann")); a.Allowed || a.Why != "said-here" {
		t.Errorf("Allowed after an opt-out that waits: %+v", a)
	}
}
