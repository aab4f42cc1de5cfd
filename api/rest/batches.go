package rest

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"consentledger/api/wire"
)

// How many batches are recorded at once, and how long another one waits for its
// turn. Four already keep every CPU and the disk busy: more of them would all
// take longer, and no more events would be recorded in a second.
const (
	batchesAtOnce = 4
	batchPatience = 5 * time.Second
)

// A gate lets so many batches be recorded at once. The others wait in line, and
// whoever waited too long is told when to come again, with nothing recorded.
type gate struct {
	places   chan struct{}
	patience time.Duration

	mu   sync.Mutex
	took time.Duration // what a batch took lately
}

func newGate(places int, patience time.Duration) *gate {
	return &gate{places: make(chan struct{}, places), patience: patience}
}

// enter waits for a turn. The caller calls leave when its batch is recorded.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	turn := time.NewTimer(g.patience)
	defer turn.Stop()

	select {
	case g.places <- struct{}{}:
	case <-turn.C:
		return nil, busyError{g.comeAgain()}
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	begun := time.Now()
	return func() {
		g.learn(time.Since(begun))
		<-g.places
	}, nil
}

// learn takes note of how long a batch took: old ones count for less and less.
func (g *gate) learn(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.took == 0 {
		g.took = took
	}
	g.took += (took - g.took) / 4
}

// comeAgain returns in how many seconds a place is likely to be free: one at
// least, a minute at most.
func (g *gate) comeAgain() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return min(60, max(1, int(math.Ceil(g.took.Seconds()))))
}

// A busyError says that a batch got no turn, and in how many seconds to send it
// again.
type busyError struct{ seconds int }

func (e busyError) Error() string {
	return "other batches are being recorded; nothing of this one was: send it again in " + strconv.Itoa(e.seconds) +
		" s, or fewer at a time"
}

const busyCode = "too-many-batches"

func (e busyError) problem() wire.Problem {
	return wire.Problem{
		Type: "urn:consentledger:problem:" + busyCode, Title: "Too many batches", Status: http.StatusTooManyRequests,
		Code: busyCode, Detail: e.Error(), Outcome: wire.Refused,
	}
}

// busyOf returns the busyError that err is.
func busyOf(err error) (busyError, bool) { return errors.AsType[busyError](err) }
