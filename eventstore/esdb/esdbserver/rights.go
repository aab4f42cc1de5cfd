package esdbserver

import (
	"context"
	"encoding/base64"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A User is somebody whom a node knows by a password.
type User struct {
	Name, Password string
	Admin          bool   // may do everything, whatever Rights say
	Rights         Rights // on streams whose names do not begin with $
}

// SetUser changes what a node knows of a user, or makes it known. What a user
// has open goes on: only new calls are judged.
func (s *Server) SetUser(u User) {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	users := map[string]User{u.Name: u}
	for name, known := range s.users {
		if name != u.Name {
			users[name] = known
		}
	}
	s.users = users
}

// An act is what somebody wants to do.
type act uint8

const (
	toAppend act = iota
	toRead
	toReadAll
	toDelete
	toAsk // gossip and features: anybody may
)

// authorize refuses calls that the node's users may not make. A node without
// users takes every call, whatever it is signed with.
func (s *Server) authorize(stream grpc.ServerStream, what act, name string) error {
	s.engine.mu.RLock()
	users, forbidden := s.users, s.faults.NoRights
	s.engine.mu.RUnlock()

	if s.options.Store != nil && (what == toAppend || what == toDelete) {
		return denied(stream)
	}
	if what != toAsk && forbidden.include(what, name) {
		return denied(stream)
	}
	if len(users) == 0 {
		return nil
	}
	user, known, err := identify(stream.Context(), users)
	switch {
	case err != nil:
		return err
	case what == toAsk, known && user.Admin:
		return nil
	case !known, !user.Rights.include(what, name):
		return denied(stream)
	case strings.HasPrefix(name, "$") && !strings.HasPrefix(name, "$$"):
		return denied(stream)
	}
	return nil
}

// include says whether r has the right that an act needs. To read and to write
// metadata is a right of its own.
func (r Rights) include(what act, name string) bool {
	switch {
	case strings.HasPrefix(name, "$$"):
		return r.Metadata
	case what == toAppend:
		return r.Append
	case what == toRead:
		return r.ReadStream
	case what == toReadAll:
		return r.ReadAll
	}
	return r.Delete
}

// identify returns who calls. Credentials that are none of ours to read make
// nobody; wrong ones are an error.
func identify(ctx context.Context, users map[string]User) (User, bool, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get("authorization")
	if len(values) == 0 {
		return User{}, false, nil
	}

	encoded, basic := strings.CutPrefix(values[0], "Basic ")
	if !basic {
		return User{}, false, nil
	}

	plain, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return User{}, false, status.Error(codes.Unknown, "Received HTTP status code 500")
	}

	name, password, both := strings.Cut(string(plain), ":")
	if !both {
		return User{}, false, nil
	}

	user, known := users[name]
	if !known || password == "" || user.Password != password {
		return User{}, false, status.Error(codes.Unauthenticated, "Unauthenticated")
	}
	return user, true, nil
}

func denied(stream grpc.ServerStream) error {
	return refuse(stream, codes.PermissionDenied, "Access Denied", "exception", "access-denied")
}
