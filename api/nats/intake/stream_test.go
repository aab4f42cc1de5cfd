package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// bodies returns what a stream holds.
func bodies(t *testing.T, js jetstream.JetStream, name string) string {
	t.Helper()
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for raw, err := range newer(t.Context(), s, 0, ">") {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, raw.Sequence, raw.Subject, raw.Header, string(raw.Data))
	}
	return b.String()
}

func TestWhatIsTakenIsGoneFromTheStream(t *testing.T) {
	h := open(t)
	h.faulty.breakFor("3")
	for i := range 5 {
		h.publish("consent.given", event(fmt.Sprint(i), "consent.given", fmt.Sprint("person-", i), `{"act":"agree"}`))
	}
	h.publish("consent.given", event("r", "consent.given", "person-r", `{"act":"nod"}`)) // rejected
	h.until("only what could not be recorded is left", func() bool {
		text := bodies(t, h.js, InStream)
		return strings.Count(text, "\n") == 1 && strings.Contains(text, "person-3")
	})
	h.until("what is left is on disk", func() bool { return onDisk(t, "person-3") })
	h.faulty.breakFor("")
	h.until("nothing is left", func() bool { return bodies(t, h.js, InStream) == "" })
	h.until("nor on disk", func() bool { return !onDisk(t, "person-") })
	if n := len(h.faulty.taken()); n != 5+1 {
		t.Errorf("%d taken", n)
	}
	info, err := h.js.Stream(t.Context(), InStream)
	if err != nil {
		t.Fatal(err)
	}
	c := info.CachedInfo().Config
	if c.Retention != jetstream.WorkQueuePolicy || c.MaxAge != 0 || c.Discard != jetstream.DiscardNew {
		t.Errorf("the stream drops what nobody took: %+v", c)
	}
}

// onDisk looks for a text in every file of the test.
func onDisk(t *testing.T, text string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(filepath.Dir(t.TempDir()), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // the server deletes files, too
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		found = found || bytes.Contains(b, []byte(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// older makes the incoming stream as it was before: what was taken stays.
func older(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: InStream, Subjects: []string{inSubjects}, Storage: jetstream.FileStorage, MaxAge: 7 * 24 * time.Hour, DenyDelete: true,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnOlderStreamIsEmptiedAndMadeAnew(t *testing.T) {
	nc := connect(t)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	older(t, js)
	for i := range 20 {
		if _, err := js.Publish(t.Context(), "consent.v1.smartkey.in.consent.given", event(fmt.Sprint(i), "consent.given", fmt.Sprint("person-", i%3), `{"act":"agree"}`)); err != nil {
			t.Fatal(err)
		}
	}
	l := &faulty{Ledger: openLedger(t), broken: "7"}
	c := Config{Conn: nc, Ledger: l, Seal: flip, Unseal: flip, Workers: 64}

	// The first start dies before everything is taken; the stream takes nothing any more.
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, c, nil) }()
	h := &testServer{t: t, nc: nc, js: js, faulty: l}
	h.until("what is not behind the broken one is taken", func() bool { return len(l.taken()) == 15 })
	if _, err := js.Publish(t.Context(), "consent.v1.smartkey.in.consent.given", []byte("{}")); err == nil {
		t.Error("the old stream took a message while it was emptied")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}

	l.breakFor("")
	ctx, stop = context.WithCancel(t.Context())
	defer func() { stop(); <-done }()
	ready := make(chan struct{})
	go func() { done <- Run(ctx, c, func() { close(ready) }) }()
	<-ready
	want := map[string]bool{}
	for _, id := range l.taken() {
		want[id] = true
	}
	if len(want) != 20 {
		t.Errorf("taken: %v", l.taken())
	}
	s, err := js.Stream(t.Context(), InStream)
	if err != nil || s.CachedInfo().Config.Retention != jetstream.WorkQueuePolicy || s.CachedInfo().Config.Sealed {
		t.Fatalf("%v: %+v", err, s.CachedInfo().Config)
	}
	h.publish("consent.given", event("new", "consent.given", "person-9", `{"act":"agree"}`))
	h.until("the new stream is drained", func() bool { return bodies(t, js, InStream) == "" && len(l.taken()) > 20 })
}

func TestAStreamThatIsNotOursIsLeftAlone(t *testing.T) {
	nc := connect(t)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: InStream, Subjects: []string{"orders.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "orders.1", []byte("x")); err != nil {
		t.Fatal(err)
	}
	err = Run(t.Context(), Config{Conn: nc, Ledger: openLedger(t), Seal: flip, Unseal: flip}, nil)
	if err == nil || !strings.Contains(err.Error(), "not the ledger's") {
		t.Errorf("ended with %v", err)
	}
	if bodies(t, js, InStream) == "" {
		t.Error("somebody's message is gone")
	}
}
