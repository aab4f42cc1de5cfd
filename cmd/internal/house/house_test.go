// Package house checks that the arrows between our rooms only point down.
package house

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

const module = "consentledger/"

// floors lists our rooms from the ground up. A room may import the rooms on
// floors below its own, and its own.
var floors = []string{"domain", "eventstore", "projections", "api", "cmd"}

// stairs lists the packages of a floor from the ground up. A package may import those
// that are listed before it; what is not listed is above all of them.
var stairs = map[string][]string{
	"domain": {"domain/internal/form", "domain/content", "domain/deadline", "domain/policy", "domain"},
	"cmd": {
		"cmd/consentledger/law", "cmd/consentledger/smartkey", // files that are part of the program
		"cmd/internal/buildinfo", "cmd/internal/exit", "cmd/internal/progress", "cmd/internal/terminal", "cmd/internal/tune",
		"cmd/internal/files", "cmd/internal/publication", "cmd/internal/views", "cmd/internal/telemetry",
		"cmd/internal/demo",   // plays the sample app on a ledger that somebody else has opened
		"cmd/internal/server", // opens data directories, and serves
		"cmd/internal/migrate", "cmd/internal/verifier", "cmd/internal/bench",
		"cmd/consentledger", // verbs and flags
	},
}

// closed lists doors that stay shut although they lead down.
var closed = map[string][]string{
	"eventstore":          {"domain"}, // the contract and its backends know bytes, not consents
	"eventstore/memory":   {"domain"},
	"eventstore/embedded": {"domain"},
	"eventstore/esdb":     {"domain"},
	"eventstore/postgres": {"domain"},
	"eventstore/vault":    {"domain"},
	"eventstore/blobs":    {"domain"},
	"projections":         {"eventstore/memory", "eventstore/embedded"},
	"api/intake":          {"projections"}, // what comes in does not look at what goes out
	"api/react":           {"projections"},
	"api/lapse":           {"projections"},
	"api/outbox":          {"projections"},                                                                                    // it tells facts, not answers
	"api/natsrest":        {"projections", "eventstore", "domain"},                                                            // it hands bytes to a handler
	"api/client":          {"domain", "projections", "api/wire", "eventstore/ledger", "eventstore/codec", "eventstore/vault"}, // apps link it
	"api/dashboard":       {"eventstore/ledger"},                                                                              // dashboards read answers, not history
}

func TestArrowsPointDown(t *testing.T) {
	root := "../../.."
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		room, _ := filepath.Rel(root, filepath.Dir(path))
		for _, imp := range f.Imports {
			check(t, path, room, strings.Trim(imp.Path.Value, `"`))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Errorf("saw %d files: this is not the whole house", files)
	}
}

func check(t *testing.T, path, room, to string) {
	t.Helper()
	in, ours := strings.CutPrefix(to, module)
	switch {
	case ours && stair(t, in) > stair(t, room) && floor(t, in) == floor(t, room):
		t.Errorf("%s imports %s: that is above it", path, in)
	case ours && floor(t, in) > floor(t, room):
		t.Errorf("%s imports %s: that is upstairs", path, in)
	case !ours && within(room, "domain") && to == "context":
		t.Errorf("%s imports %s: a decision waits for nobody", path, to)
	case !within(room, "cmd") && (strings.HasPrefix(to, telemetry+"/sdk") || strings.HasPrefix(to, telemetry+"/exporters")):
		t.Errorf("%s imports %s: how traces and metrics leave is decided in cmd", path, to)
	case !ours && within(room, "domain") && strings.Contains(to, ".") && !strings.HasPrefix(to, "github.com/cockroachdb/apd/"):
		t.Errorf("%s imports %s: domain takes the standard library and apd", path, to)
	}
	for _, door := range closed[room] {
		if ours && within(in, door) {
			t.Errorf("%s imports %s: that door is closed", path, in)
		}
	}
}

// telemetry is OpenTelemetry's API, below which stands what makes spans and sends them.
const telemetry = "go.opentelemetry.io/otel"

func floor(t *testing.T, room string) int {
	t.Helper()
	for i, f := range floors {
		if within(room, f) {
			return i
		}
	}
	t.Errorf("%s is on no floor", room)
	return -1
}

// stair returns how high a package stands on its floor.
func stair(t *testing.T, room string) int {
	t.Helper()
	of := stairs[floors[max(0, floor(t, room))]]
	for i, s := range of {
		if within(room, s) {
			return i
		}
	}
	return len(of)
}

func within(room, other string) bool {
	return room == other || strings.HasPrefix(room, other+"/")
}
