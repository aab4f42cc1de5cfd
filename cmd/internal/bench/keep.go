package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"consentledger/cmd/consentledger/smartkey"
)

// Loading a million persons takes most of an hour. So a run may keep its
// directory, and another one, of a later build too, goes on from there.

// loadedFile says, in a kept directory, what was loaded into it.
const loadedFile = "loaded.json"

// loaded is what was loaded into a directory that is kept.
type loaded struct {
	Persons uint64 `json:"persons"`
	Events  uint64 `json:"events"`
}

// keptDir makes a directory that stays, or finds one of a run before, and
// what was loaded into it.
func keptDir(dir string) (policy string, was loaded, err error) {
	if was, err = readLoaded(dir); err != nil {
		return "", was, err
	}

	policies := filepath.Join(dir, "policy")
	policy = filepath.Join(policies, "policy.yaml")
	if was.Persons > 0 {
		return policy, was, nil
	}

	err = errors.Join(os.MkdirAll(dir, 0o755), os.CopyFS(policies, smartkey.Files))
	return policy, was, err
}

// readLoaded returns what was loaded into a directory; nothing into one that is
// not there, or is empty.
func readLoaded(dir string) (was loaded, err error) {
	text, err := os.ReadFile(filepath.Join(dir, loadedFile))
	if errors.Is(err, os.ErrNotExist) {
		files, err := os.ReadDir(dir)
		if err == nil && len(files) > 0 {
			return was, fmt.Errorf("%s has files, but no %s: name an empty directory, or one that bench scale kept",
				dir, loadedFile)
		}
		return was, nil
	}
	if err != nil {
		return was, err
	}

	if err := json.Unmarshal(text, &was); err != nil {
		return was, fmt.Errorf("%s: %w", filepath.Join(dir, loadedFile), err)
	}
	return was, nil
}

// resume starts a program on a directory that was loaded before.
func (r *run) resume(ctx context.Context, p *Program) error {
	was := r.loaded
	r.say("%s: %d persons are there", p.Name, was.Persons)
	if err := p.Start(ctx); err != nil {
		return err
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	r.crowds[p].Size.Store(was.Persons)
	r.crowds[p].count.Store(was.Events)
	return p.settle(ctx)
}

// note writes down what is loaded by now, if the directory is kept.
func (r *run) note() error {
	if !r.Keep {
		return nil
	}
	crowd := r.crowds[r.Programs[0]]
	text, err := json.Marshal(loaded{Persons: crowd.Size.Load(), Events: crowd.count.Load()})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.Dir, loadedFile), append(text, '\n'), 0o644)
}
