package auth

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// A bench is a ledger with the apps shop and bank, and the keys to it. Its clock stands.
type bench struct {
	*testing.T
	*Keys
	ledger *ledger.Ledger
	rows   *memory.Rows
	apps   []ident.AppName
	at     deadline.Instant
	groups map[AppGroup][]ident.AppName

	guarded http.Handler
	came    func(*http.Request) // is called for who came through
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, rows: new(memory.Rows), at: deadline.At(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))}
	v, err := vault.Open(t.Context(), b.rows, vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	if b.ledger, err = ledger.Open(t.Context(), ledger.Config{Store: new(memory.Store), Vault: v, Now: b.now}); err != nil {
		t.Fatal(err)
	}
	b.register("shop")
	b.register("bank")
	b.Keys = b.process()
	return b
}

func (b *bench) now() deadline.Instant { return b.at }

func (b *bench) register(app ident.AppName) {
	b.Helper()
	r := domain.RegisterApp{App: domain.App{Name: app, Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}}
	_, err := b.ledger.Execute(b.Context(), ledger.Request{
		App: app, Source: "test", ID: "app", Body: []byte("x"), Actor: "operator", RecordedBy: "test", Command: r,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.apps = append(b.apps, app)
}

// process returns the keys as another process has them.
func (b *bench) process() *Keys {
	k := &Keys{
		Rows: b.rows, Now: b.now, Execute: b.ledger.Execute, Apps: func() []ident.AppName { return b.apps },
		Groups: func(context.Context) (map[AppGroup][]ident.AppName, error) { return maps.Clone(b.groups), nil },
	}
	if err := k.Read(b.Context()); err != nil {
		b.Fatal(err)
	}
	return k
}

func (b *bench) issue(w Wish) (Key, Listed) {
	b.Helper()
	if w.Name == "" {
		w.Name = "somebody"
	}
	if w.Lasts == 0 {
		w.Lasts = 24 * time.Hour
	}
	key, l, err := b.Issue(b.Context(), w, "p-admin")
	if err != nil {
		b.Fatal(err)
	}
	return key, l
}

// notes returns what the log of an app says of keys, oldest first.
func (b *bench) notes(app ident.AppName) (said []string) {
	b.Helper()
	for e, err := range b.ledger.Own(b.Context(), app) {
		if err != nil {
			b.Fatal(err)
		}
		if n, is := e.Event.(domain.Noted); is {
			said = append(said, fmt.Sprintf("%s %s %s by %s", n.Kind, n.Field("key"), n.Field("roles"), n.Field("by")))
		}
	}
	return said
}

func TestAKeyLetsInWhoItIsFor(t *testing.T) {
	b := newBench(t)
	key, l := b.issue(Wish{Name: "the shop", Roles: []Role{Writer, AppReader}, Apps: []ident.AppName{"shop"}})
	p, err := b.Authenticate(key.Reveal())
	if err != nil || p.Pseudonym != l.Principal || p.Key != key.ID || !p.In("shop") || p.In("bank") || !p.May(Record) || p.May(Erase) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := ident.ParsePrincipal(p.Pseudonym); err != nil || strings.Contains(p.Pseudonym, "shop") {
		t.Errorf("records would name %q: %v", p.Pseudonym, err)
	}
	want := []string{"key.issued " + key.ID + " app-writer,app-reader by p-admin"}
	if got := b.notes("shop"); !slices.Equal(got, want) {
		t.Errorf("the log of the shop says %v, want %v", got, want)
	}
	if got := b.notes("bank"); len(got) != 0 {
		t.Errorf("the log of the bank says %v", got)
	}
}

// What lies in the rows lets nobody in.
func TestTheRowsHoldNoKey(t *testing.T) {
	b := newBench(t)
	key, _ := b.issue(Wish{Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}})
	_, secret, _ := strings.Cut(key.Reveal()[4:], "_")
	rows := 0
	for row, err := range b.rows.Scan(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
		if strings.Contains(string(row.Value), secret[:16]) || strings.Contains(string(row.Key), secret[:16]) {
			t.Errorf("the row %q holds the key", row.Key)
		}
	}
	if rows == 0 {
		t.Error("there are no rows")
	}
}

func TestWhoIsLetInByNoKey(t *testing.T) {
	b := newBench(t)
	key, _ := b.issue(Wish{Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}})
	ended, _ := b.issue(Wish{Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}, Lasts: time.Hour})
	revoked, _ := b.issue(Wish{Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}})
	if _, err := b.Revoke(t.Context(), revoked.ID, "p-admin"); err != nil {
		t.Fatal(err)
	}
	b.at += deadline.Instant(time.Hour.Milliseconds())
	body := key.Reveal()[:17] + strings.Repeat("a", 52)
	for name, c := range map[string]struct {
		key  string
		want Denied
	}{
		"one that was never issued":             {NewKey().Reveal(), UnknownKey},
		"one with the id of a good one":         {body + sum(body), UnknownKey},
		"one that is broken":                    {key.Reveal()[:40], UnknownKey},
		"nothing":                               {"", UnknownKey},
		"one that has ended":                    {ended.Reveal(), ExpiredKey},
		"one that was revoked":                  {revoked.Reveal(), RevokedKey},
		"the id alone":                          {key.ID, UnknownKey},
		"its hash, which the rows would betray": {fmt.Sprintf("%x", key.hash()), UnknownKey},
	} {
		if _, err := b.Authenticate(c.key); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := b.Authenticate(key.Reveal()); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

func TestAnotherProcessHearsThatAKeyEnded(t *testing.T) {
	b := newBench(t)
	other := b.process()
	key, _ := b.issue(Wish{Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}})
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		defer synctest.Wait()
		defer stop()
		go other.Run(ctx, func(err error) { t.Errorf("the keys cannot be read: %v", err) })
		time.Sleep(time.Second)
		if _, err := other.Authenticate(key.Reveal()); err != nil {
			t.Errorf("a new key after a second: %v", err)
		}
		if _, err := b.Revoke(ctx, key.ID, "p-admin"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := other.Authenticate(key.Reveal()); !errors.Is(err, RevokedKey) {
			t.Errorf("a revoked key after a second: %v", err)
		}
	})
}

// faultyRows cannot be read while they are away.
type faultyRows struct {
	eventstore.Rows
	away bool
}

func (f *faultyRows) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	if f.away {
		return func(yield func(eventstore.Row, error) bool) { yield(eventstore.Row{}, errors.New("away")) }
	}
	return f.Rows.Scan(ctx, prefix)
}

// While the rows cannot be read somebody may have revoked a key: what was known holds for
// half a minute, and then nobody is let in.
func TestWhoeverCannotReadTheKeysLetsNobodyIn(t *testing.T) {
	b := newBench(t)
	key, _ := b.issue(Wish{Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}})
	synctest.Test(t, func(t *testing.T) {
		rows := &faultyRows{Rows: b.rows}
		k := &Keys{Rows: rows, Now: b.now}
		if _, err := k.Authenticate(key.Reveal()); !errors.Is(err, ErrAway) {
			t.Errorf("before anything was read: %v", err)
		}
		if err := k.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		var failed sync.WaitGroup
		failed.Add(1)
		rows.away = true
		go k.Run(ctx, func(error) { failed.Done() })
		failed.Wait()
		time.Sleep(10 * time.Second)
		if _, err := k.Authenticate(key.Reveal()); err != nil {
			t.Errorf("after ten seconds: %v", err)
		}
		time.Sleep(30 * time.Second)
		if _, err := k.Authenticate(key.Reveal()); !errors.Is(err, ErrAway) {
			t.Errorf("after forty: %v", err)
		}
		if _, good := k.Good(key.ID); good {
			t.Error("a connection would stay")
		}
		stop()
		synctest.Wait()
	})
}

func TestARotatedKeyGoesOnForTheOverlap(t *testing.T) {
	b := newBench(t)
	old, was := b.issue(Wish{Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}})
	next, l, err := b.Rotate(t.Context(), old.ID, time.Hour, "p-admin")
	if err != nil || l.Principal != was.Principal || l.ID == was.ID || !slices.Equal(l.Roles, was.Roles) || !slices.Equal(l.Apps, was.Apps) {
		t.Fatalf("%+v, %v", l, err)
	}
	for _, key := range []Key{old, next} {
		if p, err := b.Authenticate(key.Reveal()); err != nil || p.Pseudonym != was.Principal {
			t.Errorf("in the overlap: %+v, %v", p, err)
		}
	}
	if _, _, err := b.Rotate(t.Context(), old.ID, time.Hour, "p-admin"); err == nil {
		t.Error("a key is rotated twice")
	}
	b.at += deadline.Instant(time.Hour.Milliseconds())
	if _, err := b.Authenticate(old.Reveal()); !errors.Is(err, ExpiredKey) {
		t.Errorf("the old one after the overlap: %v", err)
	}
	if _, err := b.Authenticate(next.Reveal()); err != nil {
		t.Errorf("the new one: %v", err)
	}
	want := []string{"key.issued " + old.ID + " app-writer by p-admin", "key.rotated " + next.ID + " app-writer by p-admin"}
	if got := b.notes("shop"); !slices.Equal(got, want) {
		t.Errorf("the log says %v, want %v", got, want)
	}
}

// A key that is revoked while another process rotates it is revoked.
func TestRotatingBringsNoRevokedKeyBack(t *testing.T) {
	b := newBench(t)
	other := b.process()
	key, _ := b.issue(Wish{Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}})
	if _, err := b.Revoke(t.Context(), key.ID, "p-admin"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Rotate(t.Context(), key.ID, time.Hour, "p-admin"); err == nil {
		t.Error("a revoked key is rotated")
	}
	row := rowTo(endsRow+key.ID, ending{Version: rowsVersion, At: b.at + 1000}) // as if it had come between
	if err := b.rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{row}}); err != nil {
		t.Fatal(err)
	}
	if err := other.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Authenticate(key.Reveal()); !errors.Is(err, RevokedKey) {
		t.Errorf("%v", err)
	}
}

func TestKeysThatNobodyGets(t *testing.T) {
	b := newBench(t)
	_, writer := b.issue(Wish{Roles: []Role{Writer}, Apps: []ident.AppName{"shop"}})
	shop, day := []ident.AppName{"shop"}, 24*time.Hour
	for name, w := range map[string]Wish{
		"of nobody":                              {Roles: []Role{Writer}, Apps: shop, Lasts: day},
		"with a line end in the name":            {Name: "a\nb", Roles: []Role{Writer}, Apps: shop, Lasts: day},
		"without a role":                         {Name: "a", Apps: shop, Lasts: day},
		"for no app":                             {Name: "a", Roles: []Role{Writer}, Lasts: day},
		"for all apps and some":                  {Name: "a", Roles: []Role{Writer}, Apps: shop, AllApps: true, Lasts: day},
		"that never ends":                        {Name: "a", Roles: []Role{Writer}, Apps: shop},
		"that ended before":                      {Name: "a", Roles: []Role{Writer}, Apps: shop, Lasts: -day},
		"that ends in years":                     {Name: "a", Roles: []Role{Writer}, Apps: shop, Lasts: 400 * day},
		"of an auditor for a year":               {Name: "a", Roles: []Role{Auditor}, Apps: shop, Lasts: 300 * day},
		"of who publishes and records":           {Name: "a", Roles: []Role{Officer, Writer}, Apps: shop, Lasts: day},
		"of an administrator who reads":          {Name: "a", Roles: []Role{Administrator, AppReader}, AllApps: true, Lasts: day},
		"of an administrator of an app":          {Name: "a", Roles: []Role{Administrator}, Apps: shop, Lasts: day},
		"for an app that is not there":           {Name: "a", Roles: []Role{Writer}, Apps: []ident.AppName{"nosuch"}, Lasts: day},
		"of somebody who has none":               {Name: "a", Principal: "p-nobody", Roles: []Role{Writer}, Apps: shop, Lasts: day},
		"a second one, for publishing":           {Name: "a", Principal: writer.Principal, Roles: []Role{Officer}, Apps: shop, Lasts: day},
		"a second one, for what is administered": {Name: "a", Principal: writer.Principal, Roles: []Role{Administrator}, AllApps: true, Lasts: day},
	} {
		_, _, err := b.Issue(t.Context(), w, "p-admin")
		if _, refused := errors.AsType[refusal.Refusal](err); !refused {
			t.Errorf("a key %s: %v", name, err)
		}
	}
	if list, err := b.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%d keys, %v", len(list), err)
	}
	if _, l := b.issue(Wish{Principal: writer.Principal, Roles: []Role{AppReader}, Apps: shop}); l.Principal != writer.Principal {
		t.Errorf("a second key is another principal's: %+v", l)
	}
}

// An app that is registered later gets in its log, too, who may do something in it.
func TestTheLogOfALaterAppSaysWhoMayDoSomethingInIt(t *testing.T) {
	b := newBench(t)
	key, _ := b.issue(Wish{Roles: []Role{Auditor}, AllApps: true})
	if _, err := b.Revoke(t.Context(), key.ID, "p-admin"); err != nil {
		t.Fatal(err)
	}
	b.register("clinic")
	for range 2 {
		if err := b.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"key.issued " + key.ID + " auditor by p-admin", "key.revoked " + key.ID + " auditor by p-admin"}
	for _, app := range []ident.AppName{"shop", "clinic"} {
		if got := b.notes(app); !slices.Equal(got, want) {
			t.Errorf("the log of %s says %v, want %v", app, got, want)
		}
	}
}

func TestTheFirstAdministratorHasAnHour(t *testing.T) {
	b := newBench(t)
	first, err := b.Setup(t.Context())
	if err != nil || b.HasAdministrator() {
		t.Fatalf("%v", err)
	}
	second, err := b.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Authenticate(first.Reveal()); !errors.Is(err, RevokedKey) {
		t.Errorf("the key of the start before: %v", err)
	}
	if p, err := b.Authenticate(second.Reveal()); err != nil || !p.May(ManageKeys) || p.May(ReadPerson) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, _, err := b.Rotate(t.Context(), second.ID, time.Hour, ""); err == nil {
		t.Error("the hour is made longer by rotating")
	}
	b.issue(Wish{Roles: []Role{Administrator}, AllApps: true})
	if !b.HasAdministrator() {
		t.Error("there is an administrator")
	}
	b.at += deadline.Instant(time.Hour.Milliseconds())
	if _, err := b.Authenticate(second.Reveal()); !errors.Is(err, ExpiredKey) {
		t.Errorf("after an hour: %v", err)
	}
}

// betweenRows do something once, after the keys were looked at and before one is written.
type betweenRows struct {
	eventstore.Rows
	do func()
}

func (r *betweenRows) Write(ctx context.Context, c eventstore.Change) error {
	if do := r.do; do != nil {
		r.do = nil
		do()
	}
	return r.Rows.Write(ctx, c)
}

// Two processes issue keys to one principal at once that nobody has both of: one is issued. The
// other one is refused and was never good, and the log says so.
func TestTwoProcessesIssueKeysThatNobodyHasBothOf(t *testing.T) {
	b := newBench(t)
	_, first := b.issue(Wish{Roles: []Role{AppReader}, Apps: []ident.AppName{"shop"}})
	wish := func(role Role) Wish {
		return Wish{Name: "somebody", Principal: first.Principal, Roles: []Role{role}, Apps: []ident.AppName{"shop"}, Lasts: 24 * time.Hour}
	}

	other := b.process()
	var made Key
	b.Keys.Rows = &betweenRows{Rows: b.rows, do: func() {
		var err error
		if made, _, err = other.Issue(t.Context(), wish(Writer), "p-admin"); err != nil {
			t.Error(err)
		}
	}}
	if _, _, err := b.Issue(t.Context(), wish(Officer), "p-admin"); err == nil || !strings.Contains(err.Error(), "issue two keys, to two") {
		t.Errorf("both are issued: %v", err)
	}
	if _, err := b.Authenticate(made.Reveal()); err != nil {
		t.Errorf("the one that was issued: %v", err)
	}
	list, err := b.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if slices.Contains(l.Roles, Officer) && !l.Ended(b.at) {
			t.Errorf("the one that was refused is good: %+v", l)
		}
	}
	if said := b.notes("shop"); !strings.Contains(strings.Join(said, "|"), string(catalog.KeyRevoked)) {
		t.Errorf("the log says %q", said)
	}
}
