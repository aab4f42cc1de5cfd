package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/audit/witness"
	"consentledger/eventstore"
	"consentledger/eventstore/memory"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/note"
)

const base = "logs.example.com/consent"

// A testServer is a log that is kept and served.
type testServer struct {
	t     *testing.T
	dir   string
	store *tampered
	logs  *transparency.Log
	keep  *transparency.Keep
	url   string // of the app demo
	stop  func() // ends the logs, not the server

	stamps    *witness.Stamps
	witnesses *witness.Witnesses // of a policy that names none, until a test says otherwise
}

// A tampered store gives another record out at one position, once a test says so.
type tampered struct {
	memory.Store
	at atomic.Uint64
}

func (s *tampered) ReadAt(ctx context.Context, positions ...eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range s.Store.ReadAt(ctx, positions...) {
			if uint64(r.Position) == s.at.Load() {
				r.Data = []byte(`{"text":"slipped in"}`)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func newTestServer(t *testing.T) *testServer {
	t.Helper()
	h := &testServer{t: t, dir: t.TempDir(), store: new(tampered)}
	var err error
	if h.keep, err = transparency.OpenKeep(filepath.Join(h.dir, "keep"), base, nil); err != nil {
		t.Fatal(err)
	}
	h.logs, err = transparency.Open(t.Context(), transparency.Config{Records: h.store, Keep: h.keep, Dir: filepath.Join(h.dir, "tiles")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.logs.Run(ctx)
	}()
	h.stop = func() {
		cancel()
		<-done
	}
	h.witnesses = &witness.Witnesses{Logs: h.logs, Shelf: witness.Dir(filepath.Join(h.dir, "cosigned")), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	h.stamps = &witness.Stamps{Logs: h.logs, Shelf: witness.Dir(filepath.Join(h.dir, "stamps")), Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(Handler(h.logs, h.witnesses, h.stamps, nil))
	t.Cleanup(func() {
		server.Close()
		h.stop()
	})
	h.url = server.URL + "/log/demo"
	return h
}

func someRecords(n int) (all [][]byte) {
	for i := range n {
		all = append(all, fmt.Appendf(nil, `{"n":%d,"text":%q}`, i, strings.Repeat("x", i%300)))
	}
	return all
}

// add records and waits until checkpoints cover them.
func (h *testServer) add(records ...[]byte) {
	h.t.Helper()
	ctx := h.t.Context()
	for _, r := range records {
		stream := eventstore.Stream(fmt.Sprintf("subject-demo-%016x", rand.Uint64()))
		if _, err := h.store.Append(ctx, stream, 0, eventstore.Record{ID: idOf(r), Type: "test.v1", Data: r}); err != nil {
			h.t.Fatal(err)
		}
	}
	head, _ := h.store.Head(ctx)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		at, err := h.logs.Covered()
		if err != nil || time.Now().After(deadline) {
			h.t.Fatalf("covered up to %d of %d: %v", at, head, err)
		}
		if at >= head {
			return
		}
	}
}

func idOf(record []byte) (id eventstore.EventID) {
	copy(id[:], fmt.Sprintf("%-8.8x", len(record)))
	binary.BigEndian.PutUint64(id[8:], uint64(len(record))*1_000_003+uint64(record[5]))
	h := merkle.Leaf{}
	sum := h.Hash(record)
	copy(id[:], sum[:16])
	return id
}

func (h *testServer) vkey() string {
	h.t.Helper()
	key, err := h.keep.VerifierKey("demo")
	if err != nil {
		h.t.Fatal(err)
	}
	return key
}

func (h *testServer) get(path string, headers ...string) (*http.Response, []byte) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.url+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp, body
}

func TestRoutes(t *testing.T) {
	h := newTestServer(t)
	records := someRecords(300)
	h.add(records...)
	for _, c := range []struct {
		path, kind, cache string
		status            int
	}{
		{"/checkpoint", "text/plain; charset=utf-8", "no-cache", 200},
		{"/tile/0/000", "application/octet-stream", forever, 200},
		{"/tile/0/000.p/7", "application/octet-stream", forever, 200},
		{"/tile/0/001.p/44", "application/octet-stream", forever, 200},
		{"/tile/1/000.p/1", "application/octet-stream", forever, 200},
		{"/tile/entries/000", "application/octet-stream", forever, 200},
		{"/tile/entries/001.p/44", "application/octet-stream", forever, 200},
		{"/proof?index=299", "text/plain; charset=utf-8", "no-store", 200},
		{"/proof?event=" + idOf(records[17]).String(), "text/plain; charset=utf-8", "no-store", 200},

		{"/tile/0/001", "text/plain; charset=utf-8", "no-store", 404},
		{"/tile/0/001.p/45", "text/plain; charset=utf-8", "no-store", 404},
		{"/tile/entries/002.p/1", "text/plain; charset=utf-8", "no-store", 404},
		{"/tile/1/000.p/2", "text/plain; charset=utf-8", "no-store", 404},
		{"/tile/0/1", "text/plain; charset=utf-8", "no-store", 400},
		{"/tile/data/000", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof?index=-1", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof?index=01", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof?index=%2B1", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof?index=-0", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof?index=1&event=x", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof?event=x", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof?index=300", "text/plain; charset=utf-8", "no-store", 404},
		{"/proof?event=01234567-89ab-cdef-0123-456789abcdef", "text/plain; charset=utf-8", "no-store", 404},
		{"/proof?index=299&wait=1s", "text/plain; charset=utf-8", "no-store", 200},
		{"/proof?index=300&wait=1ms", "text/plain; charset=utf-8", "no-store", 503},
		{"/proof?event=01234567-89ab-cdef-0123-456789abcdef&wait=1ms", "text/plain; charset=utf-8", "no-store", 503},
		{"/proof?index=1&wait=0", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof?index=1&wait=31s", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof?index=1&wait=-1s", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof?index=1&wait=soon", "text/plain; charset=utf-8", "no-store", 400},
		{"/proof?index=1&wait=1s&cosigned=1", "text/plain; charset=utf-8", "no-store", 400},
		{"/../none/proof?index=0&wait=1ms", "text/plain; charset=utf-8", "no-store", 503},
		{"/../none/checkpoint", "text/plain; charset=utf-8", "no-store", 404},
		{"/../NO/checkpoint", "text/plain; charset=utf-8", "no-store", 404},
	} {
		resp, body := h.get(c.path)
		if resp.StatusCode != c.status || resp.Header.Get("Content-Type") != c.kind || resp.Header.Get("Cache-Control") != c.cache {
			t.Errorf("%s: %d %s %s: %.80s", c.path, resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header.Get("Cache-Control"), body)
		}
	}
	resp, err := http.Post(h.url+"/checkpoint", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

// TestProofsAreWaitedFor: who asks before the record is there gets its proof
// when a checkpoint covers it, and who asks for what never comes is told what to do.
func TestProofsAreWaitedFor(t *testing.T) {
	h := newTestServer(t)
	records := someRecords(3)
	got := make(chan []byte, 1)
	go func() {
		_, body := h.get("/proof?wait=30s&event=" + idOf(records[2]).String())
		got <- body
	}()
	h.add(records...)
	p, err := merkle.ParseProof(<-got)
	if err != nil || p.Index != 2 || !bytes.Equal(p.Extra, records[2]) {
		t.Errorf("the proof that was waited for: %v of %d", err, p.Index)
	}
	resp, body := h.get("/proof?wait=1ms&event=01234567-89ab-cdef-0123-456789abcdef")
	if !strings.Contains(string(body), "no checkpoint covered such a record within 1ms") || !strings.Contains(string(body), "ask again") || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("what never comes: %s", body)
	}
	h.stop()
	if _, body := h.get("/proof?wait=30s&event=01234567-89ab-cdef-0123-456789abcdef"); !strings.Contains(string(body), "no more checkpoints are signed") {
		t.Errorf("when no more checkpoints are signed: %s", body)
	}
}

// TestPartialStays: a partial tile of an older checkpoint is served, the same,
// when the tile is full.
func TestPartialStays(t *testing.T) {
	h := newTestServer(t)
	records := someRecords(600)
	h.add(records[:100]...)
	paths := []string{"/tile/0/000.p/100", "/tile/entries/000.p/100", "/tile/0/000.p/1"}
	var before [][]byte
	for _, p := range paths {
		_, body := h.get(p)
		before = append(before, body)
	}
	h.add(records[100:]...)
	for i, p := range paths {
		if resp, body := h.get(p); resp.StatusCode != 200 || !bytes.Equal(body, before[i]) {
			t.Errorf("%s is another, status %d", p, resp.StatusCode)
		}
	}
}

// TestWhatWasNotSignedIsNotServed: a record that the store does not hold any more as
// it was signed is in no answer, nobody keeps the answer, and the logs stop.
func TestWhatWasNotSignedIsNotServed(t *testing.T) {
	for _, path := range []string{"/tile/entries/000", "/tile/entries/000.p/7", "/proof?index=5"} {
		h := newTestServer(t)
		records := someRecords(300)
		h.add(records...)
		h.store.at.Store(6) // of the record at index 5
		resp, body := h.get(path)
		if resp.StatusCode != http.StatusInternalServerError || resp.Header.Get("Cache-Control") != "no-store" || !strings.Contains(string(body), "the store does not hold what was signed") {
			t.Errorf("%s: %d %s: %.80q", path, resp.StatusCode, resp.Header.Get("Cache-Control"), body)
		}
		if bytes.Contains(body, []byte("slipped in")) {
			t.Errorf("%s: it is given out", path)
		}
		if _, err := h.logs.Covered(); err == nil || !strings.Contains(err.Error(), "the store does not hold record 5, at position 6, as it was signed") {
			t.Errorf("%s: the logs say %v", path, err)
		}
		for _, whole := range []string{"/tile/entries/001.p/44", "/tile/0/000", "/checkpoint", "/proof?index=299"} {
			if resp, body := h.get(whole); resp.StatusCode != http.StatusOK {
				t.Errorf("what was not touched, %s: %d %.80s", whole, resp.StatusCode, body)
			}
		}
	}
}

// TestProofOverHTTP: what is served verifies offline.
func TestProofOverHTTP(t *testing.T) {
	h := newTestServer(t)
	records := someRecords(300)
	h.add(records...)
	v, err := note.NewVerifier(h.vkey())
	if err != nil {
		t.Fatal(err)
	}
	_, body := h.get("/proof?event=" + idOf(records[123]).String())
	p, err := merkle.ParseProof(body)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := p.Verify(records[123], v, base+"/demo"); err != nil || c.Size != 300 || p.Index != 123 || !bytes.Equal(p.Extra, records[123]) {
		t.Errorf("record %d of %d: %v", p.Index, c.Size, err)
	}
}
