package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"consentledger/api/audit/witness"
	"consentledger/api/rest"
	"consentledger/cmd/internal/exit"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency"
)

// FeedKeyRow is where the key of the calendar feeds is, where several processes serve
// them: its value is a version byte and the key, sealed. Whoever deletes it ends every
// feed address that was given out.
var FeedKeyRow = []byte("f/1")

// feedKeyApp owns the key that seals that of the feeds. It is no app's name.
const feedKeyApp = "feeds"

// openFeedKey reads the key of the calendar feeds from where it is.
func (h *Server) openFeedKey(ctx context.Context) ([]byte, error) {
	if h.Dir.shared != nil {
		return sharedFeedKey(ctx, h.Dir, h.Dir.shared)
	}
	return OpenFeedKey(h.Config.Data)
}

// sharedFeedKey reads the key of the calendar feeds from rows, and makes one if there
// is none. Of processes that begin at once one makes it.
func sharedFeedKey(ctx context.Context, d *DataDir, rows eventstore.Rows) ([]byte, error) {
	value, ok, err := rows.Get(ctx, FeedKeyRow)
	if err == nil && !ok {
		if err = WriteFeedKey(ctx, d.Vault, rows, newKey()); err == nil {
			value, _, err = rows.Get(ctx, FeedKeyRow)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the key of the calendar feeds: %w", err)
	}
	return UnsealFeedKey(ctx, d.Vault, value)
}

// WriteFeedKey writes a key of the calendar feeds, unless there is one.
func WriteFeedKey(ctx context.Context, v *vault.Vault, rows eventstore.Rows, key []byte) error {
	sealed, err := sealAs(ctx, v, feedKeyApp, "feed key", []byte(hex.EncodeToString(key)))
	if err != nil {
		return err
	}
	row := eventstore.Row{Key: FeedKeyRow, Value: append([]byte{1}, sealed...)}
	err = rows.Write(ctx, eventstore.Change{Absent: [][]byte{FeedKeyRow}, Put: []eventstore.Row{row}})
	if errors.Is(err, eventstore.ErrCondition) {
		return nil
	}
	return err
}

func UnsealFeedKey(ctx context.Context, v *vault.Vault, value []byte) ([]byte, error) {
	if len(value) == 0 || value[0] != 1 {
		return nil, errors.New("the key of the calendar feeds is of a version that this program does not know: " +
			"use the version that wrote it, or a newer one")
	}
	text, err := unsealAs(ctx, v, feedKeyApp, "feed key", value[1:])
	if err != nil {
		return nil, fmt.Errorf("the key of the calendar feeds: %w", err)
	}
	return hex.DecodeString(string(text))
}

// sealAs seals what is no person's under an app's key, and for one purpose.
func sealAs(ctx context.Context, v *vault.Vault, app, purpose string, plain []byte) ([]byte, error) {
	k, err := v.AppKey(ctx, app)
	if err != nil {
		return nil, err
	}
	return k.Seal([]byte(purpose), plain), nil
}

func unsealAs(ctx context.Context, v *vault.Vault, app, purpose string, sealed []byte) ([]byte, error) {
	k, err := v.AppKey(ctx, app)
	if err != nil {
		return nil, err
	}
	return k.Unseal([]byte(purpose), sealed)
}

// openSharedKeep opens what the processes of a ledger share of its logs.
func openSharedKeep(ctx context.Context, rows eventstore.Rows, v *vault.Vault, origin string) (
	*transparency.Keep, error) {
	return transparency.OpenShared(ctx, SharedLogs(rows, v), origin)
}

// SharedLogs are the rows of the logs, whose signing keys are sealed in a vault.
func SharedLogs(rows eventstore.Rows, v *vault.Vault) transparency.Shared {
	const purpose = "log signing key"
	return transparency.Shared{
		Rows: rows,
		Seal: func(ctx context.Context, app string, text []byte) ([]byte, error) {
			return sealAs(ctx, v, app, purpose, text)
		},
		Unseal: func(ctx context.Context, app string, sealed []byte) ([]byte, error) {
			return unsealAs(ctx, v, app, purpose, sealed)
		},
	}
}

// isShared reports whether a data directory is of one of several processes: what it
// has of the logs can be built again, and the rest is in the rows that all share.
func isShared(data string) bool {
	_, err := os.Stat(filepath.Join(data, VaultPlace.File))
	return err == nil
}

// openRowsOf opens the rows that processes share, for a verb that reads them while
// these run. Where they are the environment says.
func openRowsOf(ctx context.Context) (rows *postgres.Rows, v *vault.Vault, err error) {
	at, err := addressesOf(DirOptions{})
	if err != nil {
		return nil, nil, err
	}

	if at.Vault == "" {
		return nil, nil, exit.Usage(fmt.Errorf("this directory is of one of several processes, and what is asked for "+
			"is "+
			"in the vault that they share: say where, with %s or %s", VaultVariable, VaultFileVariable))
	}

	address, err := postgres.ParseAddress(at.Vault)
	if err != nil {
		return nil, nil, exit.Usage(fmt.Errorf("%s: %w", VaultVariable, err))
	}

	keys, err := at.openKeys("", false)
	if err != nil {
		return nil, nil, err
	}
	if rows, err = postgres.OpenRows(address, postgres.Options{}); err != nil {
		return nil, nil, err
	}
	if err = CheckMoved(ctx, rows); err == nil {
		v, err = vault.Open(ctx, rows, keys)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the vault at %s: %w", address, err), rows.Close())
	}
	return rows, v, nil
}

// sharedKeyOf is [VerifierKeyOf] where processes share the keys.
func sharedKeyOf(ctx context.Context, app ident.AppName) (_ string, err error) {
	rows, v, err := openRowsOf(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	keep, err := openSharedKeep(ctx, rows, v, "")
	if err != nil {
		return "", err
	}

	apps, err := keep.Apps()
	if err != nil {
		return "", err
	}
	if !slices.Contains(apps, app) {
		return "", exit.NotFound(fmt.Errorf("the app %s has no log yet: it begins with the app's first record", app))
	}
	if _, err := keep.Newest(ctx, app); err != nil {
		return "", err
	}
	return keep.VerifierKey(app)
}

// ShelfOf returns where what witnesses signed is, of a data directory.
func ShelfOf(ctx context.Context, data string) (_ witness.Shelf, done func() error, err error) {
	if !isShared(data) {
		return witness.Dir(CosignedDir(data)), func() error { return nil }, nil
	}
	rows, _, err := openRowsOf(ctx)
	if err != nil {
		return nil, nil, err
	}
	return witness.RowShelf{Rows: rows}, rows.Close, nil
}

// checkMany refuses half of what several processes need: what one of them would have
// for itself, and the others would not see.
func (s Config) checkMany() error {
	vault, err := VaultPlace.Address(s.Vault)
	switch {
	case err != nil:
		return err
	case vault == "" && s.Process != "":
		return exit.Usage(errors.New("--process names one of several processes, which share a vault: " +
			"name it with --vault, or leave --process away"))
	case vault == "":
		return nil
	case s.NATS.URL == "":
		return exit.Usage(errors.New("--vault shares persons with other processes, and the embedded NATS server is " +
			"this one's alone: name the NATS servers that all of them use, with --nats"))
	case s.Demo:
		return exit.Usage(errors.New("--demo plays on a ledger that one process serves: leave --vault away"))
	}

	_, err = processName(s.Process)
	return err
}

// openTurns says what this process is called, and where it takes turns with others.
func (h *Server) openTurns() (err error) {
	var at *postgres.Address
	if h.Dir.shared != nil {
		if h.process, err = processName(h.Config.Process); err != nil {
			return err
		}
		at = h.Dir.shared.at.Called("consentledger " + h.process)
		h.Log = h.Log.With("process", h.process)
	}
	h.turns = newTurns(at, h.Log)
	return nil
}

// processReport says what this process is among others; nil: there are none.
func (h *Server) processReport() *rest.Process {
	if !h.turns.many() {
		return nil
	}
	return &rest.Process{Name: h.process, Turns: h.turns.names()}
}
