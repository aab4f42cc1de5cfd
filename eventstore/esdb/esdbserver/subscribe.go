package esdbserver

import "errors"

// subscribeStream gives a stream's events from a revision on, and goes on with
// those that are written later.
//
// A stream that is not there is waited for, and caught up with after its first
// event; only from its end, and with 25.0.1, there is nothing to catch up with.
func (r reading) subscribeStream(name string, from int64) error {
	grown := r.history.grown()
	st, err := r.history.state(r.ctx(), name, 0)
	switch {
	case err != nil:
		return err
	case st.tombstone != nil && (from != fromEnd || r.kurrent):
		return refuseDeleted(r.stream, name)
	case from == fromEnd:
		return r.followStreamEnd(name, st)
	}
	if err := r.confirm(); err != nil {
		return err
	}

	if !st.readable() && r.kurrent {
		if err := r.caughtUp(); err != nil {
			return err
		}
		return r.followStream(name, max(from, st.last+1))
	}
	for !st.readable() {
		if err := r.wait(grown); err != nil {
			return err
		}
		grown = r.history.grown()
		if st, err = r.history.state(r.ctx(), name, 0); err != nil {
			return err
		}
		if st.tombstone != nil {
			return refuseDeleted(r.stream, name)
		}
	}

	for end := false; !end; {
		events, next, last, err := r.forwardPage(name, st, from, page)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := r.event(e); err != nil {
				return err
			}
		}
		from, end = max(from, next), last
		if end {
			if st, err = r.history.state(r.ctx(), name, st.last+1); err != nil {
				return err
			}
			end = from > st.last
		}
	}
	if err := r.caughtUp(); err != nil {
		return err
	}
	return r.followStream(name, from)
}

func (r reading) followStreamEnd(name string, st state) error {
	if err := r.confirm(); err != nil {
		return err
	}
	if err := r.caughtUp(); err != nil {
		return err
	}
	if st.tombstone != nil { // nothing will ever come, and nobody is told
		return r.wait(nil)
	}
	return r.followStream(name, st.last+1)
}

// followStream gives every event from a revision on as it is written, hidden
// by limits or not. A tombstone is the last.
func (r reading) followStream(name string, from int64) error {
	for {
		if err := r.unsilenced(); err != nil {
			return err
		}
		grown := r.history.grown()
		st, err := r.history.state(r.ctx(), name, from)
		if err != nil {
			return err
		}
		events, err := r.history.between(r.ctx(), name, from, st.last)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := r.event(e); err != nil {
				return err
			}
			from = e.revision + 1
		}

		if st.tombstone != nil {
			if st.tombstone.stream == name {
				if err := r.event(st.tombstone); err != nil {
					return err
				}
			}
			return refuseDeleted(r.stream, name)
		}
		if len(events) > 0 {
			continue
		}
		if err := r.wait(grown); err != nil {
			return err
		}
	}
}

// wait returns when the history has grown, or the call has ended.
func (r reading) wait(grown <-chan struct{}) error {
	select {
	case <-grown:
		return nil
	case <-r.cut.done:
		return r.cut.err
	case <-r.ctx().Done():
		return fromContext(r.ctx().Err())
	}
}

// unsilenced returns when subscriptions at this node may speak.
func (r reading) unsilenced() error {
	for {
		grown := r.history.grown()
		if !r.node.current().Silent {
			return nil
		}
		if err := r.wait(grown); err != nil {
			return err
		}
	}
}

// subscribeAll gives the log's records from behind a position, and goes on
// with those that are written later.
//
// The record at the position, or the first one behind it, is left out without
// a look at what it is: whoever resumes must know that his is still there.
func (r reading) subscribeAll(from int64, start, named bool) error {
	end, err := r.history.end(r.ctx())
	if err != nil {
		return err
	}
	live := from >= end
	switch {
	case r.kurrent && named && from > end: // it never comes to what was asked for
		return r.silence()
	case live:
		from = end
	case !start:
		if from, err = r.behindFirst(from); err != nil {
			return err
		}
	}
	if err := r.confirm(); err != nil {
		return err
	}

	c := checkpoints{reading: r, pageStart: from}
	if !live {
		if from, err = c.catchUp(from); err != nil {
			return err
		}
	}
	if err := r.caughtUp(); err != nil {
		return err
	}
	return c.follow(from)
}

// silence confirms, says that the reader is up to date, and gives nothing.
func (r reading) silence() error {
	if err := r.confirm(); err != nil {
		return err
	}
	if err := r.caughtUp(); err != nil {
		return err
	}
	return r.wait(nil)
}

// behindFirst returns the position behind the first event at or after from.
func (r reading) behindFirst(from int64) (int64, error) {
	for {
		records, next, err := r.history.forwards(r.ctx(), from, 1)
		switch {
		case errors.Is(err, errNoRecord) && r.kurrent:
			if err := r.confirm(); err != nil {
				return 0, err
			}
			return 0, invalid("Trying to read from an invalid position.")
		case errors.Is(err, errNoRecord):
			return 0, errHandler
		case err != nil:
			return 0, err
		case next == from || len(records) > 0 && records[0].kind == event:
			return next, nil
		}
		from = next
	}
}

// checkpoints counts what a filter has looked at. Without a filter nobody is
// told.
type checkpoints struct {
	reading
	looked int64 // since the last checkpoint

	// The page that is being read, while catching up.
	pageStart  int64
	pageLooked int64
	pageEvents int64
	pageLast   int64 // position of its last event, if it has one
}

// catchUp gives the records from a position to the end of the log, and returns
// where that was. Checkpoints stand at the ends of pages.
func (c *checkpoints) catchUp(from int64) (int64, error) {
	for {
		records, next, err := c.history.forwards(c.ctx(), from, chunk)
		if err != nil {
			return 0, err
		}
		if next == from {
			c.looked += c.pageLooked
			return from, c.arrive()
		}
		from = next

		for _, e := range records {
			if e.kind == nothing {
				continue
			}
			wanted := c.wants(e)
			if wanted {
				if err := c.event(e); err != nil {
					return 0, err
				}
			}
			if c.filter == nil {
				continue
			}
			if err := c.lookedAt(e, wanted); err != nil {
				return 0, err
			}
		}
	}
}

// arrive ends the last page. With 25.0.1 one more checkpoint stands there, and
// what comes live is counted anew.
func (c *checkpoints) arrive() error {
	if !c.kurrent || c.filter == nil {
		return nil
	}
	c.looked = 0
	return c.checkpoint(c.pagePlace())
}

// pagePlace returns where a checkpoint of the page stands: at its last event,
// or before its first record.
func (c *checkpoints) pagePlace() (commit, prepare int64) {
	if c.pageEvents > 0 {
		return c.pageLast, c.pageLast
	}
	return c.pageStart, 0
}

// lookedAt counts a record into the page, and ends the page when it is full.
func (c *checkpoints) lookedAt(e *record, wanted bool) error {
	c.pageLooked++
	if wanted {
		c.pageEvents++
		c.pageLast = e.position
	}
	if c.pageLooked < c.filter.window && c.pageEvents < page {
		return nil
	}

	commit, prepare := c.pagePlace()
	c.looked += c.pageLooked
	c.pageStart, c.pageLooked, c.pageEvents = e.behind, 0, 0

	if interval := c.filter.window * c.filter.multiplier; c.looked >= interval {
		c.looked %= interval
		return c.checkpoint(commit, prepare)
	}
	return nil
}

// follow gives the records from a position on as they are written. Checkpoints
// stand at records.
func (c *checkpoints) follow(from int64) error {
	for {
		if err := c.unsilenced(); err != nil {
			return err
		}
		grown := c.history.grown()
		records, next, err := c.history.forwards(c.ctx(), from, chunk)
		if err != nil {
			return err
		}
		if next == from {
			if err := c.wait(grown); err != nil {
				return err
			}
			continue
		}
		from = next

		for _, e := range records {
			if e.kind == nothing {
				continue
			}
			if c.wants(e) {
				if err := c.event(e); err != nil {
					return err
				}
			}
			if c.filter == nil {
				continue
			}
			if c.looked++; c.looked >= c.filter.window*c.filter.multiplier {
				c.looked = 0
				if err := c.checkpoint(e.position, e.position); err != nil {
					return err
				}
			}
		}
	}
}
