package esdbserver

import "errors"

// subscribeAll gives the log's records from behind a position, and goes on
// with those that are written later.
//
// The record at the position, or the first one behind it, is left out without
// a look at what it is: whoever resumes must know that his is still there.
func (r reading) subscribeAll(from int64, start, named bool) error {
	if happens := r.node.current().Subscribing; happens != nil {
		happens()
	}
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
			wanted, err := c.give(e)
			if err != nil {
				return 0, err
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
			if _, err := c.give(e); err != nil {
				return err
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
