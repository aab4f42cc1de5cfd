// Package live counts the streams by which pages hear that something was recorded. Each of
// them is a connection that stays, and so there are at most so many for one principal, and
// in all.
package live

import (
	"context"
	"errors"
	"sync"
)

// Streams are those of one process. The zero Streams lets through what its constants say.
// Its methods may be called concurrently.
type Streams struct {
	Each int // of one principal; zero: [Each]
	All  int // zero: [All]

	mu  sync.Mutex
	of  map[string]int
	all int
}

// How many there may be, where nothing else is said. A browser that speaks HTTP/1.1 has
// six connections to one server, and the pages close the stream of a tab that nobody sees.
const (
	Each = 8
	All  = 256
)

// ErrMany says that a principal has as many streams as one may have, and ErrFull that the
// process has.
var (
	ErrMany = errors.New("you have as many streams open as one may have: close a page first")
	ErrFull = errors.New("as many streams are open as this server keeps: ask again later, or reload the page by hand")
)

// Begin counts a stream of somebody, until end is called.
func (s *Streams) Begin(who string) (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.of[who] >= or(s.Each, Each):
		return nil, ErrMany
	case s.all >= or(s.All, All):
		return nil, ErrFull
	}

	if s.of == nil {
		s.of = map[string]int{}
	}
	s.of[who]++
	s.all++
	return sync.OnceFunc(func() { s.end(who) }), nil
}

func (s *Streams) end(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[who]--; s.of[who] == 0 {
		delete(s.of, who)
	}
}

// Open returns how many there are.
func (s *Streams) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

type closingKey struct{}

// WithClosing returns a context of requests to a server that begins to shut down once
// closing is closed. Requests that end by themselves may still do; streams do not.
func WithClosing(ctx context.Context, closing <-chan struct{}) context.Context {
	return context.WithValue(ctx, closingKey{}, closing)
}

// Closing reports whether the server that a request was sent to is shutting down.
func Closing(ctx context.Context) bool {
	closing, _ := ctx.Value(closingKey{}).(<-chan struct{})
	select {
	case <-closing: // nil blocks
		return true
	default:
		return false
	}
}
