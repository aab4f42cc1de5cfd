// Package buildinfo says which build of the program runs.
package buildinfo

import "runtime/debug"

// Version is what the linker stamped, or else what the build knows of itself.
var Version = builtVersion(debug.ReadBuildInfo())

// Commit is stamped by the linker, as "make build" does it. Go itself stamps the
// revision into what "go build" makes of a clone, but not for "go run", nor in
// a further worktree of a repository: there it is empty.
var Commit string

// Stamp takes what the linker stamped into package main. What is empty was not.
func Stamp(version, commit string) {
	if version != "" {
		Version = version
	}
	Commit = commit
}

// builtVersion returns the module's version, or else the revision that was
// built, marked if it was changed.
func builtVersion(info *debug.BuildInfo, ok bool) string {
	if !ok {
		return "development"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}

	revision, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "-dirty"
		}
	}

	if revision == "" {
		return "development"
	}
	return revision + changed
}
