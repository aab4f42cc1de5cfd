package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// A Grant is what a file of roles gives to a group of an identity provider, or to a
// certificate, by a pseudonym: names of people and of groups stand in no log.
type Grant struct {
	Holder  string
	Binding Binding
}

// grantsRow holds the grants that are recorded, so that a change of the file is seen, also
// one that was made while no process ran.
//
// Whoever writes it takes the one row away whose key begins with grantsTurn and ends with
// random digits, and makes another: of processes that have read the same grants one writes,
// and the others read again. The row without digits stays, so that one makes the first.
const (
	grantsRow  = "access-roles/1"
	grantsTurn = "access-roles/turn/"
)

// A recordedGrants is that row. Roles are by the app and the holder.
type recordedGrants struct {
	Version int               `json:"v"`
	Changes int               `json:"changes"` // how often they were recorded
	Roles   map[string]string `json:"roles"`
	Next    map[string]string `json:"next,omitempty"` // which are being recorded; none: all are

	turn []byte // the key of the row that whoever writes this takes away; nil: there is none yet
}

// grantsTries is how often grants are read again because another process wrote them.
const grantsTries = 8

// SettleGrants records in the log of each app what has changed of the roles that the file
// gives: who has which roles from now on, or none. What a process that died was recording
// is finished first. What was recorded by another one that reads the same file is not
// recorded again: the file is read behind the row, so that it is no older than what the row
// was written from.
func (k *Keys) SettleGrants(ctx context.Context, grants func() []Grant) error {
	err := eventstore.ErrCondition
	for tries := 0; errors.Is(err, eventstore.ErrCondition) && tries < grantsTries; tries++ {
		err = k.trySettleGrants(ctx, grants)
	}
	return err
}

func (k *Keys) trySettleGrants(ctx context.Context, grants func() []Grant) error {
	was, err := k.readGrants(ctx)
	if err != nil {
		return err
	}
	if was.Next != nil {
		if was, err = k.finishGrants(ctx, was); err != nil {
			return err
		}
	}

	now := k.rolesOf(grants())
	if maps.Equal(was.Roles, now) {
		return nil
	}
	was.Next = now
	if was, err = k.writeGrants(ctx, was); err != nil {
		return err
	}
	_, err = k.finishGrants(ctx, was)
	return err
}

// finishGrants records which roles have changed, and that they are recorded.
func (k *Keys) finishGrants(ctx context.Context, was recordedGrants) (recordedGrants, error) {
	var failed error
	for _, of := range slices.Sorted(maps.Keys(both(was.Roles, was.Next))) {
		if was.Roles[of] != was.Next[of] {
			failed = errors.Join(failed, k.recordGrant(ctx, of, was.Next[of], was.Changes))
		}
	}
	if failed != nil {
		return was, failed
	}
	now := recordedGrants{Version: rowsVersion, Changes: was.Changes + 1, Roles: was.Next, turn: was.turn}
	return k.writeGrants(ctx, now)
}

func (k *Keys) readGrants(ctx context.Context) (recordedGrants, error) {
	was := recordedGrants{Version: rowsVersion}
	for row, err := range k.Rows.Scan(ctx, []byte(grantsTurn)) { // before the grants, which are no older then
		if err != nil {
			return was, fmt.Errorf("the roles that are recorded: %w", err)
		}
		if len(row.Key) > len(grantsTurn) {
			was.turn = bytes.Clone(row.Key)
		}
	}
	text, has, err := k.Rows.Get(ctx, []byte(grantsRow))
	if err != nil {
		return was, fmt.Errorf("the roles that are recorded: %w", err)
	}
	if has {
		if err := json.Unmarshal(text, &was); err != nil || was.Version != rowsVersion {
			return was, fmt.Errorf("the roles that are recorded: %w", errRow)
		}
	}
	return was, nil
}

// writeGrants writes grants in the place of those that g was read with, and returns them as
// they are read next.
func (k *Keys) writeGrants(ctx context.Context, g recordedGrants) (recordedGrants, error) {
	next := []byte(grantsTurn + newID())
	c := eventstore.Change{Put: []eventstore.Row{rowTo(grantsRow, g), {Key: next, Value: []byte{rowsVersion}}}}
	if g.turn != nil {
		c.Present, c.Delete = [][]byte{g.turn}, [][]byte{g.turn}
	} else {
		first := eventstore.Row{Key: []byte(grantsTurn), Value: []byte{rowsVersion}}
		c.Absent, c.Put = [][]byte{first.Key}, append(c.Put, first)
	}

	if err := eventstore.WriteDurably(ctx, k.Rows, c); err != nil {
		return g, fmt.Errorf("the roles that are recorded: %w", err)
	}
	g.turn = next
	return g, nil
}

// rolesOf returns the roles of each holder in each app that is registered: another has no
// log yet, and its roles are recorded once it has.
func (k *Keys) rolesOf(grants []Grant) map[string]string {
	lists, registered := map[string][]string{}, k.Apps()
	for _, g := range grants {
		g.Binding.Reached = k.reached(g.Binding.Groups)
		apps := g.Binding.names()
		if g.Binding.AllApps {
			apps = registered
		}
		for _, app := range apps {
			if !slices.Contains(registered, app) {
				continue
			}
			of := string(app) + " " + g.Holder
			for _, r := range g.Binding.Roles {
				lists[of] = append(lists[of], string(r))
			}
		}
	}

	roles := map[string]string{}
	for of, list := range lists {
		slices.Sort(list)
		roles[of] = strings.Join(slices.Compact(list), ",")
	}
	return roles
}

func both(a, b map[string]string) map[string]string {
	all := maps.Clone(b)
	maps.Copy(all, a)
	return all
}

// recordGrant records which roles a holder has in an app from now on.
func (k *Keys) recordGrant(ctx context.Context, of, roles string, changes int) error {
	app, holder, _ := strings.Cut(of, " ")
	if roles == "" {
		roles = "none"
	}
	id := "roles " + holder + " " + strconv.Itoa(changes) + " " + roles // two processes may see two files for a moment
	_, err := k.Execute(ctx, ledger.Request{
		App: ident.AppName(app), Source: "consentledger/access", ID: id, Body: []byte(id),
		Actor: string(ident.System), RecordedBy: ident.Ledger,
		Command: domain.Say{Event: domain.Noted{Kind: catalog.RolesChanged,
			Fields: policy.Fields(map[string]string{"holder": holder, "roles": roles})}},
	})
	return err
}
