package projectiontest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// Many is how Many obligations [Crowd] tells of, of which one in ten is open.
const Many = 100_000

// A crowd writes the entries of many requests, each with two obligations.
type crowd struct {
	b        testing.TB
	entries  []codec.Entry
	position eventstore.Position
	now      deadline.Instant
	apply    func([]codec.Entry)
}

func (c *crowd) tell(stream ident.StreamID, e domain.Event) {
	c.position++
	var id eventstore.EventID
	binary.BigEndian.PutUint64(id[8:], uint64(c.position))
	c.entries = append(c.entries, codec.Entry{
		Envelope: codec.Envelope{ID: id, Stream: stream, At: c.now, Recorded: c.now, Actor: "operator",
			RecordedBy: "desk"}, Event: e, Position: c.position,
	})
	if len(c.entries) == 1000 {
		c.flush()
	}
}

func (c *crowd) flush() {
	c.apply(c.entries)
	c.entries = c.entries[:0]
}

var asked = []request.Type{request.Access, request.Delete, request.Complaint, request.Question,
	request.Copy}

// An answer is what is told of a request some days after it.
type answer struct {
	n      int
	at     deadline.Instant
	stream ident.StreamID
	opened [2]domain.ObligationOpened
}

// ask tells of one request with two obligations.
func (c *crowd) ask(n int) answer {
	a := answer{n: n, stream: ident.RequestStream(App, fmt.Sprintf("%020x", n*7919%Many))}
	person, t := fmt.Sprintf("%032x", n), asked[n%len(asked)]
	c.tell(a.stream, domain.RequestReceived{Types: []request.Type{t}, Policy: "privacy", Version: content.Hash{1},
		Channel: "email", Subject: person})
	for i, days := range []int{15, 30} {
		rule := deadline.Rule{ID: deadline.RuleID(fmt.Sprint("cn.d", days)), Source: "VII(III)",
			Unit: deadline.UnitWorkingDay, Length: days, Calendar: "CN", TimeZone: "Asia/Shanghai", Law: i == 1}
		due, err := deadline.Compute(rule, c.now, nil, false, deadline.Calendars{})
		if err != nil {
			c.b.Fatal(err)
		}
		a.opened[i] = domain.ObligationOpened{
			Obligation: obligation.Obligation{ID: "reply." + string(rule.ID), Kind: policy.DutyReply,
				Types: []request.Type{t}, Rule: rule, Version: content.Hash{1}},
			Due: due, Cause: obligation.Cause{Kind: "request.received", Subject: person},
		}
		c.tell(a.stream, a.opened[i])
	}

	a.at = c.now.Add(deadline.Span(n%35) * deadline.Day)
	return a
}

func (c *crowd) answer(a answer) {
	if a.n%20 == 3 {
		c.tell(a.stream, domain.Stepped{Kind: "request.rejected",
			Fields: policy.Fields(map[string]string{"codes": fmt.Sprint("REJ-", a.n%7)})})
	} else {
		c.tell(a.stream, domain.Stepped{Kind: "request.answered",
			Fields: policy.Fields(map[string]string{"outcome": "full", "channel": "email"})})
	}
	for _, o := range a.opened {
		c.tell(a.stream, domain.ObligationMet{ID: o.Obligation.ID, Met: c.now, Late: !o.Due.InTime(c.now),
			By: obligation.Cause{Kind: "request.answered"}})
	}
}

// Crowd calls apply for the entries of [Many] obligations, a thousand at a time,
// and returns the moment after the last. Each request has two, and one request
// in ten never has an answer.
func Crowd(b testing.TB, apply func([]codec.Entry)) deadline.Instant {
	b.Helper()
	c := &crowd{b: b, now: Start, apply: apply}
	const daily = Many / 2 / 700
	var waiting []answer
	for n := 0; n < Many/2 || len(waiting) > 0; c.now = c.now.Add(deadline.Day) {
		for range min(daily, Many/2-n) {
			if a := c.ask(n); n%10 != 9 {
				waiting = append(waiting, a)
			}
			n++
		}
		waiting = slices.DeleteFunc(waiting, func(a answer) bool {
			if a.at > c.now {
				return false
			}
			c.answer(a)
			return true
		})
	}

	c.flush()
	return c.now
}

// CrowdedDay calls apply for the entries of [Many] obligations that are all open on one day and met on
// the next, and returns the end of the first day and the position up to which it was known then.
func CrowdedDay(b testing.TB, apply func([]codec.Entry)) (end deadline.Instant, known eventstore.Position) {
	b.Helper()
	c := &crowd{b: b, now: Start, apply: apply}
	var waiting []answer
	for n := range Many / 2 {
		waiting = append(waiting, c.ask(n))
	}
	end, known = c.now, c.position
	c.now = c.now.Add(deadline.Day)
	for _, a := range waiting {
		c.answer(a)
	}
	c.flush()
	return end, known
}
