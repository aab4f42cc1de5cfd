package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
)

// within reports whether a path is a directory, or lies in it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// Check refuses directories that are one, or lie in each other.
func (m *Migration) Check() error {
	from, err := filepath.Abs(m.From)
	if err != nil {
		return err
	}
	to, err := filepath.Abs(m.To)
	if err != nil {
		return err
	}
	if within(from, to) || within(to, from) {
		return exit.Usage(errors.New("--from and --to: name two directories, none of them within the other"))
	}
	m.From, m.To = from, to
	return errors.Join(m.checkFrom(), m.checkTo())
}

// checkFrom finds out where the source has its parts.
func (m *Migration) checkFrom() (err error) {
	at := &m.FromAt
	if at.Store, err = fromRecordsPlace.Address(at.Store); err != nil {
		return err
	}
	if at.Vault, err = fromVaultPlace.Address(at.Vault); err != nil {
		return err
	}
	if at.Keys == "" {
		at.Keys = os.Getenv(server.KeysVariable)
	}
	return nil
}

// checkTo finds out where the target has its parts, and refuses half of what several
// processes need.
func (m *Migration) checkTo() (err error) {
	at := &m.ToAt
	if at.Store, err = toRecordsPlace.Address(at.Store); err != nil {
		return err
	}
	if at.Vault, err = toVaultPlace.Address(at.Vault); err != nil {
		return err
	}
	if at.Keys == "" {
		at.Keys = os.Getenv(ToKeysVariable)
	}

	switch {
	case at.Vault == "" && at.Keys != "":
		return exit.Usage(errors.New("--to-vault-keys is where the keys of a shared vault go: name it with " +
			"--to-vault, or leave the keys in the directory"))
	case at.Vault == "":
		return nil
	case at.Store == "":
		return exit.Usage(errors.New("--to-vault shares persons with other processes, and the records would be in " +
			"the directory of one: name the event store that all of them will use, with --to-store"))
	case at.Keys == "":
		return exit.Usage(errors.New("--to-vault shares persons with other processes, and all of them need the same " +
			"keys: say with --to-vault-keys into which file they are copied"))
	}

	if _, err := toVaultPlace.Engine(at.Vault); err != nil {
		return err
	}
	if at.Keys, err = filepath.Abs(at.Keys); err != nil {
		return err
	}
	if info, err := os.Stat(at.Keys); err == nil && info.IsDir() {
		at.Keys = filepath.Join(at.Keys, "keys")
	}

	if within(m.From, at.Keys) || within(m.To, at.Keys) {
		return exit.Usage(errors.New("--to-vault-keys: name a file outside of --from and --to: it outlives both, and " +
			"every process needs it"))
	}
	return nil
}

// A Row is one part of a ledger, and what becomes of it.
type Row struct {
	Part  string `json:"part"`
	Does  string `json:"does"`            // copied, anew or left
	Count int64  `json:"count,omitzero"`  // of records, rows or files
	Bytes int64  `json:"bytes,omitzero"`  // of what is copied
	Root  string `json:"root,omitzero"`   // of an app's tree
	Under int64  `json:"signed,omitzero"` // how many of its records are under a signed root
	Note  string `json:"note,omitzero"`
}
