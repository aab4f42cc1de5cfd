package server

import (
	"os"
	"sync"
	"time"

	"consentledger/api/auth/roles"
)

// A rolesFile is the file that gives groups roles, read again when it changes: a role that
// is taken away there is gone with the next request. While it cannot be read, or has an
// error in it, what it said last holds, and the log says why.
type rolesFile struct {
	flag, name string
	failed     func(error)

	mu      sync.Mutex
	looked  time.Time
	is      stamp // of the file that was read, be it good or not
	current *roles.File
}

// A stamp tells a file from one that takes its place, also from one that is older.
type stamp struct {
	changed time.Time
	size    int64
}

func stampOf(name string) (stamp, error) {
	info, err := os.Stat(name)
	if err != nil {
		return stamp{}, err
	}
	return stamp{info.ModTime(), info.Size()}, nil
}

// watchRoles reads the file that a flag names, and from then on when it changes. Failed is
// told of a change that was not taken.
func watchRoles(flag, name string, failed func(error)) (*rolesFile, error) {
	is, err := stampOf(name)
	if err != nil {
		is = stamp{} // reading says why
	}
	current, err := readRoles(flag, name)
	if err != nil {
		return nil, err
	}
	return &rolesFile{flag: flag, name: name, failed: failed, looked: time.Now(), is: is, current: current}, nil
}

// lookEvery is how often it is looked whether the file has changed.
const lookEvery = time.Second

// get returns what the file says now.
func (f *rolesFile) get() *roles.File {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < lookEvery {
		return f.current
	}
	return f.read()
}

// look is get for whoever must not take what was read a moment ago.
func (f *rolesFile) look() *roles.File {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read()
}

// read reads the file again if it has changed. The caller holds mu.
func (f *rolesFile) read() *roles.File {
	f.looked = time.Now()
	is, err := stampOf(f.name)
	if err == nil && is == f.is {
		return f.current
	}

	var changed *roles.File
	if err == nil {
		changed, err = readRoles(f.flag, f.name)
	}
	if err != nil {
		if is != f.is { // once for each change
			f.failed(err)
		}
		f.is = is
		return f.current
	}
	f.is, f.current = is, changed
	return changed
}
