package admission

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// interval is for how long a line is never empty before it counts as one that stands.
const interval = 100 * time.Millisecond

// A lane is the places of one class, and the line before them.
type lane struct {
	bounds    Bounds
	mostWorks int // of one principal at once; zero: all
	mostWaits int // of one principal in line
	mostOfApp int // of all of one app at once; zero: all
	refused   atomic.Int64

	mu      sync.Mutex
	working int
	line    []*waiter // in the order in which they came
	emptied time.Time // when the line was empty last; it counts while somebody is in it
	works   map[string]int
	waits   map[string]int
	ofApps  map[string]int // of works, by the app that they are for; only of those who tried
}

// A waiter is a request in line.
type waiter struct {
	who  string
	came time.Time
	turn chan Why // gets one value: empty: a place; else why there is none
}

func (l *lane) open(b Bounds, share, apps float64) {
	l.bounds = b
	l.works, l.waits, l.ofApps = map[string]int{}, map[string]int{}, map[string]int{}
	if apps > 0 {
		l.mostOfApp = max(1, int(apps*float64(b.Places)))
	}
	if share > 0 {
		l.mostWorks = max(1, int(share*float64(b.Places)))
		l.mostWaits = max(1, int(share*float64(b.Line)))
	}
}

// enter takes a place, and waits for it in line. If there is none it says why; the error is
// that of ctx.
func (l *lane) enter(ctx context.Context, who string) (leave func(), why Why, err error) {
	w, why := l.queue(who)
	if why != "" {
		return nil, why, nil
	}
	leave = func() { l.leave(who) }
	if w == nil {
		return leave, "", nil
	}

	patience := time.NewTimer(l.bounds.Patience)
	defer patience.Stop()
	select {
	case why = <-w.turn:
		return leave, why, nil
	case <-patience.C:
		why = l.whyWaits(who)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if !l.forget(w) { // the turn came at this moment
		if why, err = <-w.turn, nil; why == "" {
			return leave, "", nil
		}
	}
	return nil, why, err
}

// queue takes a place if there is one, or else one in line. Why is why there is neither.
func (l *lane) queue(who string) (w *waiter, why Why) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mayWork(who) {
		l.take(who)
		return nil, ""
	}
	if who != "" && l.mostWorks > 0 && (l.waits[who] >= l.mostWaits || l.holdsPart(who) && l.lineIsFull()) {
		return nil, TooMany
	}
	if l.lineIsFull() {
		return nil, Full
	}

	now := time.Now()
	if len(l.line) == 0 {
		l.emptied = now
	}
	w = &waiter{who: who, came: now, turn: make(chan Why, 1)}
	l.line = append(l.line, w)
	l.waits[who]++
	return w, ""
}

func (l *lane) lineIsFull() bool { return len(l.line) >= l.bounds.Line }

// mayWork reports whether there is a place for somebody now. The caller holds mu.
func (l *lane) mayWork(who string) bool { return l.working < l.bounds.Places && !l.holdsPart(who) }

// holdsPart reports whether a principal has as many places as one may. The caller holds mu.
func (l *lane) holdsPart(who string) bool {
	return who != "" && l.mostWorks > 0 && l.works[who] >= l.mostWorks
}

// take gives a place to somebody. The caller holds mu.
func (l *lane) take(who string) {
	l.working++
	l.works[who]++
}

// leave gives a place back, to whoever is next.
func (l *lane) leave(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.working--
	less(l.works, who)
	l.advance(time.Now())
}

// advance lets those in line have the places that there are, and refuses who waited too
// long in a line that stands. Who has as many places as one may is passed over. The caller
// holds mu.
func (l *lane) advance(now time.Time) {
	stands := l.bounds.Target > 0 && len(l.line) > 0 && now.Sub(l.emptied) > interval
	for i := 0; i < len(l.line) && l.working < l.bounds.Places; {
		w := l.line[i]
		if l.holdsPart(w.who) {
			i++
			continue
		}
		l.line = slices.Delete(l.line, i, i+1)
		less(l.waits, w.who)
		if stands && now.Sub(w.came) > l.bounds.Target {
			w.turn <- Full
			continue
		}
		l.take(w.who)
		w.turn <- ""
	}
}

// forget takes somebody out of the line who does not wait any longer. It reports false if
// their turn has come already.
func (l *lane) forget(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.line, w)
	if i < 0 {
		return false
	}
	l.line = slices.Delete(l.line, i, i+1)
	less(l.waits, w.who)
	return true
}

// whyWaits returns why somebody in line has no place.
func (l *lane) whyWaits(who string) Why {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holdsPart(who) {
		return TooMany
	}
	return Full
}

// try takes a place that is there now, or says why there is none.
func (l *lane) try(who, app string) (leave func(), why Why) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.holdsPart(who):
		return nil, TooMany
	case app != "" && l.mostOfApp > 0 && l.ofApps[app] >= l.mostOfApp:
		return nil, OfApp
	case l.working >= l.bounds.Places:
		return nil, Full
	}
	l.take(who)
	l.ofApps[app]++
	return func() { l.leaveApp(who, app) }, ""
}

// leaveApp gives a place back that was taken by try.
func (l *lane) leaveApp(who, app string) {
	l.mu.Lock()
	less(l.ofApps, app)
	l.mu.Unlock()
	l.leave(who)
}

// count returns how many have a place, and how many wait.
func (l *lane) count() (working, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.working, len(l.line)
}

// isFull reports whether there is neither a place nor room in line for anybody.
func (l *lane) isFull() bool {
	working, waiting := l.count()
	return working >= l.bounds.Places && waiting >= l.bounds.Line
}

// less counts one less, and remembers nothing of who has nothing.
func less(counts map[string]int, who string) {
	if counts[who]--; counts[who] == 0 {
		delete(counts, who)
	}
}

// held is bytes that are held at once, by somebody each.
type held struct {
	most, part int64 // of all, and of one principal; zero: all

	mu    sync.Mutex
	all   int64
	asked int64 // of questions
	by    map[string]int64
}

func (h *held) open(most int64, share float64) {
	h.most, h.part, h.by = most, int64(share*float64(most)), map[string]int64{}
}

// asks reports whether a class records nothing. Nearly everybody may ask: the bodies of
// questions hold at most half, so that nobody who may only ask keeps others from recording.
func asks(class Class) bool { return class == Quick || class == Heavy }

// take takes so many bytes for somebody, or says why there are none.
func (h *held) take(class Class, who string, bytes int64) (why Why) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case bytes == 0:
		return ""
	case h.all+bytes > h.most, asks(class) && h.asked+bytes > h.most/2:
		return Bodies
	case who != "" && h.part > 0 && h.by[who]+bytes > h.part:
		return TooMany
	}
	h.all += bytes
	h.by[who] += bytes
	if asks(class) {
		h.asked += bytes
	}
	return ""
}

func (h *held) give(class Class, who string, bytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all -= bytes
	if asks(class) {
		h.asked -= bytes
	}
	if h.by[who] -= bytes; h.by[who] <= 0 {
		delete(h.by, who)
	}
}
