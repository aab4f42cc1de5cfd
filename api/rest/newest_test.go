package rest

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/live"
	"consentledger/api/wire/wiretest"

	"github.com/go-json-experiment/json"
)

// hear opens the stream of an app, and returns its lines until it ends.
func hear(t *testing.T, server, query string, headers ...string) (status int, lines <-chan string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", server+"/v1/apps/demo/newest"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	all := make(chan string, 1000)
	go func() {
		defer close(all)
		for in := bufio.NewScanner(answer.Body); in.Scan(); {
			all <- in.Text()
		}
	}()
	return answer.StatusCode, all
}

// next returns the line that follows and begins so.
func next(t *testing.T, lines <-chan string, begins string) string {
	t.Helper()
	for limit := time.After(time.Minute); ; {
		select {
		case line, more := <-lines:
			if !more {
				t.Fatalf("the stream ended before %q", begins)
			}
			if strings.HasPrefix(line, begins) {
				return line
			}
		case <-limit:
			t.Fatalf("waited in vain for %q", begins)
		}
	}
}

// streams lets a server have the route, and returns its address.
func (h *testServer) streams(t *testing.T, s *live.Streams) (address string, may *atomic.Bool) {
	may = new(atomic.Bool)
	may.Store(true)
	h.conf.Newest, h.conf.Streams = h.ledg, s
	h.conf.Still = func(context.Context) bool { return may.Load() }
	h.h = Handler(h.conf)
	server := httptest.NewServer(h.h)
	t.Cleanup(server.CloseClientConnections)
	return server.URL, may
}

func (h *testServer) say(id string) {
	h.want(200, `"event_id"`, "POST", "/v1/apps/demo/events",
		`{"specversion":"1.0","id":"`+id+`","source":"test","type":"consent.withdrawn","subject":"ada-`+id+`","data":{"all":true}}`)
}

func TestAStreamTellsThatSomethingWasRecorded(t *testing.T) {
	h := open(t)
	h.furnish()
	address, may := h.streams(t, new(live.Streams))
	_, lines := hear(t, address, "")
	first := next(t, lines, "id: ") // a client that knows nothing is told how far the log is
	h.say("1")
	next(t, lines, "event: changed")
	second := next(t, lines, "id: ")
	told := strings.TrimPrefix(next(t, lines, "data: "), "data: ")
	if strings.Contains(told, "ada") || strings.Contains(told, "withdrawn") || !wiretest.Holds(told, `"records"`) || first == second {
		t.Errorf("told %s after %s, %s", told, first, second)
	}

	// Whoever comes again hears what came meanwhile, and nothing twice.
	h.say("2")
	next(t, lines, "event: changed")
	third := next(t, lines, "id: ")
	_, again := hear(t, address, "", "Last-Event-ID: "+strings.TrimPrefix(second, "id: "))
	if id := next(t, again, "id: "); id != third {
		t.Errorf("told up to %s, want %s", id, third)
	}
	_, known := hear(t, address, "?after="+strings.TrimPrefix(third, "id: "))
	h.say("3")
	if id := next(t, known, "id: "); id == third {
		t.Errorf("told again of %s", id)
	}
	_, lost := hear(t, address, "", "Last-Event-ID: 99999999") // of another log
	next(t, lost, "event: changed")

	may.Store(false)
	for _, lines := range []<-chan string{lines, again, known, lost} {
		next(t, lines, "event: end")
		if why := next(t, lines, "data: "); !strings.Contains(why, "not-allowed") {
			t.Errorf("it ended since %s", why)
		}
		for range lines { // and it is over
		}
	}
}

func TestStreamsAreFewAndEndWithTheServer(t *testing.T) {
	h := open(t)
	h.furnish()
	s := &live.Streams{Each: 2}
	h.streams(t, s)
	closing := make(chan struct{})
	server := httptest.NewUnstartedServer(h.h)
	server.Config.BaseContext = nil
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.h.ServeHTTP(w, r.WithContext(live.WithClosing(r.Context(), closing)))
	})
	server.Start()
	t.Cleanup(server.CloseClientConnections)

	_, one := hear(t, server.URL, "")
	_, two := hear(t, server.URL, "")
	next(t, one, "id: ")
	next(t, two, "id: ")
	if status, _ := hear(t, server.URL, ""); status != http.StatusTooManyRequests {
		t.Errorf("a third stream: %d", status)
	}
	if status, _ := hear(t, server.URL, "?after=nonsense"); status != http.StatusBadRequest {
		t.Errorf("after nonsense: %d", status)
	}
	close(closing)
	for _, lines := range []<-chan string{one, two} {
		next(t, lines, "event: end")
		for range lines {
		}
	}
	for end := time.Now().Add(time.Minute); s.Open() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d streams are counted still", s.Open())
		}
	}
}

func TestTheNewestRecordsNameNobody(t *testing.T) {
	h := open(t)
	h.furnish()
	h.streams(t, new(live.Streams))
	for _, id := range []string{"1", "2", "3"} {
		h.say(id)
	}
	var a NewestAnswer
	text := h.want(200, `"as_of"`, "GET", "/v1/apps/demo/newest", "")
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Records) < 3 || len(a.Records) > 50 || a.Records[0].Type != "consent.withdrawn" || strings.Contains(text, "ada") || strings.Contains(text, "subject") {
		t.Errorf("%s", text)
	}
	for i := 1; i < len(a.Records); i++ {
		if a.Records[i].Recorded > a.Records[i-1].Recorded {
			t.Errorf("record %d is newer than the one before it", i)
		}
	}
}
