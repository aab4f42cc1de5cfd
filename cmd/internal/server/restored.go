package server

import (
	"context"
	"fmt"

	"consentledger/eventstore/vault"
)

// What a restore writes down, and in which order: RESTORE, without FORMAT beside it: the
// directory is not finished, and nothing opens it. Then all that is restored, which is
// verified. Then RESTORED, which says of what it was made, and FORMAT.
const (
	RestoreFile  = "RESTORE"
	RestoredFile = "RESTORED"

	RestoreHeader = "consentledger restore 1\n"
)

func unfinishedRestore(path string) error {
	return fmt.Errorf("%s is what an interrupted restore left: run consentledger restore once more and it begins "+
		"anew, or remove the directory", path)
}

// TakeDir takes a directory in which something is restored: nothing else opens it meanwhile.
func TakeDir(path string) (*DataDir, error) {
	lock, err := LockDir(path)
	if err != nil {
		return nil, err
	}
	return &DataDir{path: path, lock: lock}, nil
}

// OpenRestored opens the ledger over a store that was restored into the directory, and is open.
func (d *DataDir) OpenRestored(ctx context.Context, keys *vault.FileKeys) error {
	return d.openLedger(ctx, Addresses{}, keys, measured{})
}
