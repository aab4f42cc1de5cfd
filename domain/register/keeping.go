package register

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// What keeps data of an app although somebody asks to erase a person. A legal hold is on
// everybody, or on whoever made one request; a duty of law is on everybody, for a time, and
// one that keeps proof alone keeps nobody from being erased: see [Register.ProofFor]. Both
// are notes about the app, so that who declared them, when and on what evidence is in its
// log. A hold of the person alone, which also denies processing and stops the clocks of what
// is to be deleted, is the event hold.placed.
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
	proof   bool          // it keeps the proof of who is erased, and does not keep them from being erased
	id      ident.EventID
}

// keep folds a note into what keeps data.
func keep(
	own lists.Own, all []keeping, kind catalog.Note, fields []policy.Field, id ident.EventID,
) []keeping {
	k := keeping{id: id, reason: policy.FieldOf(fields, "reason")}
	switch kind {
	case catalog.HoldDeclared, catalog.HoldEnded:
		k.name, k.source = policy.FieldOf(fields, "hold"), policy.FieldOf(fields, "authority")
		k.request = policy.FieldOf(fields, "request")
	case catalog.DutyDeclared, catalog.DutyEnded:
		k.name, k.source, k.duty = policy.FieldOf(fields, "duty"), policy.FieldOf(fields, "law"), true
		k.months, _ = strconv.Atoi(policy.FieldOf(fields, "months")) // it was checked, or there is none
		k.proof = policy.FieldOf(fields, "keeps") == catalog.KeepsProof
	default:
		return all
	}

	if day, err := deadline.ParseDate(policy.FieldOf(fields, "until")); err == nil {
		k.until = day
	}

	rest := slices.DeleteFunc(slices.Clone(all), func(o keeping) bool { return o.name == k.name && o.duty == k.duty })
	if kind == catalog.HoldEnded || kind == catalog.DutyEnded {
		return rest
	}
	return lists.Add(own, rest, k)
}

// IsKeeping reports whether a note says that data are kept, or not any more.
func IsKeeping(kind catalog.Note) bool {
	return slices.Contains([]catalog.Note{catalog.HoldDeclared, catalog.HoldEnded, catalog.DutyDeclared,
		catalog.DutyEnded}, kind)
}

// CheckKeeping refuses notes that end what is not there, and duties without an end.
func (r Register) CheckKeeping(kind catalog.Note, fields []policy.Field) error {
	has := func(field string) bool { return policy.FieldOf(fields, field) != "" }
	known := func(duty bool, name string) bool {
		return slices.ContainsFunc(r.keepings,
			func(k keeping) bool { return k.duty == duty && k.name == policy.FieldOf(fields, name) })
	}

	switch {
	case kind == catalog.DutyDeclared && !has("months") && !has("until"):
		return refusal.At(refusal.Incomplete, "data.months",
			"a duty ends: say until which day, or how many months after a history's end")
	case kind == catalog.DutyDeclared && has("months") && !monthsFit(policy.FieldOf(fields, "months")):
		return refusal.At(refusal.Malformed, "data.months", "must be 1 to 1200 months")
	case kind == catalog.HoldEnded && !known(false, "hold"):
		return refusal.At(refusal.UnknownRecord, "data.hold", "there is no such hold on this app")
	case kind == catalog.DutyEnded && !known(true, "duty"):
		return refusal.At(refusal.UnknownRecord, "data.duty", "there is no such duty of this app")
	}
	return nil
}

func monthsFit(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= 1200
}

// CheckErasure refuses to erase a person whose data have to stay, and names what asks for it
// and until when. It takes the person's requests, when their history ended, if it did, and
// the app's time zone. What cannot be told, as a zone that nobody knows, keeps the data.
func (r Register) CheckErasure(
	requests []string, ended deadline.Instant, timeZone string, at deadline.Instant,
) error {
	return r.check(requests, ended, timeZone, at, func(k keeping) bool { return !k.proof })
}

// CheckDestruction is [Register.CheckErasure] of the proof that is kept of a person who is
// erased: a hold keeps it, and no duty.
func (r Register) CheckDestruction(
	requests []string, ended deadline.Instant, timeZone string, at deadline.Instant,
) error {
	return r.check(requests, ended, timeZone, at, func(k keeping) bool { return !k.duty })
}

// check refuses for what counts.
func (r Register) check(
	requests []string, ended deadline.Instant, timeZone string, at deadline.Instant, counts func(keeping) bool,
) error {
	if !slices.ContainsFunc(r.keepings, counts) {
		return nil
	}

	zone, err := deadline.ParseZone(timeZone)
	if err != nil {
		return err
	}
	if ended == 0 {
		ended = at // a history that goes on ends with the order, at the soonest
	}

	today := zone.Date(at)
	for _, k := range r.keepings {
		if !counts(k) || !k.on(requests) {
			continue
		}
		last := k.lastDay(zone.Date(ended))
		if last != 0 && today > last {
			continue
		}
		return refusal.New(refusal.OnHold, k.says(last))
	}
	return nil
}

// A Proof says which duty keeps the proof of who is erased, and up to which day. Zero: none.
type Proof struct {
	Duty, Law, Reason string
	Until             deadline.Date // the last day, in the time zone of the app
}

// ProofFor returns for which duty the proof is kept of a person who is erased at a moment: the
// one that asks for the longest time. It takes what [Register.CheckErasure] does.
func (r Register) ProofFor(
	requests []string, ended deadline.Instant, timeZone string, at deadline.Instant,
) (p Proof, err error) {
	if !slices.ContainsFunc(r.keepings, func(k keeping) bool { return k.proof }) {
		return Proof{}, nil
	}

	zone, err := deadline.ParseZone(timeZone)
	if err != nil {
		return Proof{}, err
	}
	if ended == 0 {
		ended = at
	}
	for _, k := range r.keepings {
		if !k.proof || !k.on(requests) {
			continue
		}
		if last := k.lastDay(zone.Date(ended)); last >= zone.Date(at) && last > p.Until {
			p = Proof{Duty: k.name, Law: k.source, Reason: k.reason, Until: last}
		}
	}
	return p, nil
}

// on reports whether it is on a person who made these requests.
func (k keeping) on(requests []string) bool {
	return k.request == "" || slices.Contains(requests, k.request)
}

// lastDay returns the last day on which data are kept, the later one if two are said; zero:
// until it is ended. A duty may count from the day on which the history ended.
func (k keeping) lastDay(ended deadline.Date) deadline.Date {
	if k.months == 0 {
		return k.until
	}
	return max(k.until, ended.AddMonths(k.months))
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

// Holds names the legal holds that were declared and not ended, in their order: where it is the
// same, the same holds are on the same persons.
func (r Register) Holds() string {
	var names []string
	for _, k := range r.keepings {
		if !k.duty {
			names = append(names, hex.EncodeToString(k.id[:]))
		}
	}
	return strings.Join(names, " ")
}

// NextRelease returns when a legal hold that said so ends by itself next, after a moment; zero:
// none does.
func (r Register) NextRelease(timeZone string, at deadline.Instant) (next deadline.Instant, err error) {
	zone, err := deadline.ParseZone(timeZone)
	if err != nil {
		return 0, err
	}
	for _, k := range r.keepings {
		if k.duty || k.until == 0 {
			continue
		}
		if over := zone.End(k.until); over > at && (next == 0 || over < next) {
			next = over
		}
	}
	return next, nil
}
