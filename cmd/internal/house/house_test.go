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
	"domain": {
		"domain/internal/form", "domain/amount", "domain/content", "domain/ident", "domain/refusal", "domain/lists", // values
		"domain/deadline", "domain/policy", "domain/catalog", // what is promised, and by when
		"domain/surface", "domain/published", // what an app shows and has published
		"domain/request", "domain/obligation", "domain/proposal", "domain/register", // what is asked, owed, proposed and noted
		"domain/link",  // whose histories are one person's
		"domain",       // events, and how an app and a person fold and decide
		"domain/cases", // how requests, incidents and obligations do
	},
	"api": {
		"api/wire/tag", "api/nats/subject", // how names are written
		"api/wire",        // shapes
		"api/wire/parse",  // reads them
		"api/wire/schema", // describes them
		"api/query",       // answers them; what asks and tells is above
	},
	"cmd": {
		"cmd/consentledger/law", "cmd/consentledger/smartkey", // files that are part of the program
		"cmd/internal/buildinfo", "cmd/internal/exit", "cmd/internal/progress", "cmd/internal/terminal", "cmd/internal/tune",
		"cmd/internal/files", "cmd/internal/natscontext", "cmd/internal/publication", "cmd/internal/views", "cmd/internal/telemetry",
		"cmd/internal/output", "cmd/internal/configfile", "cmd/internal/commandline", "cmd/internal/signing", // what verbs print, take and sign with
		"cmd/internal/remote", "cmd/internal/policies", // the running server is asked
		"cmd/internal/siemfeed", "cmd/internal/recording", "cmd/internal/certificate", "cmd/internal/worklist", "cmd/internal/importer",
		"cmd/internal/calendars", "cmd/internal/calculator", "cmd/internal/erasures", "cmd/internal/personview",
		"cmd/internal/reports", "cmd/internal/starters", "cmd/internal/webhooks",
		"cmd/internal/steps", "cmd/internal/evidence", "cmd/internal/completion",
		"cmd/internal/demo",   // plays the sample app on a ledger that somebody else has opened
		"cmd/internal/server", // opens data directories, and serves
		"cmd/internal/accesskeys", "cmd/internal/serveflags",
		"cmd/internal/history", "cmd/internal/lawfulnessview", "cmd/internal/backupfiles", "cmd/internal/vaultkeys", "cmd/internal/restore", "cmd/internal/doctor",
		"cmd/internal/migrate", "cmd/internal/verifier", "cmd/internal/bench",
		"cmd/consentledger", // verbs and flags
	},
}

// closed lists imports that are forbidden although they lead down.
var closed = map[string][]string{
	"eventstore":           {"domain"}, // the contract and its backends know bytes, not consents
	"eventstore/memory":    {"domain"},
	"eventstore/embedded":  {"domain"},
	"eventstore/esdb":      {"domain"},
	"eventstore/postgres":  {"domain"},
	"eventstore/vault":     {"domain"},
	"eventstore/blobs":     {"domain"},
	"eventstore/rehearsal": {"domain"},
	"projections":          {"eventstore/memory", "eventstore/embedded"},
	"api/wire":             {"projections"}, // a shape asks nobody
	"api/wire/parse":       {"projections"},
	"api/nats/intake":      {"projections"}, // what comes in does not look at what goes out
	"api/followup":         {"projections"},
	"api/lapse":            {"projections"},
	"api/nats/outbox":      {"projections"},                                                                                                 // it tells facts, not answers
	"api/nats/operator":    {"projections", "eventstore", "domain"},                                                                         // it hands bytes to a handler
	"api/client":           {"domain", "projections", "api/wire", "api/query", "eventstore/ledger", "eventstore/codec", "eventstore/vault"}, // apps link it
	"api/dashboard":        {"eventstore/ledger"},                                                                                           // dashboards read answers, not history
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
	for _, other := range closed[room] {
		if ours && within(in, other) {
			t.Errorf("%s imports %s: that is closed to it", path, in)
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

// stair returns how high a package stands on its floor: where it is listed itself, or
// else the nearest package around it.
func stair(t *testing.T, room string) int {
	t.Helper()
	of := stairs[floors[max(0, floor(t, room))]]
	found, height := "", len(of)
	for i, s := range of {
		if within(room, s) && len(s) > len(found) {
			found, height = s, i
		}
	}
	return height
}

func within(room, other string) bool {
	return room == other || strings.HasPrefix(room, other+"/")
}
