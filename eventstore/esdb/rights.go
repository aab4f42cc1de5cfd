package esdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// The events by which an administrator gives a ledger's user its rights, for the
// messages of [Store.CheckRights].
const (
	grantStreams = `append to the stream $settings one JSON event of type $settings: {"$userStreamAcl":{"$r":["%[1]s"],"$w":["%[1]s"],"$d":[],"$mr":[],"$mw":[]}}`
	grantAll     = `append to the stream $$$all one JSON event of type $metadata: {"$acl":{"$r":["%[1]s"]}}`
)

// CheckRights finds out what the server lets us do. A right that a ledger needs
// and does not have is an error that wraps [ErrDenied] and says how an
// administrator gives it. Rights that it should not have are warnings. It writes
// nothing: what is tried cannot succeed.
func (s *Store) CheckRights(ctx context.Context) (warnings []string, err error) {
	ctx, cancel := patient(ctx)
	defer cancel()
	l, err := s.link(ctx)
	if errors.Is(err, ErrDenied) {
		return nil, fmt.Errorf("%w: the ledger may not append: as an administrator, %s", err,
			fmt.Sprintf(grantStreams, s.user()))
	}
	if err != nil {
		return nil, err
	}
	for _, need := range []struct {
		o           *streams.ReadReq_Options
		what, grant string
	}{
		{s.newest("a"), "read its streams", grantStreams},
		{s.headOf(), "read $all", grantAll},
	} {
		if _, err := s.fetch(ctx, false, need.o); err != nil {
			if errors.Is(err, ErrDenied) {
				err = fmt.Errorf("%w: the ledger may not %s: as an administrator, %s", err, need.what,
					fmt.Sprintf(need.grant, s.user()))
			}
			return nil, err
		}
	}
	if s.address.tls == nil {
		return []string{"without TLS the server knows no users: whoever reaches it may change and delete the " +
			"ledger's history"}, nil
	}

	for _, much := range []struct {
		what string
		try  func(context.Context, *link) (metadata.MD, error)
	}{
		{"delete its streams", s.tryDelete},
		{"limit its streams by their metadata", s.tryMetadata},
	} {
		call, cancel := l.call(ctx)
		trailer, err := much.try(call, l)
		cancel()
		if r := readRefusal(err, trailer); err == nil || r.means != denied {
			warnings = append(warnings, fmt.Sprintf("the ledger may %s, which it never does: as an administrator, %s",
				much.what, fmt.Sprintf(grantStreams, s.user())))
		}
	}
	return warnings, nil
}

func (s *Store) user() string {
	if s.address.user == "" {
		return "ledger"
	}
	return s.address.user
}

// tryDelete deletes a stream that does not exist, which nobody can: who may not
// delete at all is told so first.
func (s *Store) tryDelete(ctx context.Context, l *link) (trailer metadata.MD, err error) {
	o := &streams.DeleteReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(s.neverStream)},
		ExpectedStreamRevision: &streams.DeleteReq_Options_Revision{Revision: 1 << 40},
	}
	_, err = l.streams.Delete(ctx, &streams.DeleteReq{Options: o}, grpc.Trailer(&trailer))
	return trailer, err
}

// tryMetadata appends nothing to the metadata of that stream.
func (s *Store) tryMetadata(ctx context.Context, l *link) (trailer metadata.MD, err error) {
	_, err = appendOnce(ctx, l, &trailer, expecting([]byte("$$"+s.neverStream), 1<<40), nil)
	return trailer, err
}
