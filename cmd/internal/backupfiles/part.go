package backupfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"consentledger/eventstore/atomicfile"
)

// A partFile is a file that is being written: it has its name once it is whole.
type partFile struct {
	*os.File
	kept bool
}

func newPart(name string) (*partFile, error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".part-*") // for its owner alone
	if err != nil {
		return nil, err
	}
	return &partFile{File: f}, nil
}

// finish makes the file durable, and gives it its name unless somebody else has it.
func (p *partFile) finish(name string) error {
	if err := errors.Join(p.Sync(), p.Close()); err != nil {
		return err
	}
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%s was made by somebody else meanwhile", name), err)
	}
	if err := os.Rename(p.Name(), name); err != nil {
		return err
	}
	p.kept = true
	return atomicfile.SyncDir(filepath.Dir(name))
}

// giveUp removes what has no name.
func (p *partFile) giveUp() error {
	if p == nil || p.kept {
		return nil
	}
	p.Close()
	return os.Remove(p.Name())
}
