package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// An image is what the Dockerfile says.
type image struct {
	copies     []copied
	user       string
	volumes    []string
	health     []string
	entrypoint []string
	command    []string
}

type copied struct {
	Chown       string
	SourcePaths []string
	DestPath    string
}

// deployTool runs what reads the files of a deployment, and reads what it prints into v.
func deployTool(t *testing.T, stdin string, v any, args ...string) {
	t.Helper()
	program, err := deployTools()
	if err != nil {
		t.Fatalf("deploytools: %v", err)
	}
	c := exec.CommandContext(t.Context(), program, args...)
	var said, log bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &said, &log
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, &log)
	}
	if err := json.Unmarshal(said.Bytes(), v); err != nil {
		t.Fatal(err)
	}
}

// deployTools returns where that program is.
var deployTools = sync.OnceValues(func() (string, error) {
	where, err := exec.Command("go", "run", "consentledger/cmd/internal/deploytools").Output()
	return strings.TrimSpace(string(where)), err
})

// readImage reads the Dockerfile by BuildKit's parser.
func readImage(t *testing.T) (i image) {
	t.Helper()
	var read struct {
		Warnings []any
		Stages   []struct {
			Base     string
			Commands []struct {
				Name string
				Is   json.RawMessage
			}
		}
	}
	deployTool(t, "", &read, "dockerfile", "../../Dockerfile")
	if len(read.Warnings) > 0 || len(read.Stages) != 1 || read.Stages[0].Base != "scratch" {
		t.Fatalf("want one stage, from scratch, without warnings: %+v", read)
	}

	for _, c := range read.Stages[0].Commands {
		var is struct {
			copied
			User    string
			Volumes []string
			CmdLine []string
			Health  struct{ Test []string }
		}
		if err := json.Unmarshal(c.Is, &is); err != nil {
			t.Fatal(err)
		}
		switch strings.ToUpper(c.Name) {
		case "COPY":
			i.copies = append(i.copies, is.copied)
		case "USER":
			i.user = is.User
		case "VOLUME":
			i.volumes = append(i.volumes, is.Volumes...)
		case "HEALTHCHECK":
			i.health = is.Health.Test
		case "ENTRYPOINT":
			i.entrypoint = is.CmdLine
		case "CMD":
			i.command = is.CmdLine
		case "ARG", "LABEL", "EXPOSE":
		default:
			t.Errorf("%s has no place in this image", c.Name)
		}
	}
	return i
}

func TestTheImageIsThisProgramAndNothingElse(t *testing.T) {
	i := readImage(t)
	if !regexp.MustCompile(`^[1-9][0-9]{3,}:[1-9][0-9]{3,}$`).MatchString(i.user) {
		t.Errorf("the user is %q: want numbers, which mean the same on every host, and not root's", i.user)
	}
	if len(i.entrypoint) != 1 || len(i.health) < 3 || i.health[0] != "CMD" || i.health[1] != i.entrypoint[0] {
		t.Fatalf("the program is %q, the health check %q: want that very program", i.entrypoint, i.health)
	}
	understood(t, newRoot(), i.health[2:])
	understood(t, newRoot(), i.command)

	at := slices.Index(i.command, "--data")
	if at < 0 || len(i.volumes) != 1 || path.Dir(i.command[at+1]) != i.volumes[0] {
		t.Errorf("the data are %q: want them right below the volume %q", i.command, i.volumes)
	}

	made := release(t)
	for _, c := range i.copies {
		for _, arch := range []string{"amd64", "arm64"} {
			source := strings.ReplaceAll(c.SourcePaths[0], "${TARGETARCH}", arch)
			if _, err := os.Stat(filepath.Join(made, source)); err != nil || len(c.SourcePaths) != 1 {
				t.Errorf("%q: make release makes no such thing: %v", c.SourcePaths, err)
			}
		}
	}
}

// release runs the recipe of "make release" in a directory of its own, with a compiler
// that makes empty files: what matters here is what they are called.
func release(t *testing.T) string {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	const compiler = "#!/bin/sh\ntest \"$1\" = run && exit 0 # the manual pages\nwhile [ \"$1\" != -o ]; do shift; done\n: >\"$2\"\n"
	for name, text := range map[string]string{filepath.Join(dir, "Makefile"): string(makefile), filepath.Join(bin, "go"): compiler} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), "make", "release")
	c.Dir, c.Env = dir, append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "MAKEFLAGS=")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("make release: %v\n%s", err, out)
	}
	return dir
}
