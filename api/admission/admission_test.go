package admission

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/api/auth"
)

// small has one place and one in line of every class.
func small() Config {
	var c Config
	for class := range c.Bounds {
		c.Bounds[class] = Bounds{Places: 1, Line: 1, Patience: time.Hour}
	}
	c.Bodies = 100
	return c
}

func why(err error) Why {
	r, is := errors.AsType[*Refusal](err)
	if !is {
		return ""
	}
	return r.Why
}

func TestOneTooManyIsRefusedAtOnce(t *testing.T) {
	var told []Why
	c := small()
	c.Refused = func(_ Class, w Why) { told = append(told, w) }
	a := New(c)
	leave, err := a.Enter(t.Context(), Record, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	inLine := make(chan error)
	go func() {
		leave, err := a.Enter(t.Context(), Record, "", 0)
		if err == nil {
			defer leave()
		}
		inLine <- err
	}()
	for a.lines[Record].Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := a.Enter(t.Context(), Record, "", 0); why(err) != Full {
		t.Errorf("a third of a class with a place and a line of one: %v", err)
	}
	if _, err := a.Try(Record); why(err) != Full {
		t.Errorf("who does not wait: %v", err)
	}
	if !a.Busy() {
		t.Error("somebody waits, and it is not busy")
	}

	leave()
	if err := <-inLine; err != nil {
		t.Errorf("whose turn it is: %v", err)
	}
	if s := a.Standing(); len(told) != 2 || s[Record-Quick].Refused != 2 || s[Record-Quick].Working != 0 {
		t.Errorf("told %v, standing %v", told, s)
	}
}

func TestWhoWaitsTooLongIsRefusedAndWhoGoesLeavesTheLine(t *testing.T) {
	c := small()
	c.Bounds[Heavy].Patience = time.Millisecond
	a := New(c)
	leave, err := a.Enter(t.Context(), Heavy, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Enter(t.Context(), Heavy, "", 0); why(err) != Full {
		t.Errorf("the line took too long: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	a.config.Bounds[Heavy].Patience = time.Hour
	if _, err := a.Enter(gone, Heavy, "", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("who asked has gone: %v", err)
	}
	if n := a.lines[Heavy].Load(); n != 0 {
		t.Errorf("%d are in line", n)
	}
	leave()
}

// A class that is full keeps nobody of another class waiting.
func TestReportsTakeNoPlaceOfQuestions(t *testing.T) {
	a := New(small())
	leave, err := a.Enter(t.Context(), Heavy, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	for _, class := range []Class{Free, Quick, Record, Batch} {
		leave, err := a.Enter(t.Context(), class, "", 0)
		if err != nil {
			t.Errorf("%s behind a report: %v", class, err)
			continue
		}
		leave()
	}
}

func TestOnePrincipalDoesNotHoldAll(t *testing.T) {
	c := small()
	c.Share, c.Bounds[Quick].Places, c.Bounds[Quick].Line = 0.5, 4, 0
	a := New(c)
	for range 2 {
		if _, err := a.Enter(t.Context(), Quick, "ann", 0); err != nil {
			t.Fatal(err)
		}
	}
	_, err := a.Enter(t.Context(), Quick, "ann", 0)
	if why(err) != TooMany {
		t.Errorf("a third of two: %v", err)
	}
	r, _ := errors.AsType[*Refusal](err)
	if p := r.Problem(); p.Status != http.StatusTooManyRequests || p.Outcome != "refused" {
		t.Errorf("it is told %+v", p)
	}
	leave, err := a.Enter(t.Context(), Quick, "bob", 0)
	if err != nil {
		t.Fatalf("somebody else: %v", err)
	}
	leave()
	if len(a.held) != 1 {
		t.Errorf("of who has nothing under way something is remembered: %v", a.held)
	}
}

func TestBodiesAndMemoryHaveABound(t *testing.T) {
	used := int64(0)
	c := small()
	c.Bounds[Record].Places, c.Memory, c.Used = 5, 1000, func() int64 { return used }
	a := New(c)
	leave, err := a.Enter(t.Context(), Record, "", 80)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Enter(t.Context(), Record, "", 30); why(err) != Bodies {
		t.Errorf("110 bytes of 100: %v", err)
	}
	leave()
	if leave, err = a.Enter(t.Context(), Record, "", 30); err != nil {
		t.Errorf("after the first: %v", err)
	}
	leave()

	used, a.memory.seen = 1000, time.Time{}
	if _, err := a.Enter(t.Context(), Record, "", 0); why(err) != NoMemory {
		t.Errorf("at the ceiling: %v", err)
	}
	if leave, err := a.Enter(t.Context(), Quick, "", 0); err != nil {
		t.Errorf("a question at the ceiling: %v", err)
	} else {
		leave()
	}
}

// Many at once are all either answered or refused, and no place is lost.
func TestNoPlaceIsLost(t *testing.T) {
	c := small()
	c.Bounds[Record] = Bounds{Places: 3, Line: 5, Patience: time.Minute}
	a := New(c)
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 50 {
				if leave, err := a.Enter(t.Context(), Record, "ann", 1); err == nil {
					leave()
				}
			}
		})
	}
	all.Wait()
	if len(a.places[Record]) != 0 || a.lines[Record].Load() != 0 || a.bodies.Load() != 0 || len(a.held) != 0 {
		t.Errorf("left: %d places, %d in line, %d bytes, %v", len(a.places[Record]), a.lines[Record].Load(), a.bodies.Load(), a.held)
	}
}

func TestRoutesHaveTheClassOfTheirWork(t *testing.T) {
	for _, tt := range []struct {
		method, path, kind string
		want               Class
	}{
		{"GET", "/livez", "", Free},
		{"GET", "/readyz", "", Free},
		{"GET", "/readyz?verbose", "", Free},
		{"GET", "/metrics", "", Free},
		{"POST", "/v1/apps/shop/check", "application/json", Quick},
		{"GET", "/v1/apps/shop/subjects/user-1/purposes/ads/check", "", Quick},
		{"POST", "/v1/apps/shop/events", "application/cloudevents+json", Record},
		{"POST", "/v1/apps/shop/events", "application/cloudevents-batch+json; charset=utf-8", Batch},
		{"POST", "/v1/apps/shop/operator/events", "application/json", Record},
		{"GET", "/v1/apps/shop/reports/audit", "", Heavy},
		{"POST", "/v1/apps/shop/export", "application/json", Heavy},
		{"GET", "/v1/replay", "", Heavy},
		{"GET", "/nowhere", "", Quick},
	} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		r.Header.Set("Content-Type", tt.kind)
		if got := ClassOf(r); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.method, tt.path, got, tt.want)
		}
	}
	for _, r := range auth.Routes {
		if class := classOf(r.Pattern); class == Free && r.Operation != auth.Public && r.Operation != auth.Status {
			t.Errorf("%s is never counted", r.Pattern)
		}
	}
}

func TestARefusalSaysWhenToComeAgainAndThatNothingWasDone(t *testing.T) {
	c := small()
	c.Bounds[Record].Line = 0
	a := New(c)
	leave, err := a.Try(Record)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	w := httptest.NewRecorder()
	asked := false
	h := a.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	h.ServeHTTP(w, httptest.NewRequest("POST", "/v1/apps/shop/events", strings.NewReader("{}")))
	if w.Code != 503 || asked || w.Header().Get("Retry-After") == "" ||
		!strings.Contains(w.Body.String(), `"code":"overloaded"`) || !strings.Contains(w.Body.String(), `"outcome":"refused"`) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/livez", nil))
	if !asked {
		t.Errorf("health is refused: %d", w.Code)
	}
}
