package esdbserver

import (
	"errors"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// chunk is how many records of the log are taken at a time.
const chunk = 512

// all reads the log, or subscribes to it.
func (r reading) all(o *streams.ReadReq_Options_AllOptions) error {
	from := int64(0)
	start, before, named := false, false, false
	switch v := o.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		position, err := parsePosition(v.Position)
		if err != nil {
			return err
		}
		from = position
		start = position == 0
		named = position != endOfLog
		before = v.Position.GetPreparePosition() < v.Position.GetCommitPosition()
	case *streams.ReadReq_Options_AllOptions_Start:
		start = true
	case *streams.ReadReq_Options_AllOptions_End:
		from = endOfLog
	default:
		return errHandler
	}

	switch {
	case r.subscription:
		return r.subscribeAll(from, start || r.kurrent && before, named)
	case r.backwards:
		return r.allBackwards(from, before)
	case from == endOfLog:
		return nil
	}
	return r.allForwards(from)
}

// parsePosition reads a position of the log. 2^64-1 is its end. Prepare may be
// smaller than commit, as in checkpoints.
func parsePosition(p *streams.ReadReq_Options_Position) (int64, error) {
	commit, prepare := p.GetCommitPosition(), p.GetPreparePosition()
	switch {
	case commit == 1<<64-1 && prepare == 1<<64-1:
		return endOfLog, nil
	case prepare > commit, commit >= 1<<63:
		return 0, errHandler
	}
	return int64(commit), nil
}

// wants says whether the reader is given a record.
func (r reading) wants(e *record) (bool, error) {
	if r.filter != nil {
		return r.filter.matches(e)
	}
	return e.kind == event, nil
}

// give sends a record to a reader who wants it.
func (r reading) give(e *record) (given bool, _ error) {
	wanted, err := r.wants(e)
	if err != nil || !wanted {
		return false, err
	}
	return true, r.event(e)
}

func (r reading) allForwards(from int64) error {
	for left := r.count; left > 0; {
		records, next, err := r.history.forwards(r.ctx(), from, int(min(left, chunk)))
		if err != nil {
			return r.allError(err)
		}
		if next == from {
			return nil
		}
		from = next

		for _, e := range records {
			given, err := r.give(e)
			if err != nil {
				return err
			}
			if given {
				left--
			}
			if left == 0 {
				return nil
			}
		}
	}
	return nil
}

// allBackwards gives the records before a position. If the position stands
// before a record and not at one, as in checkpoints, the real server leaves one
// more out.
func (r reading) allBackwards(before int64, beforeRecord bool) error {
	if beforeRecord {
		records, err := r.history.backwards(r.ctx(), before, 1)
		if err != nil {
			return r.allError(err)
		}
		if len(records) > 0 {
			before = records[0].position
		}
	}

	for left := r.count; left > 0; {
		records, err := r.history.backwards(r.ctx(), before, int(min(left, chunk)))
		if err != nil {
			return r.allError(err)
		}
		if len(records) == 0 {
			return nil
		}
		before = records[len(records)-1].position

		for _, e := range records {
			given, err := r.give(e)
			if err != nil {
				return err
			}
			if given {
				left--
			}
			if left == 0 {
				return nil
			}
		}
	}
	return nil
}

func (r reading) allError(err error) error {
	switch {
	case errors.Is(err, errNoRecord) && r.kurrent:
		return status.Error(codes.Unknown, "Unexpected ReadAllResult: InvalidPosition")
	case errors.Is(err, errNoRecord), errors.Is(err, errBeyond):
		return errReadAll
	}
	return err
}
