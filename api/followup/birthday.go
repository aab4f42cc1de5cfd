package followup

import (
	"context"
	"fmt"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// birthDateRole is the role of the part that holds a birth date; see codec.
const birthDateRole = "birth-date"

// A birthday is a person's birth date, as long as bands of age are to come. It
// is personal: it lives in memory alone, and in the vault.
type birthday struct {
	born time.Time // local midnight
	fact recordPlace
	band domain.AgeBand // that was recorded last
}

// turns are the birthdays at which the band of age changes.
var turns = []struct {
	age  int
	band domain.AgeBand
}{{14, domain.Aged14}, {15, domain.Aged15To17}, {18, domain.Adult}}

// learnAge takes note of when the person's band of age changes next. What says
// nothing of the birth date leaves what is known of it.
func (r *Process) learnAge(ctx context.Context, e codec.Entry, x domain.AgeRecorded) error {
	born, said, err := r.bornOn(ctx, e)
	if err != nil {
		return err
	}

	if said {
		if born.IsZero() || bandAt(born, e.At) != x.Band {
			r.forget(e.Stream)
			r.note(func(s *State) { s.Doubtful++ })
			r.log().Warn("a birth date is none, or contradicts the band of age beside it", "position", e.Position)
			return nil
		}
		r.birthdays[e.Stream] = birthday{born: born, fact: placeIn(e)}
	}

	r.schedule(e.Stream, x.Band)
	return nil
}

// bornOn returns the birth date that a record says, if it says one; zero if that is
// no date.
func (r *Process) bornOn(ctx context.Context, e codec.Entry) (born time.Time, said bool, err error) {
	text, said, err := r.birthDate(ctx, e)
	if err != nil || !said {
		return time.Time{}, said, err
	}
	zone, err := r.zone(ctx, e.Stream.App)
	if err != nil {
		return time.Time{}, false, err
	}
	born, bad := time.ParseInLocation(time.DateOnly, text.Reveal(), zone)
	if bad != nil {
		return time.Time{}, true, nil
	}
	return born, true, nil
}

// birthDate reads a birth date. The access is recorded once for every record that
// has one, however often it is read: the id says what is read.
func (r *Process) birthDate(ctx context.Context, e codec.Entry) (domain.Personal, bool, error) {
	if _, has := e.Part(birthDateRole); !has {
		return "", false, nil
	}

	opened, err := r.Ledger.Access(ctx, ledger.Access{
		App: e.Stream.App, ID: "birthday of " + e.ID.String(), Actor: string(ident.System), RecordedBy: "react",
		DataAccessed: domain.DataAccessed{
			Kind:    domain.AccessReaction,
			Subject: e.Stream.ID,
			Events:  []ident.EventID{ident.EventID(e.ID)},
			Roles:   []string{birthDateRole},
			Records: 1,
			Parts:   1,
			Reason:  "birthday",
		},
	})
	if err != nil {
		return "", false, err
	}
	return opened.Reveal(ctx, e, birthDateRole)
}

// schedule waits for the next birthday that changes the band.
func (r *Process) schedule(stream ident.StreamID, band domain.AgeBand) {
	b, ok := r.birthdays[stream]
	if !ok {
		return
	}

	b.band = band
	r.birthdays[stream] = b
	for _, t := range turns {
		if t.band > band {
			at := deadline.At(b.born.AddDate(t.age, 0, 0))
			r.waiting.add(stream.String(), at, stream, r.turn(stream, b.fact.id, t.band, at))
			return
		}
	}

	r.forget(stream) // grown up
}

func (r *Process) forget(stream ident.StreamID) {
	delete(r.birthdays, stream)
	r.waiting.remove(stream.String())
}

// turn records that a person is in the next band of age.
func (r *Process) turn(
	stream ident.StreamID, fact eventstore.EventID, band domain.AgeBand, at deadline.Instant,
) func(context.Context) error {
	return func(ctx context.Context) error {
		id := fmt.Sprintf("birthday to %s after %s", band, fact)
		_, err := r.Ledger.ExecuteOn(ctx, stream,
			requestFor(stream.App, id, at, domain.Say{Event: domain.AgeRecorded{Band: band, Basis: "birthday"}}))
		return err
	}
}

// bandAt returns the band of age of somebody at a moment. Who was born on 29
// February has their birthday on 1 March in other years.
func bandAt(born time.Time, at deadline.Instant) domain.AgeBand {
	band := domain.ChildUnder14
	for _, t := range turns {
		if deadline.At(born.AddDate(t.age, 0, 0)) <= at {
			band = t.band
		}
	}
	return band
}

func (r *Process) zone(ctx context.Context, app ident.AppName) (*time.Location, error) {
	ref, err := r.Ledger.App(ctx, app)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(ref.Service.App.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("app %s: time zone: %w", app, err)
	}
	return zone, nil
}
