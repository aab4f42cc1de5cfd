package admission

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/auth"
	"consentledger/domain/ident"
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

func waiting(a *Admission, class Class) int {
	_, n := a.lanes[class].count()
	return n
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
	leave, err := a.Enter(t.Context(), Record, "")
	if err != nil {
		t.Fatal(err)
	}
	inLine := make(chan error)
	go func() {
		leave, err := a.Enter(t.Context(), Record, "")
		if err == nil {
			leave()
		}
		inLine <- err
	}()
	for waiting(a, Record) == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := a.Enter(t.Context(), Record, ""); why(err) != Full {
		t.Errorf("a third of a class with a place and a line of one: %v", err)
	}
	if _, err := a.Try(Record, "", ""); why(err) != Full {
		t.Errorf("who does not wait: %v", err)
	}
	if !a.Busy() {
		t.Error("somebody waits, and it is not busy")
	}

	leave()
	if err := <-inLine; err != nil {
		t.Errorf("whose turn it is: %v", err)
	}
	if s := a.Loads(); len(told) != 2 || s[Record-Quick].Refused != 2 || s[Record-Quick].Working != 0 {
		t.Errorf("told %v, loads %v", told, s)
	}
}

func TestWhoWaitsTooLongIsRefusedAndWhoGoesLeavesTheLine(t *testing.T) {
	c := small()
	c.Bounds[Heavy].Patience = time.Millisecond
	a := New(c)
	leave, err := a.Enter(t.Context(), Heavy, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Enter(t.Context(), Heavy, ""); why(err) != Full {
		t.Errorf("the line took too long: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	a.lanes[Heavy].bounds.Patience = time.Hour
	if _, err := a.Enter(gone, Heavy, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("who asked has gone: %v", err)
	}
	if n := waiting(a, Heavy); n != 0 {
		t.Errorf("%d are in line", n)
	}
	leave()
}

// A class that is full keeps nobody of another class waiting.
func TestReportsTakeNoPlaceOfQuestions(t *testing.T) {
	a := New(small())
	leave, err := a.Enter(t.Context(), Heavy, "")
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	for _, class := range []Class{Free, Quick, Record, Batch} {
		leave, err := a.Enter(t.Context(), class, "")
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
		if _, err := a.Enter(t.Context(), Quick, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := a.Enter(t.Context(), Quick, "ann")
	if why(err) != TooMany {
		t.Errorf("a third of two: %v", err)
	}
	r, _ := errors.AsType[*Refusal](err)
	if p := r.Problem(); p.Status != http.StatusTooManyRequests || p.Outcome != "refused" {
		t.Errorf("it is told %+v", p)
	}
	leave, err := a.Enter(t.Context(), Quick, "bob")
	if err != nil {
		t.Fatalf("somebody else: %v", err)
	}
	leave()
	if works := a.lanes[Quick].works; len(works) != 1 {
		t.Errorf("of who has nothing under way something is remembered: %v", works)
	}
}

// TestOnePrincipalHoldsPartOfThePlacesAndPartOfTheLine: who has all the places that one may
// waits in line, and whoever comes behind them does not.
func TestOnePrincipalHoldsPartOfThePlacesAndPartOfTheLine(t *testing.T) {
	c := small()
	c.Share = 0.5
	c.Bounds[Record] = Bounds{Places: 4, Line: 4, Patience: time.Hour}
	a := New(c)
	leaveAnn := enterAll(t, a, "ann", 2)
	waits := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := a.Enter(t.Context(), Record, "ann")
			waits <- err
		}()
	}
	for waiting(a, Record) < 2 {
		time.Sleep(time.Millisecond)
	}
	if _, err := a.Enter(t.Context(), Record, "ann"); why(err) != TooMany {
		t.Errorf("ann has two places, and two in line, and a fifth: %v", err)
	}

	// Bob does not stand behind her.
	leaveBob := enterAll(t, a, "bob", 2)
	if working, waiting := a.lanes[Record].count(); working != 4 || waiting != 2 {
		t.Fatalf("%d places, %d in line", working, waiting)
	}
	leaveBob[0]()
	if working, waiting := a.lanes[Record].count(); working != 3 || waiting != 2 {
		t.Errorf("ann has more places than one may: %d, %d in line", working, waiting)
	}
	leaveAnn[0]()
	if err := <-waits; err != nil {
		t.Errorf("ann has room again: %v", err)
	}
}

// enterAll takes so many places for somebody.
func enterAll(t *testing.T, a *Admission, who string, n int) (leave []func()) {
	t.Helper()
	for range n {
		one, err := a.Enter(t.Context(), Record, who)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, one)
	}
	return leave
}

// TestALineThatStandsIsBoundedByTime: a burst is worked off, however long its end waits;
// where more comes than is done, who waited long is refused when their turn comes.
func TestALineThatStandsIsBoundedByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := small()
		c.Bounds[Quick] = Bounds{Places: 1, Line: 1000, Patience: time.Second, Target: 5 * time.Millisecond}
		a := New(c)
		var mu sync.Mutex
		var longest time.Duration
		var refused int
		ask := func() {
			came := time.Now()
			leave, err := a.Enter(t.Context(), Quick, "")
			waited := time.Since(came)
			if err == nil {
				time.Sleep(time.Millisecond)
				leave()
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused++
			} else {
				longest = max(longest, waited)
			}
		}

		var all sync.WaitGroup
		for range 90 {
			all.Go(ask)
		}
		all.Wait()
		if refused != 0 || longest != 89*time.Millisecond {
			t.Errorf("of a burst %d were refused, and one waited %v", refused, longest)
		}

		// Two come for each that is done.
		for range 1000 {
			all.Go(ask)
			time.Sleep(time.Millisecond / 2)
		}
		mu.Lock()
		longest, refused = 0, 0
		mu.Unlock()
		for range 1000 {
			all.Go(ask)
			time.Sleep(time.Millisecond / 2)
		}
		all.Wait()
		if refused < 300 || longest > 6*time.Millisecond {
			t.Errorf("of a load that stays %d were refused, and one waited %v", refused, longest)
		}
	})
}

func TestBodiesAndMemoryHaveABound(t *testing.T) {
	used := int64(0)
	c := small()
	c.Share, c.Memory, c.Used = 0.75, 1000, func() int64 { return used }
	a := New(c)
	release, err := a.hold(Record, "ann", 70)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.hold(Record, "ann", 10); why(err) != TooMany {
		t.Errorf("80 bytes of 100, by one: %v", err)
	}
	if _, err := a.hold(Record, "bob", 31); why(err) != Bodies {
		t.Errorf("101 bytes of 100: %v", err)
	}
	if release, err := a.hold(Record, "bob", 30); err != nil {
		t.Errorf("100 of 100: %v", err)
	} else {
		release()
	}
	release()
	if a.bodies.all != 0 || len(a.bodies.by) != 0 {
		t.Errorf("left: %d, %v", a.bodies.all, a.bodies.by)
	}

	used, a.memory.seen = 1000, time.Time{}
	if _, err := a.hold(Record, "", 0); why(err) != NoMemory {
		t.Errorf("a body at the ceiling: %v", err)
	}
	if _, err := a.Enter(t.Context(), Record, ""); why(err) != NoMemory {
		t.Errorf("at the ceiling: %v", err)
	}
	if leave, err := a.Enter(t.Context(), Quick, ""); err != nil {
		t.Errorf("a question at the ceiling: %v", err)
	} else {
		leave()
	}
}

// TestQuestionsLeaveRoomForTheBodiesOfWhatIsRecorded: two who may only ask, with bodies that
// never come, would else keep everybody from recording.
func TestQuestionsLeaveRoomForTheBodiesOfWhatIsRecorded(t *testing.T) {
	c := small()
	c.Share = 0.75
	a := New(c)
	var held []func()
	for _, class := range []Class{Quick, Heavy} {
		for _, who := range []string{"ann", "bob"} {
			release, err := a.hold(class, who, 20)
			if err != nil {
				if why(err) != Bodies {
					t.Errorf("%s of %s: %v", class, who, err)
				}
				continue
			}
			held = append(held, release)
		}
	}
	if len(held) != 2 {
		t.Errorf("questions hold %d times 20 bytes of 100", len(held))
	}
	release, err := a.hold(Record, "back end", 50)
	if err != nil {
		t.Fatalf("half is left for what is recorded: %v", err)
	}
	for _, release := range append(held, release) {
		release()
	}
	if a.bodies.all != 0 || a.bodies.asked != 0 {
		t.Errorf("left: %d, %d of questions", a.bodies.all, a.bodies.asked)
	}
}

// TestBrowsersLeaveRoomForBodiesOfBackEnds: whose subject tokens are different persons', they
// hold together what one principal may.
func TestBrowsersLeaveRoomForBodiesOfBackEnds(t *testing.T) {
	c := small()
	c.Bounds[Record] = Bounds{Places: 8}
	c.Share = 0.75
	h := New(c).Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	send := func(p auth.Principal, body io.Reader, length int64) int {
		r := httptest.NewRequest("POST", "/v1/apps/shop/events", body)
		r.ContentLength = length
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(auth.With(r.Context(), p)))
		return w.Code
	}
	token := func(of string) auth.Principal {
		return auth.Principal{Pseudonym: "p-shop-token", Only: &auth.Only{Person: ident.PersonKey{Kind: "account", ID: of}}}
	}

	body, sender := io.Pipe()
	slow := make(chan int)
	go func() { slow <- send(token("ann"), body, 60) }()
	if _, err := sender.Write([]byte("x")); err != nil { // which returns once it is being read
		t.Fatal(err)
	}
	if status := send(token("bob"), strings.NewReader(strings.Repeat("x", 30)), 30); status != 429 {
		t.Errorf("another person's body is answered with %d", status)
	}
	if status := send(auth.Principal{Pseudonym: "p-shop"}, strings.NewReader(strings.Repeat("x", 30)), 30); status != 200 {
		t.Errorf("the back end's is answered with %d", status)
	}
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	<-slow
}

// TestABodyThatComesSlowlyHoldsNoPlace, and is what was sent once it is there.
func TestABodyThatComesSlowlyHoldsNoPlace(t *testing.T) {
	c := small()
	c.Bodies = 64 << 20
	c.Bounds[Record] = Bounds{Places: 1}
	a := New(c)
	h := a.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			_, _ = w.Write(body)
		} else {
			http.Error(w, err.Error(), http.StatusRequestTimeout)
		}
	}))
	send := func(body io.Reader, length int64) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/v1/apps/shop/events", body)
		r.ContentLength = length
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}

	for _, length := range []int64{4, -1} {
		body, sender := io.Pipe()
		slow := make(chan *httptest.ResponseRecorder)
		go func() { slow <- send(body, length) }()
		if _, err := sender.Write([]byte("sl")); err != nil { // which returns once it is being read
			t.Fatal(err)
		}
		if w := send(strings.NewReader("fast"), 4); w.Code != 200 || w.Body.String() != "fast" {
			t.Errorf("behind a slow body: %d %s", w.Code, w.Body)
		}
		if _, err := sender.Write([]byte("ow")); err != nil {
			t.Fatal(err)
		}
		if err := sender.Close(); err != nil {
			t.Fatal(err)
		}
		if w := <-slow; w.Code != 200 || w.Body.String() != "slow" {
			t.Errorf("the slow body: %d %s", w.Code, w.Body)
		}
	}

	// A longer one comes whole, too; one that breaks off is an error to its route.
	long := strings.Repeat("x", unsaid+10)
	if w := send(strings.NewReader(long), -1); w.Code != 200 || w.Body.String() != long {
		t.Errorf("%d bytes that did not say so: %d, %d bytes", len(long), w.Code, w.Body.Len())
	}
	if w := send(io.MultiReader(strings.NewReader("x"), failing{io.ErrUnexpectedEOF}), 4); w.Code != 408 {
		t.Errorf("a body that broke off: %d %s", w.Code, w.Body)
	}
	if working, _ := a.lanes[Record].count(); working != 0 || a.bodies.all != 0 {
		t.Errorf("left: %d places, %d bytes", working, a.bodies.all)
	}
}

// TestABulkThatStallsHoldsNoPlace, though it does not say how long it is and much of it has come.
func TestABulkThatStallsHoldsNoPlace(t *testing.T) {
	c := small()
	c.Bodies = 64 << 20
	c.Bounds[Batch] = Bounds{Places: 1}
	a := New(c)
	h := a.Guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	send := func(body io.Reader) int {
		r := httptest.NewRequest("POST", "/v1/apps/shop/events/bulk", body)
		r.Header.Set("Content-Type", "application/x-ndjson")
		r.ContentLength = -1
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}

	body, sender := io.Pipe()
	slow := make(chan int)
	go func() { slow <- send(body) }()
	if _, err := sender.Write(make([]byte, unsaid+2)); err != nil { // which returns once it is read
		t.Fatal(err)
	}
	if _, err := sender.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if status := send(strings.NewReader("fast")); status != 200 {
		t.Errorf("behind a bulk that stalls: %d", status)
	}
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	if status := <-slow; status != 200 {
		t.Errorf("the bulk that stalled: %d", status)
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
				if leave, err := a.Enter(t.Context(), Record, "ann"); err == nil {
					leave()
				}
			}
		})
	}
	all.Wait()
	if l := &a.lanes[Record]; l.working != 0 || len(l.line) != 0 || len(l.works) != 0 || len(l.waits) != 0 {
		t.Errorf("left: %d places, %v in line, %v, %v", l.working, l.line, l.works, l.waits)
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

	// Whose route was found is not looked for again.
	r := httptest.NewRequest("GET", "/v1/replay", nil)
	if r.Pattern = "POST /v1/apps/{app}/check"; ClassOf(r) != Quick {
		t.Error("the route of a request is looked for once more")
	}
	found := ""
	guarded := auth.Guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { found = r.Pattern }), auth.Ways{})
	guarded.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/livez", nil))
	if _, known := ofRoute()[found]; !known {
		t.Errorf("who is authenticated comes by the route %q", found)
	}

	for _, r := range auth.Routes {
		if class := classOf(r); class == Free && r.Operation != auth.Public && r.Operation != auth.Status {
			t.Errorf("%s is never counted", r.Pattern)
		}
	}
}

func TestARefusalSaysWhenToComeAgainAndThatNothingWasDone(t *testing.T) {
	c := small()
	c.Bounds[Record].Line = 0
	a := New(c)
	leave, err := a.Try(Record, "", "")
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

// Over NATS nobody waits in line. One principal holds three quarters of the places at most,
// in however many apps, and one app seven eighths, whatever names its requests go by.
func TestOverNATSOnePrincipalAndOneAppLeavePlacesToOthers(t *testing.T) {
	c := DefaultNATS(0)
	c.Bounds[Record].Places = 16
	a := New(c)
	var leaves []func()
	take := func(who, app string, want Why) {
		t.Helper()
		leave, err := a.Try(Record, who, app)
		if why(err) != want {
			t.Fatalf("%s in %s: %v, want %q", who, app, err, want)
		}
		if err == nil {
			leaves = append(leaves, leave)
		}
	}

	for i := range 12 {
		take("ada", []string{"shop", "bank"}[i%2], "")
	}
	take("ada", "shop", TooMany)
	take("ada", "club", TooMany)
	take("bob", "shop", "")
	take("", "", "")
	take("bob", "shop", "")
	take("bob", "bank", "")
	take("eve", "shop", Full)
	if r, is := errors.AsType[*Refusal](a.refuse(Record, OfApp)); !is || r.Problem().Status != http.StatusTooManyRequests {
		t.Errorf("an app with its part is told %+v", r)
	}

	for _, leave := range leaves {
		leave()
	}
	for i := range 14 {
		take(string(rune('a'+i)), "shop", "")
	}
	take("z", "shop", OfApp)
	take("z", "bank", "")
	for _, leave := range leaves[len(leaves)-15:] {
		leave()
	}
	if l := &a.lanes[Record]; l.working != 0 || len(l.works) > 0 || len(l.ofApps) > 0 {
		t.Errorf("nobody works, and it remembers %d, %v, %v", l.working, l.works, l.ofApps)
	}
}
