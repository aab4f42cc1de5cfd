package transparency

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore"

	"golang.org/x/mod/sumdb/note"
)

// How keys change where several processes share them: see [Shared] and [Log.JoinKey].

func changeRowKey(app ident.AppName, n int) []byte {
	return binary.BigEndian.AppendUint64([]byte(changeRows+string(app)+"/"), uint64(n))
}

// readChanges reads how the keys of all logs changed.
func (s *shared) readChanges(ctx context.Context) (map[ident.AppName][]string, error) {
	all := map[ident.AppName][]string{}
	for row, err := range s.Rows.Scan(ctx, []byte(changeRows)) {
		if err != nil {
			return nil, fmt.Errorf("rows of the logs: %w", err)
		}
		name, _, _ := bytes.Cut(bytes.TrimPrefix(row.Key, []byte(changeRows)), []byte("/"))
		app, err := ident.ParseAppName(string(name))
		if err != nil || !bytes.Equal(row.Key, changeRowKey(app, len(all[app])+1)) {
			return nil, fmt.Errorf("row %q of the logs: it is not the next change of the keys of an app", row.Key)
		}
		line, err := unversioned(row.Key, row.Value)
		if err != nil {
			return nil, err
		}
		all[app] = append(all[app], string(line))
	}
	return all, nil
}

// changesOf returns how the keys of an app's log changed, as last looked at.
func (k *Keep) changesOf(app ident.AppName) []string {
	k.shared.mu.Lock()
	defer k.shared.mu.Unlock()
	return slices.Clone(k.shared.changes[app])
}

// sharedSigning returns the keys that sign an app's log, and how others verify it.
func (k *Keep) sharedSigning(ctx context.Context, app ident.AppName) (signing, LogKeys, error) {
	for range 3 { // they may change while they are read
		s, keys, err := k.trySharedSigning(ctx, app)
		if err != nil {
			return signing{}, LogKeys{}, err
		}
		if keys.Current == s.vkey() && (keys.Next == "") == (len(s.vkeys) == 1) &&
			(keys.Next == "" || keys.Next == s.vkeys[1]) {
			k.shared.mu.Lock()
			defer k.shared.mu.Unlock()
			k.shared.vkeys[app] = s.vkey()
			return s, keys, nil
		}
		if err := k.look(ctx); err != nil {
			return signing{}, LogKeys{}, err
		}
	}
	return signing{}, LogKeys{}, &LostError{app, "the row of a key that signs"}
}

// trySharedSigning returns the keys that are there, and those that there should be.
func (k *Keep) trySharedSigning(ctx context.Context, app ident.AppName) (s signing, keys LogKeys, err error) {
	changes := k.changesOf(app)
	skeys, err := k.unsealKeys(ctx, app)
	if err != nil {
		return s, keys, err
	}
	for _, skey := range skeys {
		if err := s.add(skey); err != nil || s.signers[len(s.signers)-1].Name() != k.Origin(app) {
			return s, keys, fmt.Errorf("app %s: what was sealed as its signing key is not the key of %s", app,
				k.Origin(app))
		}
	}
	s.changes = len(changes)

	keys = LogKeys{Current: firstKey(s.vkey(), changes)}
	for _, line := range changes {
		if keys, err = keys.after(line); err != nil {
			return s, keys, fmt.Errorf("app %s: the changes of its keys: %w", app, err)
		}
	}
	return s, keys, nil
}

// unsealKeys returns the current key of an app's log and, while they overlap, the next.
func (k *Keep) unsealKeys(ctx context.Context, app ident.AppName) (skeys []string, err error) {
	for i, rows := range []string{keyRows, nextKeyRows} {
		key := []byte(rows + string(app))
		sealed, ok, err := k.shared.get(ctx, key)
		switch {
		case err != nil:
			return nil, err
		case !ok && i == 0:
			return nil, &LostError{app, "row " + string(key)}
		case !ok:
			return skeys, nil
		}
		text, err := k.shared.Unseal(ctx, string(app), sealed)
		if err != nil {
			return nil, fmt.Errorf("app %s: the signing key: %w", app, err)
		}
		skeys = append(skeys, string(text))
	}
	return skeys, nil
}

// sharedKeys is [Keep.Keys].
func (k *Keep) sharedKeys(ctx context.Context, app ident.AppName) (LogKeys, error) {
	if err := k.look(ctx); err != nil {
		return LogKeys{}, err
	}
	_, keys, err := k.sharedSigning(ctx, app)
	return keys, err
}

// joinShared is [Keep.join]. Of processes that do it at once one does.
func (k *Keep) joinShared(ctx context.Context, app ident.AppName, at time.Time) error {
	keys, err := k.sharedKeys(ctx, app)
	if err != nil {
		return err
	}
	if keys.Next != "" {
		return ErrOverlap
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, k.Origin(app))
	if err != nil {
		return err
	}
	sealed, err := k.shared.Seal(ctx, string(app), []byte(skey))
	if err != nil {
		return fmt.Errorf("app %s: the next signing key: %w", app, err)
	}

	next, change := []byte(nextKeyRows+string(app)), changeRowKey(app, len(k.changesOf(app))+1)
	return k.changeShared(ctx, eventstore.Change{
		Present: [][]byte{[]byte(keyRows + string(app))},
		Absent:  [][]byte{next, change},
		Put: []eventstore.Row{
			{Key: next, Value: versionedRow(sealed)},
			{Key: change, Value: versionedRow([]byte(joined(vkey, at)))},
			newsOf(),
		},
	})
}

// retireShared is [Keep.retire].
func (k *Keep) retireShared(ctx context.Context, app ident.AppName, at time.Time) error {
	s, err := k.openShared(ctx, app)
	if err != nil {
		return err
	}
	if len(s.vkeys) == 1 {
		return ErrNoOverlap
	}
	if s.partly {
		return ErrNotSigned
	}

	next, change := []byte(nextKeyRows+string(app)), changeRowKey(app, s.changes+1)
	sealed, ok, err := k.shared.get(ctx, next)
	if err != nil {
		return err
	}
	if !ok {
		return ErrChanged
	}
	return k.changeShared(ctx, eventstore.Change{
		Present: [][]byte{next},
		Absent:  [][]byte{change},
		Delete:  [][]byte{next},
		Put: []eventstore.Row{
			{Key: []byte(keyRows + string(app)), Value: versionedRow(sealed)},
			{Key: change, Value: versionedRow([]byte(retired(s.vkey(), at)))},
			newsOf(),
		},
	})
}

func (k *Keep) changeShared(ctx context.Context, c eventstore.Change) error {
	err := k.shared.write(ctx, c)
	if errors.Is(err, eventstore.ErrCondition) {
		return ErrChanged
	}
	return err
}

// adoptKeys takes the keys that sign an app's log, if another process has changed them.
func (l *Log) adoptKeys(ctx context.Context, t *tree) error {
	if len(l.Keep.changesOf(t.app)) == t.signed.changes {
		return nil
	}
	err := l.Keep.rekey(ctx, t.app, t.signed)
	if lost, is := errors.AsType[*LostError](err); is {
		return l.halt(t.app, lost)
	}
	if err != nil {
		return err
	}
	t.showKeys()
	return nil
}
