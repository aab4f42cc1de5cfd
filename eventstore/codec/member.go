package codec

import (
	"fmt"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"

	"github.com/go-json-experiment/json"
)

// A reader parses members and keeps the first error.
type reader struct{ err error }

func (r *reader) hash(s string) content.Hash {
	if s == "" {
		return content.Hash{}
	}
	h, err := content.ParseHash(s)
	r.keep(err)
	return h
}

func (r *reader) eventID(s string) ident.EventID {
	if s == "" {
		return ident.EventID{}
	}
	id, err := eventstore.ParseEventID(s)
	r.keep(err)
	return ident.EventID(id)
}

func (r *reader) kind(s string) policy.ConsentKind { return parse(r, s, policy.ParseConsentKind) }

// parse reads a member; an empty one is the zero value.
func parse[T any](r *reader, s string, read func(string) (T, error)) T {
	var v T
	if s == "" {
		return v
	}
	v, err := read(s)
	r.keep(err)
	return v
}

func parseAll[T any](r *reader, list []string, read func(string) (T, error)) []T {
	var all []T
	for _, s := range list {
		all = append(all, parse(r, s, read))
	}
	return all
}

func (r *reader) eventIDs(list []string) []ident.EventID {
	var ids []ident.EventID
	for _, s := range list {
		ids = append(ids, r.eventID(s))
	}
	return ids
}

// names writes a list of what has a name.
func names[T fmt.Stringer](list []T) []string {
	var all []string
	for _, v := range list {
		all = append(all, v.String())
	}
	return all
}

func eventIDs(ids []ident.EventID) []string {
	var all []string
	for _, id := range ids {
		all = append(all, eventID(id))
	}
	return all
}

func (r *reader) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

func hash(h content.Hash) string {
	if h == (content.Hash{}) {
		return ""
	}
	return h.String()
}

func eventID(id ident.EventID) string {
	if id == (ident.EventID{}) {
		return ""
	}
	return eventstore.EventID(id).String()
}

func as[S readable](data []byte) (domain.Event, error) {
	var shape S
	if err := json.Unmarshal(data, &shape, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	return shape.event()
}
