package rest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consentledger/api/edge"
	"consentledger/api/internal/npm"

	"github.com/go-json-experiment/json"
)

// all returns a handler with every route. What some of them would ask is not
// there: it is for what is checked and told before that.
func (h *testServer) all() http.Handler {
	c := h.conf
	c.Requests, c.Rejected, c.Evidence, c.Documents = struct{ Requests }{}, struct{ Rejected }{}, struct{ Evidence }{}, struct{ Documents }{}
	c.Proofs = struct{ ProofOpener }{}
	c.FeedKey = []byte("a key of 32 bytes for the feeds.")
	return Handler(c)
}

// run runs a program that is nobody's code here, in a directory, and returns
// what it says. It has to succeed.
func runIn(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "GOFLAGS=-mod=mod")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// npmProgram returns where a program of the npm packages is.
func npmProgram(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(npm.Modules(t), ".bin", name)
}

func TestOthersTakeTheDescriptionAsItIs(t *testing.T) {
	server := httptest.NewServer(edge.Guard(open(t).all(), edge.Hosts{}))
	defer server.Close()
	dir := t.TempDir()
	for _, name := range []string{"openapi.json", "openapi-3.0.json", "openapi.yaml"} {
		resp, err := http.Get(server.URL + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %d, %v", name, resp.StatusCode, err)
		}
		resp.Body.Close()
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("openapi-typescript, from a file and from its address", func(t *testing.T) {
		tool := npmProgram(t, "openapi-typescript")
		runIn(t, dir, tool, "openapi.json", "-o", "file.ts")
		runIn(t, dir, tool, server.URL+"/openapi.json", "-o", "url.ts")
		file, err := os.ReadFile(filepath.Join(dir, "file.ts"))
		if err != nil {
			t.Fatal(err)
		}
		url, err := os.ReadFile(filepath.Join(dir, "url.ts"))
		if err != nil || !bytes.Equal(file, url) {
			t.Errorf("the address gives another result than the file, %v", err)
		}
		for _, want := range []string{
			`"application/x-ndjson": string`, `"text/calendar": string`, `components["schemas"]["Receipt"] | components["schemas"]["Rows"]`,
			`"application/cloudevents+json": components["schemas"]["Event"]`, `"application/zip": string`,
		} {
			if !strings.Contains(string(file), want) {
				t.Errorf("no type is %s", want)
			}
		}
	})
	t.Run("redocly lint, without a warning, the older form too", func(t *testing.T) {
		tool := npmProgram(t, "redocly")
		for _, name := range []string{"openapi.json", "openapi-3.0.json", "openapi.yaml"} {
			var found struct {
				Problems []struct {
					Severity string `json:"severity"`
					Rule     string `json:"ruleId"`
					Message  string `json:"message"`
				} `json:"problems"`
			}
			out := runIn(t, dir, tool, "lint", name, "--format", "json")
			begin := strings.Index(out, "{")
			if err := json.Unmarshal([]byte(out[max(begin, 0):strings.LastIndex(out, "}")+1]), &found); err != nil {
				t.Fatalf("%s: %v: %.2000s", name, err, out)
			}
			for _, p := range found.Problems {
				t.Errorf("%s: %s: %s", name, p.Rule, p.Message)
			}
		}
	})
	t.Run("oapi-codegen, whose client compiles", func(t *testing.T) {
		made := t.TempDir()
		const mod = "module made\n\ngo 1.26\n\nrequire github.com/oapi-codegen/runtime v1.9.0\n"
		if err := os.WriteFile(filepath.Join(made, "go.mod"), []byte(mod), 0o600); err != nil {
			t.Fatal(err)
		}
		runIn(t, made, "go", "run", "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2",
			"-generate", "types,client", "-package", "made", "-o", "made.go", filepath.Join(dir, "openapi.json"))
		runIn(t, made, "go", "build", ".")
	})
}

func TestTheDescriptionSaysWhatIsAnswered(t *testing.T) {
	server := open(t)
	server.h = server.all()
	_, spec := server.do("GET", "/openapi.json", "")
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []param `json:"parameters"`
			Responses  map[string]struct {
				Content map[string]struct{} `json:"content"`
			} `json:"responses"`
			RequestBody struct{} `json:"requestBody"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(spec), &doc); err != nil || len(doc.Paths) < 50 {
		t.Fatalf("%d paths, %v", len(doc.Paths), err)
	}
	for path, item := range doc.Paths {
		for method, op := range item {
			if _, has := op.Responses["400"]; !has {
				t.Errorf("%s %s never answers 400", method, path)
			}
			if _, has := op.Responses["404"]; !has && strings.Contains(path, "{") {
				t.Errorf("%s %s never answers 404", method, path)
			}
		}
	}
	for path, want := range map[string][2]string{
		"/v1/replay": {"get", "application/x-ndjson"}, "/v1/apps/{app}/feeds/{token}/deadlines.ics": {"get", "text/calendar"},
		"/v1/apps/{app}/events": {"post", "application/json"}, "/v1/apps/{app}/receipts": {"post", "application/json"},
		"/v1/apps/{app}/export": {"post", "application/zip"}, "/v1/blobs/{hash}": {"get", "text/plain"},
	} {
		if _, has := doc.Paths[path][want[0]].Responses["200"].Content[want[1]]; !has {
			t.Errorf("%s does not say that it answers %s", path, want[1])
		}
	}
	if names := queryOf(spec, "/log/{app}/proof"); !slices.Equal(names, []string{"event", "index", "cosigned", "wait"}) {
		t.Errorf("the route of proofs takes %v", names)
	}
}

// queryOf returns the parameters that a description lists for GET.
func queryOf(spec, path string) (names []string) {
	var doc struct {
		Paths map[string]struct {
			Get struct {
				Parameters []param `json:"parameters"`
			} `json:"get"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(spec), &doc); err != nil {
		return nil
	}
	for _, p := range doc.Paths[path].Get.Parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	return names
}

type param struct {
	Name string `json:"name"`
	In   string `json:"in"`
}
