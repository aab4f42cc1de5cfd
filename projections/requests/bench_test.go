package requests_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// many is how many obligations the benchmarks are about, of which one in ten is
// open.
const many = 100_000

// A crowd writes the entries of many requests, each with two obligations.
type crowd struct {
	b        testing.TB
	entries  []codec.Entry
	position eventstore.Position
	now      domain.Instant
	apply    func([]codec.Entry)
}

func (c *crowd) tell(stream domain.StreamID, e domain.Event) {
	c.position++
	var id eventstore.EventID
	binary.BigEndian.PutUint64(id[8:], uint64(c.position))
	c.entries = append(c.entries, codec.Entry{
		Envelope: codec.Envelope{ID: id, Stream: stream, At: c.now, Recorded: c.now, Actor: "operator", RecordedBy: "desk"}, Event: e, Position: c.position,
	})
	if len(c.entries) == 1000 {
		c.flush()
	}
}

func (c *crowd) flush() {
	c.apply(c.entries)
	c.entries = c.entries[:0]
}

var asked = []domain.RequestType{domain.AskAccess, domain.AskDelete, domain.AskComplaint, domain.AskQuestion, domain.AskCopy}

// An answer is what is told of a request some days after it.
type answer struct {
	n      int
	at     domain.Instant
	stream domain.StreamID
	opened [2]domain.ObligationOpened
}

// ask tells of one request with two obligations.
func (c *crowd) ask(n int) answer {
	a := answer{n: n, stream: domain.StreamID{Noun: domain.RequestNoun, App: projectiontest.App, ID: fmt.Sprintf("%020x", n*7919%many)}}
	person, t := fmt.Sprintf("%032x", n), asked[n%len(asked)]
	c.tell(a.stream, domain.RequestReceived{Types: []domain.RequestType{t}, Policy: "privacy", Version: domain.Hash{1}, Channel: "email", Subject: person})
	for i, days := range []int{15, 30} {
		rule := domain.DeadlineRule{ID: domain.DeadlineRuleID(fmt.Sprint("cn.d", days)), Source: "VII(III)", Unit: domain.UnitWorkingDay, Length: days, Calendar: "CN", TimeZone: "Asia/Shanghai", Law: i == 1}
		due, err := domain.Compute(rule, c.now, nil, false, domain.Calendars{})
		if err != nil {
			c.b.Fatal(err)
		}
		a.opened[i] = domain.ObligationOpened{
			Obligation: domain.Obligation{ID: "reply." + string(rule.ID), Kind: domain.DutyReply, Types: []domain.RequestType{t}, Rule: rule, Version: domain.Hash{1}},
			Due:        due, Cause: domain.Cause{Kind: "request.received", Subject: person},
		}
		c.tell(a.stream, a.opened[i])
	}
	a.at = c.now.Add(domain.Span(n%35) * domain.Day)
	return a
}

func (c *crowd) answer(a answer) {
	if a.n%20 == 3 {
		c.tell(a.stream, domain.Stepped{Kind: "request.rejected", Fields: domain.Fields(map[string]string{"codes": fmt.Sprint("REJ-", a.n%7)})})
	} else {
		c.tell(a.stream, domain.Stepped{Kind: "request.answered", Fields: domain.Fields(map[string]string{"outcome": "full", "channel": "email"})})
	}
	for _, o := range a.opened {
		c.tell(a.stream, domain.ObligationMet{ID: o.Obligation.ID, Met: c.now, Late: !o.Due.InTime(c.now), By: domain.Cause{Kind: "request.answered"}})
	}
}

// crowded returns a projection of many obligations, and the moment after the
// last of its facts. One request in ten never has an answer.
func crowded(b testing.TB) (*requests.View, domain.Instant) {
	b.Helper()
	v, err := requests.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { v.Close() })
	c := &crowd{b: b, now: projectiontest.Start, apply: func(list []codec.Entry) {
		if err := v.Apply(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	}}
	const daily = many / 2 / 700
	var waiting []answer
	for n := 0; n < many/2 || len(waiting) > 0; c.now = c.now.Add(domain.Day) {
		for range min(daily, many/2-n) {
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
	return v, c.now
}

// BenchmarkReport reads one page of a hundred, in every way, and the summary,
// of a hundred thousand obligations of which ten thousand are open.
func BenchmarkReport(b *testing.B) {
	begun := time.Now()
	v, at := crowded(b)
	b.Logf("%d obligations built in %.1f s", many, time.Since(begun).Seconds())
	past := requests.Known{Past: true, At: 100_000}
	open := []requests.State{requests.StateOverdue, requests.StateAtRisk, requests.StateOpen}
	for _, bb := range []struct {
		name string
		q    requests.Query
	}{
		{"open by due date", requests.Query{States: open}},
		{"overdue", requests.Query{States: open[:1]}},
		{"all by due date", requests.Query{}},
		{"all by opening", requests.Query{Sort: requests.ByOpened}},
		{"all by state", requests.Query{Sort: requests.ByState}},
		{"a rule, of a type, binding", requests.Query{Rule: "cn.d15", Type: "copy", Binding: true}},
		{"open in the past", requests.Query{States: open, Known: past}},
	} {
		bb.q.App, bb.q.At, bb.q.Limit = projectiontest.App, at, 100
		b.Run("page/"+bb.name, func(b *testing.B) {
			for b.Loop() {
				list, _, _, err := v.Page(b.Context(), bb.q)
				if err != nil || len(list) != 100 {
					b.Fatal(len(list), err)
				}
			}
		})
	}
	for _, bb := range []struct {
		name string
		q    requests.Query
	}{
		{"all", requests.Query{}}, {"open", requests.Query{States: open}}, {"of the past", requests.Query{Known: past}},
	} {
		bb.q.App, bb.q.At = projectiontest.App, at
		b.Run("summary/"+bb.name, func(b *testing.B) {
			for b.Loop() {
				s, _, err := v.Summary(b.Context(), bb.q)
				if err != nil || s.Total.Obligations < 9000 {
					b.Fatal(s.Total, err)
				}
			}
		})
	}
}
