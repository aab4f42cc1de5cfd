package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// Of a key there are up to three rows, none of which is ever changed: so a key that is
// revoked by one process while another rotates it stays revoked.
const (
	keyRows     = "access/1/"
	issuedRow   = keyRows + "key/"     // what it is for
	endsRow     = keyRows + "ends/"    // when it ends, because another took its place
	revokedRow  = keyRows + "revoked/" // that it was revoked, and when
	rowsVersion = 1
)

// An issued is the row of a key.
type issued struct {
	Version   int              `json:"v"`
	Principal string           `json:"principal"`
	Name      string           `json:"name"`
	Hash      string           `json:"hash"`
	Roles     []Role           `json:"roles"`
	Apps      []string         `json:"apps,omitempty"` // and groups of them, as [ParseApps] reads them
	AllApps   bool             `json:"all_apps,omitempty"`
	Created   deadline.Instant `json:"created"`
	Expires   deadline.Instant `json:"expires"`
	Setup     bool             `json:"setup,omitempty"`
	By        string           `json:"by,omitempty"`
	Instead   string           `json:"instead,omitempty"` // of the key that it was rotated from
}

// An ending is the row of when a key ends, or was revoked.
type ending struct {
	Version int              `json:"v"`
	At      deadline.Instant `json:"at"`
	By      string           `json:"by,omitempty"`
}

// A Listed is what is known of a key, without its secret.
type Listed struct {
	ID        string
	Principal string
	Name      string
	Roles     []Role
	Apps      []ident.AppName
	Groups    []AppGroup
	Reached   []ident.AppName // the apps of Groups when this was read
	AllApps   bool
	Setup     bool // it is good for the first administrator, and for an hour
	Created   deadline.Instant
	Expires   deadline.Instant
	Revoked   deadline.Instant // zero: it is not

	hash      [sha256.Size]byte
	by        string // who issued it
	instead   string // of which other key; empty: of none
	revokedBy string
	replaced  bool // another took its place
}

// Ended reports whether a key lets nobody in any more.
func (l Listed) Ended(at deadline.Instant) bool { return l.Revoked != 0 || at >= l.Expires }

// Keys are the keys of a ledger. Its methods may be called concurrently.
type Keys struct {
	Rows eventstore.Rows
	Now  func() deadline.Instant

	// Execute records that a key was issued or ended, and Apps are those in whose logs
	// that is recorded if it is for every app.
	Execute func(ctx context.Context, req ledger.Request) (ledger.Receipt, error)
	Apps    func() []ident.AppName

	// Groups returns which of the registered apps are in which group; nil: none is. It is asked
	// only while somebody has a grant for one: by a key, or by a file as FileGroups says.
	Groups     func(ctx context.Context) (map[AppGroup][]ident.AppName, error)
	FileGroups func() bool

	// Rehearse returns a ledger on which is tried what would be recorded.
	Rehearse func(ctx context.Context) (*ledger.Rehearsal, error)

	known   atomic.Pointer[knownKeys]
	reading sync.Mutex  // held while the rows are read: a read never replaces a newer one
	grouped atomic.Bool // somebody has a key for a group, or is getting one
	settled sync.Map    // what this process knows to be recorded, see [Keys.record]

	// Changed, if it is not nil, is called after the keys were read.
	Changed func()
}

// A knownKeys is what the rows said.
type knownKeys struct {
	read   time.Time
	keys   map[string]Listed
	groups members
	moves  int // how often groups were others than before
}

// How often the rows are read, and for how long what they said holds when they cannot
// be: a key that was revoked in the meantime would let somebody in.
const (
	readEvery  = 500 * time.Millisecond
	knownStays = 30 * time.Second
)

// Run reads the keys again and again until ctx is done. It calls failed with the error
// of a reading that failed, once until one succeeds.
func (k *Keys) Run(ctx context.Context, failed func(error)) {
	t := time.NewTicker(readEvery)
	defer t.Stop()
	well := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}

		err := k.Read(ctx)
		if err != nil && ctx.Err() == nil && well {
			failed(err)
		}
		well = err == nil
	}
}

// Read reads the keys.
func (k *Keys) Read(ctx context.Context) error {
	k.reading.Lock()
	defer k.reading.Unlock()
	read := time.Now()
	ctx, cancel := context.WithTimeout(ctx, knownStays/3)
	defer cancel()

	keys := map[string]Listed{}
	ends, revoked := map[string]ending{}, map[string]ending{}
	for row, err := range k.Rows.Scan(ctx, []byte(keyRows)) {
		if err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		if err := readRow(string(row.Key), row.Value, keys, ends, revoked); err != nil {
			return err
		}
	}
	groups, err := k.readGroups(ctx, keys)
	if err != nil {
		return fmt.Errorf("the groups of apps: %w", err)
	}

	for id, l := range keys {
		if e, has := ends[id]; has {
			l.Expires, l.replaced = min(l.Expires, e.At), true
		}
		l.Revoked, l.revokedBy = revoked[id].At, revoked[id].By
		if len(l.Groups) > 0 {
			l.Reached = groups.of(l.Groups)
		}
		keys[id] = l
	}

	now := &knownKeys{read: read, keys: keys, groups: groups}
	if was := k.known.Load(); was != nil {
		now.moves = was.moves
		if groups.moved(was.groups) {
			now.moves++
		}
	}
	k.known.Store(now)
	if k.Changed != nil {
		k.Changed()
	}
	return nil
}

func readRow(key string, value []byte, keys map[string]Listed, ends, revoked map[string]ending) error {
	if id, is := strings.CutPrefix(key, issuedRow); is {
		l, err := readIssued(id, value)
		if err != nil {
			return fmt.Errorf("the row of the key %s: %w", id, err)
		}
		keys[id] = l
		return nil
	}

	into, id := ends, strings.TrimPrefix(key, endsRow)
	if of, is := strings.CutPrefix(key, revokedRow); is {
		into, id = revoked, of
	}

	var e ending
	if err := json.Unmarshal(value, &e); err != nil || e.Version != rowsVersion || e.At <= 0 {
		return fmt.Errorf("the row of the end of the key %s: %w", id, errRow)
	}

	into[id] = e
	return nil
}

var errRow = errors.New("it is not as this program writes it: use the version that wrote it, or a newer one")

func readIssued(id string, value []byte) (Listed, error) {
	var i issued
	if err := json.Unmarshal(value, &i); err != nil || i.Version != rowsVersion {
		return Listed{}, errRow
	}

	l := Listed{
		ID: id, Principal: i.Principal, Name: i.Name, Roles: i.Roles, AllApps: i.AllApps,
		Setup: i.Setup, Created: i.Created, Expires: i.Expires, by: i.By, instead: i.Instead,
	}

	var err error
	if l.Apps, l.Groups, err = ParseApps(i.Apps); err != nil {
		return Listed{}, errRow
	}

	hash, err := hex.DecodeString(i.Hash)
	if err != nil || len(hash) != len(l.hash) {
		return Listed{}, errRow
	}

	copy(l.hash[:], hash)
	return l, nil
}

// A Denied says why somebody is not authenticated.
type Denied string

func (d Denied) Error() string { return string(d) }

const (
	NoKey      Denied = "say who you are: send a key, as Authorization: Bearer clk_..."
	UnknownKey Denied = "this key is not known here, or is not as it was issued"
	ExpiredKey Denied = "this key has ended: ask an administrator for another"
	PageKey    Denied = "a page of another origin comes with a subject token, and with nothing else: a key does not " +
		"belong into a browser"
	NotTheirs  Denied = "who this key is of may not do this in this app"
	RevokedKey Denied = "this key was revoked: ask an administrator for another"
)

// An Unmapped says why somebody who is authenticated has no role here.
type Unmapped string

func (u Unmapped) Error() string { return string(u) }

// ErrAway says that nobody can tell now whether a key is good.
var ErrAway = errors.New("the keys cannot be read now: ask again")

// Authenticate returns whose key that is. The error is a [Denied] or wraps [ErrAway].
func (k *Keys) Authenticate(text string) (Principal, error) {
	known := k.known.Load()
	if known == nil || time.Since(known.read) > knownStays {
		return Principal{}, ErrAway
	}
	key, err := ParseKey(text)
	if err != nil {
		return Principal{}, UnknownKey
	}

	// Of a key that is not known the hash is compared, too, with one that nothing has.
	l, has := known.keys[key.ID]
	hash := key.hash()
	if same := subtle.ConstantTimeCompare(hash[:], l.hash[:]) == 1; !has || !same {
		return Principal{}, UnknownKey
	}
	if l.Revoked != 0 {
		return Principal{}, RevokedKey
	}
	if k.Now() >= l.Expires {
		return Principal{}, ExpiredKey
	}
	return l.principal(), nil
}

func (l Listed) principal() Principal {
	return Principal{
		Pseudonym: l.Principal,
		Key:       l.ID,
		Bindings: []Binding{
			{Roles: l.Roles, Apps: l.Apps, Groups: l.Groups, AllApps: l.AllApps, Reached: l.Reached},
		},
		Ends: l.Expires.Time(),
	}
}

// Good reports whether a key that let somebody in would do so now, and when it ends.
func (k *Keys) Good(id string) (until deadline.Instant, good bool) {
	known := k.known.Load()
	if known == nil || time.Since(known.read) > knownStays {
		return 0, false
	}
	l, has := known.keys[id]
	return l.Expires, has && !l.Ended(k.Now())
}

// List returns every key that there ever was, the newest first.
func (k *Keys) List(ctx context.Context) ([]Listed, error) {
	if err := k.Read(ctx); err != nil {
		return nil, err
	}

	var list []Listed
	for _, l := range k.known.Load().keys {
		list = append(list, l)
	}

	slices.SortFunc(list, func(a, b Listed) int {
		if a.Created != b.Created {
			return int(max(-1, min(1, b.Created-a.Created)))
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list, nil
}

// find returns a key that lets somebody in.
func (k *Keys) find(ctx context.Context, id string) (Listed, error) {
	if err := k.Read(ctx); err != nil {
		return Listed{}, err
	}
	l, has := k.known.Load().keys[id]
	if !has {
		return Listed{}, ErrNoSuchKey
	}
	return l, nil
}

// ErrNoSuchKey says that there is no key of an id.
var ErrNoSuchKey = errors.New("there is no key of this id: access key list shows them")

// HasAdministrator reports whether somebody can issue keys, but for setting up.
func (k *Keys) HasAdministrator() bool {
	known := k.known.Load()
	if known == nil {
		return false
	}
	for _, l := range known.keys {
		if !l.Setup && !l.Ended(k.Now()) && l.AllApps && slices.Contains(l.Roles, Administrator) {
			return true
		}
	}
	return false
}
