package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"consentledger/cmd/internal/exit"

	"github.com/spf13/cobra"
)

// word is a word of a command, which may be quoted.
var word = regexp.MustCompile(`"[^"]*"|\S+`)

// docs/cli.md has a row for every verb with everything below it, and its
// examples are calls that can be understood.
func TestTheDocsOfTheCommandLineNameEveryVerb(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]string{}
	words := regexp.MustCompile("`([a-z-]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (.*?) ?\\| ").FindAllStringSubmatch(string(text), -1) {
		said[row[1]] = []string{}
		for _, w := range words.FindAllStringSubmatch(row[2], -1) {
			said[row[1]] = append(said[row[1]], w[1])
		}
	}
	root := newRoot()
	for _, verb := range root.Commands() {
		if verb.Hidden {
			continue
		}
		names, has := said[verb.Name()]
		if !has {
			t.Errorf("docs/cli.md has no row of %s: %s", verb.Name(), verb.Short)
		}
		below := []string{}
		for _, sub := range verb.Commands() {
			below = append(below, sub.Name())
		}
		slices.Sort(names)
		if slices.Sort(below); has && !slices.Equal(names, below) {
			t.Errorf("%s has %v, docs/cli.md says %v", verb.Name(), below, names)
		}
		delete(said, verb.Name())
	}
	for verb := range said {
		t.Errorf("docs/cli.md has a row of %s: there is no such verb", verb)
	}
	examples := 0
	for line := range strings.Lines(string(text)) {
		if args, is := strings.CutPrefix(strings.TrimSpace(line), "consentledger "); is {
			examples++
			words := word.FindAllString(args, -1)
			for i := range words {
				words[i] = strings.Trim(words[i], `"`)
			}
			understood(t, newRoot(), words)
		}
	}
	if examples < 8 {
		t.Errorf("docs/cli.md has %d examples", examples)
	}
}

// understood parses a call without making it.
func understood(t *testing.T, root *cobra.Command, args []string) {
	t.Helper()
	c, rest, err := root.Find(args)
	if err == nil {
		err = c.ParseFlags(rest)
	}
	if err == nil {
		err = c.ValidateArgs(c.Flags().Args())
	}
	if err == nil {
		err = c.ValidateRequiredFlags()
	}
	if err != nil || c.RunE == nil {
		t.Errorf("consentledger %s: %v", strings.Join(args, " "), err)
	}
}

// The example of docs/import.md works as it stands, in an empty folder.
func TestTheExampleOfImports(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	block := func(kind string) string {
		m := regexp.MustCompile("(?s)```" + kind + "\n(.*?)```").FindSubmatch(page)
		if m == nil {
			t.Fatalf("docs/import.md has no example of %s", kind)
		}
		return string(m[1])
	}
	for name, kind := range map[string]string{"consents.csv": "csv", "mapping.yaml": "yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(block(kind)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := append(os.Environ(), "HOME="+dir, "PATH="+filepath.Dir(build(t))+string(filepath.ListSeparator)+os.Getenv("PATH"))
	c, addr, err := launchChild(build(t), env, dir, "--data", filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.end(); err != nil {
			t.Error(err)
		}
	}()
	env = append(env, "CONSENTLEDGER_SERVER="+addr["HTTP"])
	for line := range strings.Lines(block("sh")) {
		want := 0
		if strings.Contains(line, "exit code 4") {
			want = exit.CodeNotAllowed
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir, cmd.Env = dir, env
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
			t.Errorf("%s%s", line, out)
		}
	}
}

// The settings on the page for whoever runs the ledger are settings of serve, and their
// values are taken.
func TestTheSettingsOfTheOperatorsPageAreTaken(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\nserve:\n")
	block, _, _ := strings.Cut(rest, "```")
	flags, settings := newServe().Flags(), 0
	for line := range strings.Lines(block) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		value, _, _ = strings.Cut(value, " #")
		if err := flags.Set(name, strings.Trim(value, "[]")); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		settings++
	}
	if settings < 8 {
		t.Errorf("%d settings in %q", settings, block)
	}
}
