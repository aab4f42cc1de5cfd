package esdb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A refusal is what a server's error means for the call that it answers.
type refusal struct {
	means  meaning
	leader string // where the leader is, if the server says so
	err    error
}

type meaning int

const (
	unknown   meaning = iota // the call may have been carried out, now or later
	malformed                // as unknown, but what cannot be served is answered like this each time
	later                    // it was not carried out, and may be if it is made again, here or elsewhere
	shut                     // it was not carried out: user and password are not known, or not yet
	denied                   // it was not carried out: this user may not
	invalid                  // it was not carried out, and never will be
	gone                     // the stream was deleted
)

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

// ErrDenied says that the server does not let this user do what a ledger has to.
var ErrDenied = errors.New("the server denies it")

// read reads the error of a call and its trailers.
func readRefusal(err error, trailer metadata.MD) refusal {
	s, is := status.FromError(err)
	if !is { // a bare io.EOF among others: a refusal may come as one
		return refusal{means: unknown, err: err}
	}

	r := refusal{err: fmt.Errorf("the server answers %s: %s", s.Code(), s.Message())}
	switch exception := one(trailer, "exception"); {
	case exception == "not-leader":
		r.means, r.leader = later, leaderOf(trailer)
		r.err = errors.New("the node is not the leader")
		if r.leader != "" {
			r.err = fmt.Errorf("the node is not the leader, it names %s", r.leader)
		}
	case exception == "stream-deleted":
		r.means = gone
	case s.Code() == codes.Unavailable && strings.Contains(s.Message(), "Not Ready"):
		r.means = later
	case s.Code() == codes.PermissionDenied:
		r.means, r.err = denied, fmt.Errorf("%w: %s", ErrDenied, s.Message())
	case s.Code() == codes.Unauthenticated:
		r.means, r.err = shut, errors.New("the server does not take user and password: Unauthenticated")
	case s.Code() == codes.InvalidArgument || s.Code() == codes.Unimplemented:
		r.means = invalid
	case s.Code() == codes.Unknown:
		r.means = malformed
	}
	return r
}

func one(trailer metadata.MD, name string) string {
	if all := trailer.Get(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

// leaderOf returns the address that a not-leader answer names.
func leaderOf(trailer metadata.MD) string {
	port, err := strconv.Atoi(one(trailer, "leader-endpoint-port"))
	host := one(trailer, "leader-endpoint-host")
	if err != nil || host == "" {
		return ""
	}
	return hostPort(host, port)
}
