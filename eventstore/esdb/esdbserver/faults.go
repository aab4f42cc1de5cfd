package esdbserver

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Faults are what a node does otherwise than it is asked, as real nodes were
// seen to. The zero Faults are none. They hold until others are set; what
// happens at a moment, such as an exit, is a method of [Server].
type Faults struct {
	// Append decides what becomes of an append; nil, or a nil Fate: what was
	// asked for. It is not asked about what is refused without a write.
	Append func(Write) *Fate

	// Wait is how long a node waits before it answers that time has run out.
	// A real one waits 2 to 5 s.
	Wait time.Duration

	// Subscribing, if set, is called when somebody subscribes to the log, before
	// the node looks what is at the position: another may change that just then.
	Subscribing func()

	// Silent subscriptions give nothing and do not end, as at a leader that
	// was cut off.
	Silent bool

	// Lagging readers see the log as it was when this was set.
	Lagging bool

	// Deposed is a leader that woke and does not know that there is another:
	// with Lagging it answers reads, also those that require the leader, from
	// what it has, and every append, of no events too, is cancelled.
	Deposed bool

	// HalfCloseLosesWrites drops the requests of a BatchAppend call that stand
	// behind the first answer after the client's half-close. Their answers are
	// lost without it too.
	HalfCloseLosesWrites bool

	// Early refusals come before the events of an append were read: to a
	// client that still sends they look like the end of the call.
	Early bool

	// NoRights are refused to everybody, with the words of a node that has
	// users.
	NoRights Rights
}

// Rights are what a client may do, or what it may not.
type Rights struct{ Append, ReadStream, ReadAll, Delete, Metadata bool }

// A Write is an append that is about to be made.
type Write struct {
	Stream string
	Events int // 0: a question
	Number int // of the appends at this node, from 1
}

// A Fate is what becomes of an append. The zero Fate: it is written, and its
// writer is told.
type Fate struct {
	Lost bool // it is not written; its writer is not told that it was
	Say  Saying
}

// A Saying is what a writer is told instead of the truth.
type Saying uint8

const (
	TheTruth          Saying = iota
	CommitTimeout            // ABORTED
	ForwardingTimeout        // ABORTED
	Cancelled                // ABORTED
	Exhausted                // RESOURCE_EXHAUSTED
	DeadlineExceeded         // DEADLINE_EXCEEDED
	HandlerFailed            // UNKNOWN
	ShuttingDown             // INTERNAL, as a reset of the call looks
	ConnectionReset          // nothing: the connection breaks
)

var sayings = map[Saying]error{
	CommitTimeout:     status.Error(codes.Aborted, "Operation timed out: Commit phase timeout."),
	ForwardingTimeout: status.Error(codes.Aborted, "Operation timed out: Forwarding timeout"),
	Cancelled:         status.Error(codes.Aborted, "Operation timed out: Request canceled by server"),
	Exhausted:         status.Error(codes.ResourceExhausted, "Bandwidth exhausted or memory limit exceeded"),
	DeadlineExceeded:  status.Error(codes.DeadlineExceeded, "Deadline Exceeded"),
	HandlerFailed:     errHandler,
	ShuttingDown:      status.Error(codes.Internal, "Received RST_STREAM with code 0 (Call ended without gRPC status)"),
	ConnectionReset:   status.Error(codes.Unavailable, "Connection dropped"), // sent into a connection that is closed
}

var (
	errNotReady = status.Error(codes.Unavailable, "Server Is Not Ready")
	errTooSlow  = status.Error(codes.Aborted,
		"Operation timed out: Consumer too slow to handle event while live. Client resubscription required.")
)

// SetFaults makes the node do what f says from now on.
func (s *Server) SetFaults(f Faults) {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()

	s.faults = f
	s.seen = -1
	if f.Lagging {
		s.seen = s.engine.readable()
	}
	s.engine.notify()
}

func (s *Server) current() Faults {
	s.engine.mu.RLock()
	defer s.engine.mu.RUnlock()
	return s.faults
}

// write makes an append, as the node's part in the cluster and its faults
// allow. Its errors are gRPC statuses.
func (s *Server) write(
	stream grpc.ServerStream, name string, expected expectation, events []proposal,
) (outcome, error) {
	if err := s.slept(stream.Context()); err != nil {
		return outcome{}, err
	}
	if err := s.mayWrite(stream); err != nil {
		return outcome{}, err
	}
	if fate := s.fateOf(name, len(events)); fate != nil {
		return s.suffer(stream, *fate, name, expected, events)
	}

	out, held := s.engine.append(name, expected, events)
	if held {
		return out, s.ranOut(stream.Context(), CommitTimeout)
	}
	return out, nil
}

// exitAfter is how long a node with a full disk lives after its last answer.
const exitAfter = 200 * time.Millisecond

func (s *Server) fateOf(name string, events int) *Fate {
	s.engine.mu.Lock()
	s.appends++
	w := Write{Stream: name, Events: events, Number: s.appends}
	decide, full := s.faults.Append, s.diskFull
	s.engine.mu.Unlock()

	switch {
	case full:
		time.AfterFunc(s.current().Wait+exitAfter, s.Exit)
		return &Fate{Lost: true, Say: CommitTimeout}
	case decide != nil:
		return decide(w)
	}
	return nil
}

// suffer lets an append have its fate.
func (s *Server) suffer(
	stream grpc.ServerStream, f Fate, name string, expected expectation, events []proposal,
) (outcome, error) {
	say := f.Say
	if f.Lost && say == TheTruth {
		say = CommitTimeout
	}
	var out outcome
	if f.Lost {
		// What would be refused is refused all the same: that takes no write.
		if refused := s.engine.wouldRefuse(name, expected, events); refused != nil {
			return *refused, nil
		}
	} else {
		out, _ = s.engine.append(name, expected, events)
		if out.refusal != accepted {
			return out, nil
		}
	}

	switch say {
	case TheTruth:
		return out, nil
	case ConnectionReset:
		s.reset(stream.Context())
		return outcome{}, sayings[say]
	}
	return outcome{}, s.ranOut(stream.Context(), say)
}

// ranOut waits as a node does before it says that time has run out.
func (s *Server) ranOut(ctx context.Context, say Saying) error {
	select {
	case <-time.After(s.current().Wait):
	case <-ctx.Done():
	}
	return sayings[say]
}
