package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"
)

// gives returns what a file gives to one holder: roles in the shop.
func gives(roles ...Role) func() []Grant {
	return func() []Grant {
		if len(roles) == 0 {
			return nil
		}
		return []Grant{{Holder: "p-group", Binding: Binding{Roles: roles, Apps: []ident.AppName{"shop", "unheard"}}}}
	}
}

// roles returns which roles the log of the shop says that holders have, oldest first.
func (b *bench) roles() (said []string) {
	b.Helper()
	for e, err := range b.ledger.Own(b.Context(), "shop") {
		if err != nil {
			b.Fatal(err)
		}
		if n, is := e.Event.(domain.Noted); is && n.Kind == catalog.RolesChanged {
			said = append(said, n.Field("holder")+" "+n.Field("roles"))
		}
	}
	return said
}

func (b *bench) wantRoles(want ...string) {
	b.Helper()
	if said := b.roles(); !slices.Equal(said, want) {
		b.Errorf("the log says %q, want %q", said, want)
	}
}

// TestEachChangeOfRolesIsRecordedOnce: by whichever of several processes sees it first.
func TestEachChangeOfRolesIsRecordedOnce(t *testing.T) {
	b := newBench(t)
	one, other := b.process(), b.process()
	settle := func(k *Keys, roles ...Role) {
		t.Helper()
		if err := k.SettleGrants(t.Context(), gives(roles...)); err != nil {
			t.Fatal(err)
		}
	}

	settle(one, Viewer, Auditor)
	settle(other, Auditor, Viewer)
	b.wantRoles("p-group auditor,viewer")
	settle(other, Viewer)
	settle(one, Viewer)
	b.wantRoles("p-group auditor,viewer", "p-group viewer")
	settle(one)
	settle(other)
	settle(b.process())
	b.wantRoles("p-group auditor,viewer", "p-group viewer", "p-group none")
	settle(one, Viewer) // once more as it was
	b.wantRoles("p-group auditor,viewer", "p-group viewer", "p-group none", "p-group viewer")
}

// TestWhoReadTheFileBeforeItChangedRecordsNothingOlder guards against a process that read
// the file before another one recorded its change.
func TestWhoReadTheFileBeforeItChangedRecordsNothingOlder(t *testing.T) {
	b := newBench(t)
	slow, fast := b.process(), b.process()
	err := slow.SettleGrants(t.Context(), func() []Grant { // which is asked behind the row
		if err := fast.SettleGrants(t.Context(), gives(Viewer)); err != nil {
			t.Error(err)
		}
		return gives(Viewer)()
	})
	if err != nil {
		t.Fatal(err)
	}
	b.wantRoles("p-group viewer")
}

// TestWhatAnotherProcessRecordedMeanwhileIsNotForgotten: who read the grants before, and has
// another file, takes back in the log what that process gave.
func TestWhatAnotherProcessRecordedMeanwhileIsNotForgotten(t *testing.T) {
	b := newBench(t)
	slow, fast := b.process(), b.process()
	once := false
	err := slow.SettleGrants(t.Context(), func() []Grant { // which is asked behind the row
		if !once {
			once = true
			other := gives(Auditor)()
			other[0].Holder = "p-other"
			if err := fast.SettleGrants(t.Context(), func() []Grant { return other }); err != nil {
				t.Error(err)
			}
		}
		return gives(Viewer)()
	})
	if err != nil {
		t.Fatal(err)
	}
	b.wantRoles("p-other auditor", "p-group viewer", "p-other none")
}

var errDied = errors.New("the process died")

// TestAChangeOfRolesIsRecordedAcrossADeath: wherever the process dies, and whatever the
// file says by the time another one starts, the log ends with what the file says.
func TestAChangeOfRolesIsRecordedAcrossADeath(t *testing.T) {
	for _, before := range []bool{true, false} {
		for _, then := range []Role{Viewer, Auditor} {
			b := newBench(t)
			if err := b.SettleGrants(t.Context(), gives(Auditor)); err != nil {
				t.Fatal(err)
			}
			dying := b.process()
			dying.Execute = func(ctx context.Context, r ledger.Request) (ledger.Receipt, error) {
				if before {
					return ledger.Receipt{}, errDied
				}
				_, err := b.ledger.Execute(ctx, r)
				return ledger.Receipt{}, errors.Join(err, errDied)
			}
			if err := dying.SettleGrants(t.Context(), gives(Viewer)); !errors.Is(err, errDied) {
				t.Fatal(err)
			}
			if err := b.process().SettleGrants(t.Context(), gives(then)); err != nil {
				t.Errorf("recorded before %v, then %s: %v", before, then, err)
			}

			want := []string{"p-group auditor", "p-group viewer"}
			if then == Auditor {
				want = append(want, "p-group auditor")
			}
			b.wantRoles(want...)
		}
	}
}

// TestTheRolesOfAnAppAreRecordedOnceItIsRegistered: before it has no log.
func TestTheRolesOfAnAppAreRecordedOnceItIsRegistered(t *testing.T) {
	b := newBench(t)
	for range 2 {
		if err := b.SettleGrants(t.Context(), gives(Viewer)); err != nil {
			t.Fatal(err)
		}
	}
	b.register("unheard")
	if err := b.SettleGrants(t.Context(), gives(Viewer)); err != nil {
		t.Fatal(err)
	}
	if notes := b.notes("unheard"); len(notes) != 1 || !strings.HasPrefix(notes[0], "roles.changed") {
		t.Errorf("%q", notes)
	}
	b.wantRoles("p-group viewer")
}
