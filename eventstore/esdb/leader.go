package esdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// link returns the link to the leader. If there is none it waits until one is
// found: at most as long as ctx lets it, and not if the server does not let us in.
func (s *Store) link(ctx context.Context) (*link, error) {
	for {
		l, more, err := s.leader()
		if l != nil || err != nil {
			return l, err
		}
		select {
		case <-more:
		case <-s.life.Done():
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, s.noLeader(ctx)
		}
	}
}

// noLeader says why nobody was found before ctx ended.
func (s *Store) noLeader(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused != nil {
		return fmt.Errorf("esdb: no leader at %s: %w: %w", s.address, s.refused, ctx.Err())
	}
	return fmt.Errorf("esdb: no leader at %s yet: %w", s.address, ctx.Err())
}

// leader returns the current link, or what is closed when there is news. If
// nobody looks for one it has somebody look.
func (s *Store) leader() (*link, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.life.Err() != nil:
		return nil, nil, ErrClosed
	case s.current != nil:
		return s.current, nil, nil
	case s.finding == nil && s.shutOut != nil && time.Since(s.shutAt) < shutFor:
		return nil, nil, s.shutOut
	}

	if s.finding == nil {
		s.finding = make(chan struct{})
		s.work.Go(s.find)
	}
	return nil, s.finding, nil
}

// shutFor is how long a server's "you may not" is repeated to callers before it
// is asked again.
const shutFor = time.Second

// find looks for the leader until it is found, the server does not let us in, or
// the store is closed.
func (s *Store) find() {
	began := time.Now()
	for round := 0; ; round++ {
		l, err := s.look(min(s.address.gossip, time.Second<<min(round, 6)))
		if s.found(l, err, began) {
			return
		}
		if !pause(s.life, round, s.address.interval) {
			s.found(nil, ErrClosed, began)
			return
		}
	}
}

// found ends the search that began at a time, or reports that it goes on.
func (s *Store) found(l *link, err error, began time.Time) bool {
	var late *link // it was found when the store was closed already
	defer func() {
		if late != nil {
			late.close()
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.life.Err() != nil
	if out {
		l, late = nil, l
	}
	r, _ := errors.AsType[refusal](err)
	if r.means == denied || r.means == invalid || r.means == shut && time.Since(began) > shutUntil {
		s.shutOut, s.shutAt, out = fmt.Errorf("esdb: %s: %w", s.address, err), time.Now(), true
	}
	if l == nil && !out {
		s.refused = err
		return false
	}

	if l != nil {
		s.current, s.refused, s.shutOut = l, nil, nil
		s.work.Go(func() {
			l.watch()
			s.drop(l, "")
		})
	}
	close(s.finding)
	s.finding = nil
	return true
}

// pause waits before another try: the longer, the more there were, and never the
// same time for all who try.
func pause(ctx context.Context, tries int, least time.Duration) bool {
	longest := min(least<<min(tries, 6), time.Second)
	wait := time.NewTimer(longest/2 + rand.N(longest/2+1))
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// look tries every node that is known, once, and goes where they say that the
// leader is. A node is taken if it acknowledges an append of no events, in the time
// that each has. One that sleeps must not keep us from the others: whoever has not
// answered soon is waited for beside the next. Nor must it keep us from whom they
// choose meanwhile: as long as one is waited for, those that named no leader are asked
// again. Its answer still counts, however late it comes: it may be slow, and lead.
func (s *Store) look(each time.Duration) (*link, error) {
	ctx, cancel := context.WithCancel(s.life)
	defer cancel() // who comes second is not needed
	answers := make(chan tried)
	soon, again := time.NewTimer(hedge), time.NewTimer(each)
	defer soon.Stop()
	defer again.Stop()

	var last error
	var answered []string // by nodes that do not lead
	list, asked, asking := s.candidates(), make(map[string]bool), 0
	silent := make(map[string]bool) // of those that were asked first, who has not answered
	first := true
	for next := true; ; {
		for next && len(list) > 0 {
			host := list[0]
			list = list[1:]
			if !asked[host] {
				asked[host], next = true, false
				if first {
					silent[host] = true
				}
				asking++
				s.work.Go(func() { s.answer(ctx, host, each, answers) })
				soon.Reset(hedge)
			}
		}
		if asking == 0 {
			return nil, last
		}

		select {
		case <-soon.C:
			next = true
		case <-again.C:
			if len(silent) == 0 {
				break // the round is nearly over
			}
			for _, host := range answered {
				delete(asked, host)
			}
			list, answered, next, first = append(list, answered...), nil, true, false
		case a := <-answers:
			if a.err == nil {
				return a.link, nil
			}
			if last == nil || !isShut(last) {
				last = fmt.Errorf("%s: %w", a.host, a.err)
			}
			list, asking, next = append(slices.Clone(a.named), list...), asking-1, true
			delete(silent, a.host)
			answered = append(answered, a.host)
			again.Reset(hedge)
		case <-ctx.Done():
			return nil, last
		}
	}
}

// hedge is how long a node is waited for until the next is asked, too.
const hedge = 250 * time.Millisecond

// A tried is what came of trying a node.
type tried struct {
	host  string
	link  *link
	named []string
	err   error
}

// answer tries a node and tells who is still looking.
func (s *Store) answer(ctx context.Context, host string, long time.Duration, answers chan<- tried) {
	l, named, err := s.try(ctx, host, long)
	select {
	case answers <- tried{host, l, named, err}:
	case <-ctx.Done():
		s.end(l)
	}
}

func isShut(err error) bool {
	r, is := errors.AsType[refusal](err)
	return is && (r.means == shut || r.means == denied)
}

// candidates returns the nodes to try: first the one that was named as leader,
// the others in any order.
func (s *Store) candidates() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	others := append(slices.Clone(s.address.hosts), s.members...)
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	if s.hint == "" {
		return others
	}
	hint := s.hint
	s.hint = ""
	return append([]string{hint}, others...)
}

// try connects to a node and has it prove that it leads. If it does not, it
// returns whom it names.
func (s *Store) try(ctx context.Context, host string, long time.Duration) (l *link, named []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	l, err = s.address.dial(ctx, host)
	if err != nil {
		s.end(l)
		return nil, nil, readRefusal(err, nil)
	}

	began := s.asks.began()
	err = s.question(ctx, l)
	if s.address.discover {
		named = s.meet(ctx, l)
	}
	if err == nil {
		err = s.unchanged(ctx, l)
	}
	if err == nil {
		s.asks.answer(began)
		return l, nil, nil
	}
	s.end(l)
	if r, is := errors.AsType[refusal](err); is && r.leader != "" {
		named = append([]string{r.leader}, named...)
	}
	return nil, named, err
}

// meet asks a node for the others.
func (s *Store) meet(ctx context.Context, l *link) []string {
	named, err := l.members(ctx)
	if err != nil || len(named) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = named
	return named
}

// drop ends a link, because of what a call on it got: what comes next is a search
// that begins with the node that was named. It may be told twice.
func (s *Store) drop(l *link, leader string) {
	s.mu.Lock()
	if s.current == l {
		s.current = nil
		if leader != "" {
			s.hint = leader
		}
	}
	s.mu.Unlock()
	s.end(l)
}

// end ends a link. Nobody waits for its connection to end: a node that sleeps reads
// nothing, and keeps whoever closes one for seconds.
func (s *Store) end(l *link) {
	if l == nil || l.closed.Load() {
		return
	}
	l.end()
	if !s.spawn(l.close) {
		l.close()
	}
}

// isCurrent reports whether reads that begin now use l.
func (s *Store) isCurrent(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current == l
}
