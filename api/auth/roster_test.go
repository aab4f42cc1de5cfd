package auth

import (
	"context"
	"errors"
	"testing"
	"time"

	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
)

// TestWhoHasLostTheRoleMayNoMore: by each way in which one has a role.
func TestWhoHasLostTheRoleMayNoMore(t *testing.T) {
	b := newBench(t)
	shop := []ident.AppName{"shop"}
	_, officer := b.issue(Wish{Name: "Ann", Roles: []Role{Officer}, Apps: shop})
	_, approver := b.issue(Wish{Name: "Bo", Roles: []Role{Approver}, Apps: shop})
	_, elsewhere := b.issue(Wish{Name: "Cy", Roles: []Role{Approver}, Apps: []ident.AppName{"bank"}})
	groups := map[string][]Binding{"p-member": {{Roles: []Role{Officer}, Apps: shop}}}
	var away error
	r := Roster{
		Keys: b.process(),
		Certificates: func(principal string) []Binding {
			if principal != "p-certificate" {
				return nil
			}
			return []Binding{{Roles: []Role{Officer}, AllApps: true}}
		},
		Groups: func(_ context.Context, principal string) ([]Binding, error) { return groups[principal], away },
	}

	still := func(one, other string) string {
		err := r.StillMay(t.Context(), "shop", [2]string{one, other})
		if no, is := errors.AsType[refusal.Refusal](err); is {
			return string(no.Code)
		}
		if err != nil {
			return "away"
		}
		return "may"
	}
	want := func(want, one, other string) {
		t.Helper()
		if got := still(one, other); got != want {
			t.Errorf("%s and %s: %s, want %s", one, other, got, want)
		}
	}
	want("may", officer.Principal, ledger.PendingApprover)
	want("may", officer.Principal, approver.Principal)
	want("may", "p-certificate", approver.Principal)
	want("may", "p-member", approver.Principal)
	want("role-lost", officer.Principal, officer.Principal)
	want("role-lost", officer.Principal, elsewhere.Principal)
	want("role-lost", approver.Principal, approver.Principal)
	want("role-lost", "p-unheard", approver.Principal)

	delete(groups, "p-member")
	want("role-lost", "p-member", approver.Principal)
	if _, err := b.Revoke(t.Context(), approver.ID, "p-admin"); err != nil { // in another process
		t.Fatal(err)
	}
	want("role-lost", officer.Principal, approver.Principal)
	b.at += 24 * 60 * 60 * 1000 // keys expire
	want("role-lost", officer.Principal, ledger.PendingApprover)
	away = ErrAway
	want("away", "p-certificate", ledger.PendingApprover)
}

// TestTheNewestTokenSaysInWhichGroupsSomebodyIs, whichever process saw it.
func TestTheNewestTokenSaysInWhichGroupsSomebodyIs(t *testing.T) {
	rows := new(memory.Rows)
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	process := func() *Seen { return &Seen{Rows: rows, Now: func() time.Time { return now }} }
	one, other := process(), process()
	note := func(s *Seen, issued time.Duration, groups ...string) {
		t.Helper()
		if err := s.Note(t.Context(), "p-ann", groups, now.Add(issued)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(n int) {
		t.Helper()
		for _, s := range []*Seen{one, other} {
			if groups, err := s.Groups(t.Context(), "p-ann"); err != nil || len(groups) != n {
				t.Errorf("%q, %v, want %d", groups, err, n)
			}
		}
	}

	note(one, 0) // who never had a role
	for range rows.Scan(t.Context(), []byte(seenRows)) {
		t.Error("of a stranger something is kept")
	}
	note(one, 0, "b", "a", "a")
	want(2)
	note(other, time.Second)
	want(0)
	note(one, 0, "a", "b") // an older token, which still says so
	want(0)
	now = now.Add(2 * time.Minute)
	note(one, 0, "a")
	want(1)

	// It stays of who comes, and not of who does not.
	for range 70 {
		now = now.Add(24 * time.Hour)
		note(one, 0, "a")
		if err := other.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want(1)
	now = now.Add(63 * 24 * time.Hour)
	if err := other.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(0)
}
