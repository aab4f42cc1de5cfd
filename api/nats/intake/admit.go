package intake

import (
	"errors"
	"strconv"

	"consentledger/api/nats/natsservice"
	"consentledger/api/wire"
	"consentledger/domain/ident"

	"github.com/nats-io/nats.go"
)

// An Admit says whether there is a place for a request now, where only so many are worked
// on at once, of an app and of whoever named an inbox for the answer. The caller calls leave
// when it is answered. The error is a [Busy]; nothing was recorded. Nil: there is always a
// place.
type Admit func(question bool, app ident.AppName, inbox string) (leave func(), err error)

// A Busy is an error that says when to come again.
type Busy interface {
	error
	Problem() wire.Problem
	Seconds() int
}

// enter takes a place for a request. Who waits for no answer cannot be told that there is
// none: their message waits as long as it must.
func (s *service) enter(r *natsservice.Request, question bool) (leave func(), busy error) {
	if s.Admit == nil || r.Reply == "" {
		return func() {}, nil
	}
	app, err := appOf(r.Subject)
	if err != nil {
		return func() {}, nil // it is answered what is wrong with its subject
	}
	return s.Admit(question, app, r.Reply)
}

// overloaded is the answer to who finds no place: a problem, or what is answered to a
// question that nobody can answer now.
func overloaded(err error, cannot any) (nats.Header, []byte) {
	busy, is := errors.AsType[Busy](err)
	if !is {
		return refusedWith(err)
	}
	p := busy.Problem()
	data, kind := marshal(p), "application/problem+json"
	if cannot != nil {
		data, kind = wire.WithOutcome(marshal(cannot), wire.Unknown), "application/json"
	}
	header, data := failure(p, data, kind)
	header.Set("Retry-After", strconv.Itoa(busy.Seconds()))
	return header, data
}
