package domain_test

import (
	"errors"
	"reflect"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// staleSince returns a reference in which a second version makes consents to ads stale.
func staleSince(from deadline.Instant) Reference {
	r := ref()
	doc := r.Policies.Versions()[0].Document
	r.Policies = r.Policies.Evolve(Fact{Event: PolicyPublished{
		Version: v2, Document: doc, Effective: from, Stale: []policy.PurposeID{"ads"},
	}})
	return r
}

// until returns a consent to purposes that ends at a moment.
func until(id byte, at, end deadline.Instant, purposes ...policy.PurposeID) Fact {
	e := ConsentGiven{Policy: "privacy", Version: v1, Until: end}
	for _, p := range purposes {
		e.Items = append(e.Items, Item{Purpose: p})
	}
	return Fact{ID: ident.EventID{id}, At: at, Recorded: at, Rules: Rules, Event: e}
}

// lapsed returns a history in which a note of that kind about ads is true at t0+2, and by
// the ledger.
func lapsed(kind catalog.Note) (Reference, Subject) {
	r, s := ref(), Subject{}
	switch kind {
	case catalog.ConsentExpired:
		r.By, s = ident.By{Actor: ident.System, Principal: ident.Ledger}, fold(until(1, t0, t0+1, "ads"))
	case catalog.ConsentStale:
		r, s = staleSince(t0+1), fold(until(1, t0, 0, "ads"))
		r.By = ident.By{Actor: ident.System, Principal: ident.Ledger}
	}
	return r, s
}

func TestLapses(t *testing.T) {
	age := func(id byte, at deadline.Instant, band AgeBand) Fact {
		return Fact{ID: ident.EventID{id}, At: at, Recorded: at, Rules: Rules, Event: AgeRecorded{Band: band, Basis: "birthday"}}
	}
	guardians := Fact{ID: ident.EventID{2}, At: t0 + 1, Recorded: t0 + 1, Rules: Rules, Event: ConsentGiven{
		Policy: "privacy", Version: v1, Kind: policy.GuardianConsent, Guardian: "g", Items: []Item{{Purpose: "ads"}},
	}}
	once := until(1, t0, 0, "ads")
	given := once.Event.(ConsentGiven)
	given.Once = true
	once.Event = given
	used := Fact{ID: ident.EventID{2}, At: t0 + 3, Recorded: t0 + 3, Rules: Rules, Event: ConsentUsed{Consents: []ident.EventID{{1}}}}
	sooner := until(1, t0, t0+9, "ads", "net")
	given = sooner.Event.(ConsentGiven)
	given.Ends = []End{{Purpose: "net", Until: t0 + 5}}
	sooner.Event = given

	ads, both := []policy.PurposeID{"ads"}, []policy.PurposeID{"ads", "net"}
	for name, c := range map[string]struct {
		facts []Fact
		ref   Reference
		at    deadline.Instant
		want  []Lapse
	}{
		"nobody said anything":       {nil, ref(), t0 + 9, nil},
		"a consent stands":           {[]Fact{until(1, t0, t0+5, "ads")}, ref(), t0 + 4, nil},
		"it ends at that moment":     {[]Fact{until(1, t0, t0+5, "ads", "net")}, ref(), t0 + 5, []Lapse{{Status: Expired, Grant: ident.EventID{1}, Since: t0 + 5, Purposes: both}}},
		"a purpose ends before":      {[]Fact{sooner}, ref(), t0 + 6, []Lapse{{Status: Expired, Grant: ident.EventID{1}, Since: t0 + 5, Purposes: both[1:]}}},
		"each at its time":           {[]Fact{sooner}, ref(), t0 + 9, []Lapse{{Status: Expired, Grant: ident.EventID{1}, Since: t0 + 9, Purposes: ads}, {Status: Expired, Grant: ident.EventID{1}, Since: t0 + 5, Purposes: both[1:]}}},
		"it was withdrawn":           {[]Fact{until(1, t0, t0+5, "ads"), no(2, t0+1, t0+1)}, ref(), t0 + 9, nil},
		"it was given again":         {[]Fact{until(1, t0, t0+5, "ads"), until(2, t0+3, t0+20, "ads")}, ref(), t0 + 9, nil},
		"it is used up":              {[]Fact{once, used}, ref(), t0 + 9, []Lapse{{Status: Expired, Grant: ident.EventID{1}, Since: t0 + 3, Purposes: ads}}},
		"a guardian's, of a child":   {[]Fact{age(1, t0, ChildUnder14), guardians}, ref(), t0 + 9, nil},
		"the child is 14":            {[]Fact{age(1, t0, ChildUnder14), guardians, age(3, t0+5, Aged14)}, ref(), t0 + 9, []Lapse{{Status: Expired, Grant: ident.EventID{2}, Since: t0 + 5, Purposes: ads}}},
		"a version is not in force":  {[]Fact{until(1, t0, 0, "ads", "net")}, staleSince(t0 + 5), t0 + 4, nil},
		"a version is in force":      {[]Fact{until(1, t0, 0, "ads", "net")}, staleSince(t0 + 5), t0 + 5, []Lapse{{Status: Stale, Grant: ident.EventID{1}, Since: t0 + 5, Purposes: ads, Policy: "privacy", Version: v2}}},
		"stale, and then it expired": {[]Fact{until(1, t0, t0+7, "ads")}, staleSince(t0 + 5), t0 + 8, []Lapse{{Status: Expired, Grant: ident.EventID{1}, Since: t0 + 7, Purposes: ads}}},
	} {
		if got := fold(c.facts...).Lapses(c.at, c.ref); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestAGrantSaysWhenItLapses without the history around it.
func TestAGrantSaysWhenItLapses(t *testing.T) {
	stale := staleSince(t0 + 5)
	for _, c := range []struct {
		fact   Fact
		at     deadline.Instant
		ends   deadline.Instant
		status Status
	}{
		{until(1, t0, 0, "ads"), t0 + 4, 0, Given},
		{until(1, t0, 0, "ads"), t0 + 5, 0, Stale},
		{until(1, t0, t0+9, "ads"), t0 + 4, t0 + 9, Given},
		{until(1, t0, t0+9, "ads"), t0 + 9, t0 + 9, Expired},
	} {
		if ends, status := LapseOf(c.fact, "ads", c.at, stale.Policies); ends != c.ends || status != c.status {
			t.Errorf("at %d: %d, %s, want %d, %s", c.at-t0, ends-t0, status, c.ends-t0, c.status)
		}
	}
}

// TestALapseIsSaidOnlyWhileItIsTrue, and by the ledger alone.
func TestALapseIsSaidOnlyWhileItIsTrue(t *testing.T) {
	for _, kind := range []catalog.Note{catalog.ConsentExpired, catalog.ConsentStale} {
		fields := map[string]string{"consent": "7f3a", "purposes": "ads"}
		if kind == catalog.ConsentStale {
			fields["policy"], fields["version"] = "privacy", reportHash
		}
		n := Noted{Kind: kind, Fields: policy.Fields(fields)}
		r, s := lapsed(kind)
		if _, err := s.Decide(Say{n}, r, t0+2, t0+2); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for name, s := range map[string]Subject{"not yet": fold(until(1, t0+2, t0+50, "net")), "withdrawn": s.Evolve(no(2, t0+2, t0+2)), "nobody": {}} {
			_, err := s.Decide(Say{n}, r, t0+2, t0+2)
			if got, _ := errors.AsType[refusal.Refusal](err); got.Code != refusal.IllegalMove {
				t.Errorf("%s, %s: %v", kind, name, err)
			}
		}
		r.By = ident.By{Actor: ident.System, Principal: "react"}
		_, err := s.Decide(Say{n}, r, t0+2, t0+2)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != refusal.NotForApps {
			t.Errorf("%s by somebody else: %v", kind, err)
		}
	}
}
