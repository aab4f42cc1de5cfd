package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"consentledger/cmd/consentledger/law"
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
)

// The weeks are how long before its first start a demo's story begins, and how
// far back the first request may have come.
const (
	weeks  = 60 * deadline.Day
	oldest = 46 * deadline.Day
)

// Rehearse records in a fresh demo directory what would have been there if the
// demo had run for some weeks: requests, incidents and what was done about
// them. It executes the commands of everybody else, on a clock that is set
// back: the times of these records are made up, which no road of a live ledger
// allows. Done twice, or again after it was cut off, it changes nothing more. A
// directory whose policies are too young for the story is left as it is.
func Rehearse(ctx context.Context, in ledger.Config, now deadline.Instant) error {
	clock := now.Add(-weeks)
	past, err := ledger.Open(ctx,
		ledger.Config{Store: in.Store, Vault: in.Vault, Blobs: in.Blobs, Now: func() deadline.Instant { return clock }})
	if err != nil {
		return err
	}

	s := Stage{past, in.Blobs}
	if ref, err := past.App(ctx, App); err == nil {
		if v := ref.Policies.Versions(); len(v) > 0 && v[0].Effective > now.Add(-oldest) {
			return nil
		}
	}
	if err := s.Prepare(ctx); err != nil {
		return err
	}

	calendars, err := s.announce(ctx)
	if err != nil {
		return err
	}

	story, err := newStory(now, calendars)
	if err != nil {
		return err
	}

	streams := map[string]ident.StreamID{}
	for _, a := range story.inOrder() {
		clock = max(clock, a.at)
		if streams[a.id], err = s.play(ctx, a, streams[a.of]); err != nil {
			return fmt.Errorf("demo: %s: %w", a.id, err)
		}
	}
	return nil
}

// announce publishes the specific policy and the calendars of the app's
// jurisdiction.
func (s Stage) announce(ctx context.Context) (deadline.Calendars, error) {
	calendars, err := law.Known()
	if err != nil {
		return calendars, err
	}

	for _, k := range calendars.Published() {
		id := fmt.Sprintf("calendar %s %d %t", k.Jurisdiction, k.Year, k.Projected)
		if k.Reported {
			id += " reported"
		}
		if err := s.Once(ctx, id, domain.PublishCalendar{Calendar: k}); err != nil {
			return calendars, err
		}
	}

	doc, err := s.document(ctx, "sharing.yaml")
	if err != nil {
		return calendars, err
	}
	return calendars, s.publishVersion(ctx, doc)
}

// play executes what somebody did, and returns the stream that it is told in.
func (s Stage) play(ctx context.Context, a act, of ident.StreamID) (ident.StreamID, error) {
	r := ledger.Request{
		App: App, Stream: of, Source: "smartkey/back-office", ID: a.id, Body: []byte(a.id), At: a.at,
		Actor: string(ident.Operator), RecordedBy: "privacy-desk", Command: a.cmd,
	}
	if a.person != "" {
		person, err := ident.ParsePersonKey(a.person)
		if err != nil {
			return ident.StreamID{}, err
		}
		r.Person = person
	}

	if _, opens := a.cmd.(domain.OpenRequest); opens && a.person != "" {
		r.Actor, r.RecordedBy = string(ident.Person), "unauthenticated"
	}

	receipt, err := s.Ledger.Execute(ctx, r)
	return receipt.Stream, err
}

// An act is something that somebody did in the weeks before the first start.
type act struct {
	at     deadline.Instant
	id     string // the same in every run
	of     string // the act that opened the request or incident; empty: none
	person string
	cmd    domain.Command
}

// A story is what happened, told from the present.
type story struct {
	now       deadline.Instant
	today     deadline.Date
	zone      deadline.Zone
	calendars deadline.Calendars
	acts      []act
}

func newStory(now deadline.Instant, calendars deadline.Calendars) (*story, error) {
	zone, err := deadline.ParseZone("Asia/Shanghai")
	if err != nil {
		return nil, err
	}
	s := &story{now: now, today: zone.Date(now), zone: zone, calendars: calendars}
	s.systems()
	s.requests()
	s.withdrawal()
	s.incidents()
	return s, s.deadlines()
}

func (s *story) inOrder() []act {
	slices.SortStableFunc(s.acts, func(a, b act) int { return cmp.Compare(a.at, b.at) })
	return s.acts
}

// morning is an hour of a working morning some days ago.
func (s *story) morning(daysAgo int) deadline.Instant {
	return s.zone.Midnight(s.today - deadline.Date(daysAgo)).Add(10*deadline.Hour + 12*deadline.Minute)
}

// receivedFor returns the newest morning on which a request came that is due
// before a day.
func (s *story) receivedFor(length int, before deadline.Date) (deadline.Instant, error) {
	rule := deadline.Rule{ID: "own.demo", Unit: deadline.UnitWorkingDay, Length: length, Calendar: "CN",
		TimeZone: "Asia/Shanghai"}
	for ago := 1; ; ago++ {
		at := s.morning(ago)
		due, err := deadline.Compute(rule, at, nil, false, s.calendars)
		if err != nil || due.Date < before {
			return at, err
		}
	}
}

// unannounced returns a day of the first year to come that has no calendar.
func (s *story) unannounced() deadline.Date {
	year := s.today.Year()
	for {
		day := deadline.NewDate(year, time.March, 1)
		if _, known := s.calendars.Workdays("CN").IsWorkingDay(day); !known && day > s.today {
			return day
		}
		year++
	}
}

func (s *story) ask(id, person string, at deadline.Instant, r domain.OpenRequest) {
	s.acts = append(s.acts, act{at: at, id: id, person: person, cmd: r})
}

// step tells a step of a request or an incident. Pairs are names and values.
func (s *story) step(of string, at deadline.Instant, kind catalog.Step, details domain.Personal, pairs ...string) {
	id := fmt.Sprintf("%s %s", of, kind)
	s.acts = append(s.acts, act{at: at, id: id, of: of,
		cmd: domain.TakeStep{Kind: kind, Fields: pairsOf(pairs), Details: details}})
}

func (s *story) note(at deadline.Instant, person string, kind catalog.Note, pairs ...string) {
	id := fmt.Sprintf("note %s %s %s", kind, person, pairs[1])
	s.acts = append(s.acts, act{at: at, id: id, person: person,
		cmd: domain.Say{Event: domain.Noted{Kind: kind, Fields: pairsOf(pairs)}}})
}

func pairsOf(pairs []string) []policy.Field {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return policy.Fields(m)
}
