package server

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"consentledger/api/auth/roles"
)

// A file that takes the place of another is read, also if it is older; one with an error
// in it, or none, changes nothing, and is told of once.
func TestAChangedFileOfRolesIsRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "roles.yaml")
	write := func(text string, changed time.Time) {
		t.Helper()
		if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name+".new", changed, changed); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	of := func(group string) string {
		return "claim: groups\ngroups:\n  - group: " + group + "\n    roles: [viewer]\n    all_apps: true\n"
	}
	now, told := time.Now(), 0
	write(of("one"), now)
	f, err := watchRoles("--oidc-roles", name, func(error) { told++ })
	if err != nil {
		t.Fatal(err)
	}
	get := func() *roles.File {
		f.looked = time.Time{}
		return f.get()
	}
	for _, c := range []struct {
		what  string
		do    func()
		group string
		told  int
	}{
		{"at first", func() {}, "one", 0},
		{"a newer one", func() { write(of("two"), now.Add(time.Hour)) }, "two", 0},
		{"an older one", func() { write(of("six"), now.Add(-time.Hour)) }, "six", 0},
		{"one with an error", func() { write("claim: [", now.Add(2*time.Hour)) }, "six", 1},
		{"none", func() { os.Remove(name) }, "six", 2},
		{"one again", func() { write(of("ten"), now) }, "ten", 2},
	} {
		c.do()
		for range 2 {
			if got := get().Groups[0].Name; got != c.group || told != c.told {
				t.Errorf("%s: the group is %s, want %s; told %d times, want %d", c.what, got, c.group, told, c.told)
			}
		}
	}
}
