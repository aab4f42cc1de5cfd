package esdbserver

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
