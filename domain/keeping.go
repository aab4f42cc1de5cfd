package domain

import (
	"slices"
	"strconv"

	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// What keeps data of an app although somebody asks to erase a person. A legal hold is on
// everybody, or on whoever made one request; a duty of law is on everybody, for a time. Both
// are notes about the app, so that who declared them, when and on what evidence is in its
// log. A hold of the person alone, which also denies processing and stops the clocks of what
// is to be deleted, is [HoldPlaced].
//
// A hold or a duty that is declared again under its name takes the place of the first.

// A keeping is a hold or a duty.
type keeping struct {
	name    string
	duty    bool
	reason  string
	source  string        // an authority, or a law
	request string        // the id of a request: it is on who made it; empty: on everybody
	until   deadline.Date // the last day; zero: it says none
	months  int           // after the end of a history
	id      ident.EventID
}

// keep folds a note into what keeps data.
func keep(own lists.Own, all []keeping, e Noted, id ident.EventID) []keeping {
	k := keeping{id: id, reason: policy.FieldOf(e.Fields, "reason")}
	switch e.Kind {
	case catalog.HoldDeclared, catalog.HoldEnded:
		k.name, k.source = policy.FieldOf(e.Fields, "hold"), policy.FieldOf(e.Fields, "authority")
		k.request = policy.FieldOf(e.Fields, "request")
	case catalog.DutyDeclared, catalog.DutyEnded:
		k.name, k.source, k.duty = policy.FieldOf(e.Fields, "duty"), policy.FieldOf(e.Fields, "law"), true
		k.months, _ = strconv.Atoi(policy.FieldOf(e.Fields, "months")) // it was checked, or there is none
	default:
		return all
	}

	if day, err := deadline.ParseDate(policy.FieldOf(e.Fields, "until")); err == nil {
		k.until = day
	}

	rest := slices.DeleteFunc(slices.Clone(all), func(o keeping) bool { return o.name == k.name && o.duty == k.duty })
	if e.Kind == catalog.HoldEnded || e.Kind == catalog.DutyEnded {
		return rest
	}
	return lists.Add(own, rest, k)
}

// checkKeeping refuses notes of this kind that an app sends, that end what is not there, and
// duties without an end.
func (s Service) checkKeeping(n Noted, by ident.By) error {
	has := func(field string) bool { return policy.FieldOf(n.Fields, field) != "" }
	known := func(duty bool, name string) bool {
		return slices.ContainsFunc(s.keepings,
			func(k keeping) bool { return k.duty == duty && k.name == policy.FieldOf(n.Fields, name) })
	}

	switch {
	case by.App && slices.Contains([]catalog.Note{catalog.HoldDeclared, catalog.HoldEnded, catalog.DutyDeclared,
		catalog.DutyEnded}, n.Kind):
		return errNotForApps
	case n.Kind == catalog.DutyDeclared && !has("months") && !has("until"):
		return refusal.At(refusal.Incomplete, "data.months",
			"a duty ends: say until which day, or how many months after a history's end")
	case n.Kind == catalog.DutyDeclared && has("months") && !monthsFit(policy.FieldOf(n.Fields, "months")):
		return refusal.At(refusal.Malformed, "data.months", "must be 1 to 1200 months")
	case n.Kind == catalog.HoldEnded && !known(false, "hold"):
		return refusal.At(refusal.UnknownRecord, "data.hold", "there is no such hold on this app")
	case n.Kind == catalog.DutyEnded && !known(true, "duty"):
		return refusal.At(refusal.UnknownRecord, "data.duty", "there is no such duty of this app")
	}
	return nil
}

func monthsFit(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= 1200
}

// kept refuses to erase a person whose data have to stay, and names what asks for it and
// until when. What cannot be told, as a zone that nobody knows, keeps them.
func (s Subject) kept(ref Reference, at deadline.Instant) error {
	if len(ref.Service.keepings) == 0 {
		return nil
	}

	zone, err := deadline.ParseZone(ref.Service.App.TimeZone)
	if err != nil {
		return err
	}

	today := zone.Date(at)
	for _, k := range ref.Service.keepings {
		if !k.on(s) {
			continue
		}
		last := k.lastDay(s, zone, at)
		if last != 0 && today > last {
			continue
		}
		return refusal.New(refusal.OnHold, k.says(last))
	}
	return nil
}

// on reports whether it is on a person.
func (k keeping) on(s Subject) bool {
	return k.request == "" || slices.Contains(s.Requests(), k.request)
}

// lastDay returns the last day on which data are kept, the later one if two are said; zero:
// until it is ended. A history that goes on ends with the order, at the soonest.
func (k keeping) lastDay(s Subject, zone deadline.Zone, at deadline.Instant) deadline.Date {
	if k.months == 0 {
		return k.until
	}
	ended := s.ended
	if ended == 0 {
		ended = at
	}
	return max(k.until, zone.Date(ended).AddMonths(k.months))
}

// says names it. An id of a person is not in it.
func (k keeping) says(last deadline.Date) string {
	what, end := "the legal hold ", "until it is ended, see hold.ended"
	if k.duty {
		what = "the duty "
	}
	if last != 0 {
		end = "up to " + last.String()
	}
	return what + refusal.Quote(k.name) + " (" + k.reason + "; " + k.source + ") keeps this person's data " + end +
		"; meanwhile they may be stored only, see restriction.applied"
}
