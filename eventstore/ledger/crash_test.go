package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
)

// TestEveryCrashPoint takes the power away before each single operation that
// changes a file, and with what was not synced gone in whole or in part. What
// had a receipt is there, once, and every request asked again has one answer.
func TestEveryCrashPoint(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	mem := vfs.NewCrashableMem()
	f := &film{mem: mem, keys: vault.NewMemoryKeys(), rng: rand.New(rand.NewPCG(seed, 0))}
	f.shoot(t, mem)
	for i, shot := range f.shots {
		if err := shot.check(t.Context(), f.keys, f.requests); err != nil {
			t.Errorf("crash point %d of %d, %s, after %d receipts: %v", i, len(f.shots), shot.before, len(shot.receipts), err)
		}
	}
	t.Logf("%d crash points", len(f.shots))
}

// TestTheCrashTestCanFail runs the same on a disk that says that it synced the
// log, and did not.
func TestTheCrashTestCanFail(t *testing.T) {
	t.Parallel()
	mem := vfs.NewCrashableMem()
	f := &film{mem: mem, keys: vault.NewMemoryKeys(), rng: rand.New(rand.NewPCG(1, 2))}
	f.shoot(t, logLiar{mem})
	for _, shot := range f.shots {
		if err := shot.check(t.Context(), f.keys, f.requests); err != nil {
			t.Logf("noticed, as it must: after %d receipts: %.150v", len(shot.receipts), err)
			return
		}
	}
	t.Errorf("on a disk that does not sync its log nothing was lost at %d crash points", len(f.shots))
}

// A film is what is on a disk at each moment of a story.
type film struct {
	mem      *vfs.MemFS
	keys     vault.Keys
	rng      *rand.Rand
	requests []ledger.Request

	mu       sync.Mutex
	receipts []ledger.Receipt // of the first requests
	shots    []shot
}

// A shot is what a crash leaves, and which receipts were out by then.
type shot struct {
	before   string
	partial  bool // some of what was not synced is there
	left     vfs.FS
	receipts []ledger.Receipt
}

// story is the requests of a film: the app, first contact with a person, a
// command with a personal part, appends to persons who are known, and a second
// person.
func story() ([]ledger.Request, error) {
	version, err := policydoc.Hash(document)
	if err != nil {
		return nil, err
	}
	private := domain.WithdrawConsent{Scope: policy.Scope{All: true}, Details: `{"said":"in private"}`}
	list := []ledger.Request{
		requestOf("app", domain.RegisterApp{App: domain.App{Name: "demo", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}}),
		requestOf("policy", domain.PublishPolicy{Version: version, Document: document}),
		requestOf("ada 1", yes), requestOf("ada 2", private), requestOf("ada 3", yes),
		requestOf("bob 1", private), requestOf("bob 2", yes), requestOf("ada 4", no),
	}
	for i := range list {
		if strings.HasPrefix(list[i].ID, "bob") {
			list[i].Person.ID = "bob"
		}
	}
	return list, nil
}

// shoot plays the story on disk, which lies above f.mem: half of it, then a
// restart, then the rest.
func (f *film) shoot(t *testing.T, disk vfs.FS) {
	t.Helper()
	var err error
	if f.requests, err = story(); err != nil {
		t.Fatal(err)
	}
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(f.watch))
	half := len(f.requests) / 2
	for _, part := range [][]ledger.Request{f.requests[:half], f.requests[half:]} {
		l, db, err := openOn(t.Context(), fs, f.keys)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range part {
			receipt := must(t, l, r)
			f.mu.Lock()
			f.receipts = append(f.receipts, receipt)
			f.mu.Unlock()
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// watch is told of every operation before it is done. It takes two shots of each
// that changes a file: without what was not synced, and with some of it.
func (f *film) watch(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	receipts := f.receipts[:len(f.receipts):len(f.receipts)]
	for _, percent := range []int{0, 1 + f.rng.IntN(99)} {
		f.shots = append(f.shots, shot{
			before:   fmt.Sprintf("operation %d on %s, %d%% unsynced", op.Kind, op.Path, percent),
			partial:  percent > 0,
			left:     f.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: f.rng}),
			receipts: receipts,
		})
	}
	return nil
}

func openOn(ctx context.Context, fs vfs.FS, keys vault.Keys) (*ledger.Ledger, *embedded.DB, error) {
	db, err := embedded.Open("db", embedded.Options{FS: fs})
	if err != nil {
		return nil, nil, err
	}
	l, _, err := openOver(ctx, db, keys)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return l, db, nil
}

func openOver(ctx context.Context, db *embedded.DB, keys vault.Keys) (*ledger.Ledger, *vault.Vault, error) {
	v, err := vault.Open(ctx, db.Rows(), keys)
	if err != nil {
		return nil, nil, err
	}
	l, err := ledger.Open(ctx, ledger.Config{Store: db.Store(), Vault: v, Now: func() deadline.Instant { return start }})
	return l, v, err
}

// check opens what is left and says what it breaks: first as it is, then once
// all requests were made again, twice.
func (s shot) check(ctx context.Context, keys vault.Keys, requests []ledger.Request) (err error) {
	db, err := embedded.Open("db", embedded.Options{FS: s.left})
	if s.partial && reordered(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("does not open: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	l, v, err := openOver(ctx, db, keys)
	if err != nil {
		return fmt.Errorf("does not open: %w", err)
	}
	if err := holds(ctx, l, v, s.receipts, len(s.receipts)+1); err != nil {
		return err
	}
	receipts := make([]ledger.Receipt, len(requests))
	for round := range 2 {
		for i, r := range requests {
			again, err := l.Execute(ctx, r)
			if err != nil {
				return fmt.Errorf("request %q made again: %w", r.ID, err)
			}
			if i < len(s.receipts) && again != s.receipts[i] || round > 0 && again != receipts[i] {
				return fmt.Errorf("request %q had the receipt %v, then %v", r.ID, receipts[i], again)
			}
			receipts[i] = again
		}
	}
	return holds(ctx, l, v, receipts, len(receipts))
}

// reordered reports whether the entries of a directory reached the disk in
// another order than they were made: a marker without the manifest that it
// names. Pebble counts on their order, which file systems with a journal keep.
// Such a directory is refused, and never taken for an empty one.
func reordered(err error) bool {
	return errors.Is(err, fs.ErrNotExist) && strings.Contains(err.Error(), "MANIFEST")
}

// holds reads everything: what each receipt says is there, once and whole; at
// most so many requests are; and whatever is there has its personal parts.
func holds(ctx context.Context, l *ledger.Ledger, v *vault.Vault, receipts []ledger.Receipt, most int) error {
	seen := map[eventstore.EventID]eventstore.Position{}
	answered := map[[16]byte]ledger.Receipt{}
	for e, err := range l.Replay(ctx, 0) {
		if err != nil {
			return fmt.Errorf("does not read: %w", err)
		}
		if at, twice := seen[e.ID]; twice {
			return fmt.Errorf("event %s is at %d and %d", e.ID, at, e.Position)
		}
		seen[e.ID] = e.Position
		r, again := answered[e.Request.ID]
		if !again {
			r.Event = e.ID
		}
		r.Position = e.Position
		answered[e.Request.ID] = r
		if err := openable(ctx, v, e); err != nil {
			return fmt.Errorf("record %d: %w", e.Position, err)
		}
	}
	type place struct {
		event eventstore.EventID
		at    eventstore.Position
	}
	there := map[place]bool{}
	for _, r := range answered {
		there[place{r.Event, r.Position}] = true
	}
	for i, r := range receipts {
		if !there[place{r.Event, r.Position}] {
			return fmt.Errorf("request %d has a receipt for %d, and is at %d (0: lost)", i, r.Position, seen[r.Event])
		}
	}
	if len(answered) > most {
		return fmt.Errorf("there are %d requests, want at most %d", len(answered), most)
	}
	return nil
}

// openable returns an error if a personal part of e is missing or altered, or
// the first record of a person is not bound to one.
func openable(ctx context.Context, v *vault.Vault, e codec.Entry) error {
	if e.Stream.Noun == ident.SubjectNoun && e.Revision == 1 && (len(e.Parts) == 0 || e.Parts[0].Role != "binding") {
		return errors.New("it is bound to nobody")
	}
	for _, part := range e.Parts {
		name, err := vault.ParsePseudonym(part.Ref)
		if err != nil {
			return err
		}
		p, ok, err := v.ByPseudonym(ctx, string(e.Stream.App), name)
		if err != nil || !ok {
			return fmt.Errorf("its person is in the vault: %v, %v", ok, err)
		}
		plain, ok, err := v.Part(ctx, p, e.ID, e.Stream.String(), part.Role)
		if err != nil || !ok || p.Commit(e.ID, part.Role, plain) != part.Commitment {
			return fmt.Errorf("part %s is in the vault: %v, %v", part.Role, ok, err)
		}
	}
	return nil
}

// A logLiar is a disk that says it synced the write-ahead log, and did not.
type logLiar struct{ vfs.FS }

type lyingFile struct{ vfs.File }

func (lyingFile) Sync() error                         { return nil }
func (lyingFile) SyncData() error                     { return nil }
func (lyingFile) SyncTo(int64) (full bool, err error) { return false, nil }

func (l logLiar) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.Create(name, c)
	if err == nil && strings.HasSuffix(name, ".log") {
		f = lyingFile{f}
	}
	return f, err
}

func (l logLiar) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.ReuseForWrite(from, to, c)
	return lyingFile{f}, err
}
