package client

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/internal/npm"
)

// tool runs a program of a JDK, and returns what it printed.
func tool(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out, log bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Stdout, c.Stderr = &out, &log
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v: %s%s; a JDK of 11 or newer is wanted: .ci/test installs it", name, err, &out, &log)
	}
	return out.Bytes()
}

// javac compiles the Java client and more files into a directory.
func javac(t *testing.T, more ...string) (classes string) {
	t.Helper()
	classes = t.TempDir()
	sources, err := filepath.Glob("java/consentledger/*.java")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	tool(t, "javac", slices.Concat([]string{"--release", "11", "-Xlint:all", "-Werror", "-d", classes}, sources, more)...)
	return classes
}

// example writes the example of a language in java/README.md into a file, within what an
// app has around it.
func example(t *testing.T, language, name, before, after string) (file string) {
	t.Helper()
	readme, err := os.ReadFile("java/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, has := strings.Cut(string(readme), "```"+language+"\n")
	code, _, ends := strings.Cut(code, "```")
	if !has || !ends {
		t.Fatalf("java/README.md has no example in %s", language)
	}
	file = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(before+code+after), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// fails puts before a ledger what a client on the JVM asks the test for.
func (s *service) fails() *httptest.Server {
	mux := http.NewServeMux()
	var locked atomic.Pointer[string] // the code of who asks without the new key
	var lockedOut atomic.Int64
	mux.HandleFunc("POST /test/lock/{code}", func(_ http.ResponseWriter, r *http.Request) {
		locked.Store(new(r.PathValue("code")))
		lockedOut.Store(0)
	})
	mux.HandleFunc("POST /test/locked-out", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, lockedOut.Load()) })
	mux.HandleFunc("POST /test/cut", func(http.ResponseWriter, *http.Request) { s.down.Store(true) })
	mux.HandleFunc("POST /test/mend", func(http.ResponseWriter, *http.Request) { s.down.Store(false) })
	mux.HandleFunc("POST /test/deaf", func(http.ResponseWriter, *http.Request) { s.deaf.Store(1) })
	mux.HandleFunc("POST /test/asked", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s.asked.Load()) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if code := locked.Load(); code != nil && r.Header.Get("Authorization") != "Bearer new" {
			lockedOut.Add(1)
			w.WriteHeader(map[string]int{"unauthenticated": 401, "unknown-app": 404}[*code])
			fmt.Fprintf(w, `{"code":%q}`, *code)
			return
		}
		s.http.Config.Handler.ServeHTTP(w, r)
	})
	front := httptest.NewServer(mux)
	s.t.Cleanup(front.Close)
	return front
}

func TestTheJavaClient(t *testing.T) {
	s := serve(t)
	classes := javac(t, "testdata/java/Sample.java", example(t, "java", "Example.java", `package app;
import consentledger.Event;
import consentledger.Ledger;
import consentledger.Question;
import consentledger.Receipt;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
@SuppressWarnings("resource")
final class Example {
    static void run() throws Exception {
`, "}\n}\n"))
	got := lines(t, tool(t, "java", "-cp", classes, "consentledger.Sample", s.fails().URL, t.TempDir()))

	first := as[Receipt](t, got, "first")
	if first.EventID == "" || first.ID != "java-1" || as[Receipt](t, got, "again") != first {
		t.Errorf("%s, then %s", got["first"], got["again"])
	}
	for what, want := range map[string]string{
		"refused": `"unknown-act 422"`, "check": `"throws"`, "lost": `"java-4"`, "in use": `"refused"`, "waiting": `1`, "full": `"refused"`,
		"kept and refused": `"unknown-act"`, "key of lines": `"refused"`,
		"locked out by unauthenticated": `"1 said-here"`, "locked out by unknown-app": `"1 said-here"`, "answer lost": `36`, "asked once": `1`, "asked again": `3`,
	} {
		if string(got[what]) != want {
			t.Errorf("%s: %s, want %s", what, got[what], want)
		}
	}
	for what, want := range map[string]string{
		"unknown": "unknown", "opting out": "said-here", "after a restart": "said-here", "opted out": "no-consent-in-force",
	} {
		if a := as[Answer](t, got, what); a.Allowed || a.Why != want {
			t.Errorf("%s: %+v, want why %q", what, a, want)
		}
	}
	for _, what := range []string{"allowed", "checked", "repeated"} {
		if a := as[Answer](t, got, what); !a.Allowed {
			t.Errorf("%s: %+v", what, a)
		}
	}
	if recorded := s.recorded("account:deaf"); !slices.Equal(recorded, []string{"consent.given"}) {
		t.Errorf("what was answered and not heard is recorded as %q", recorded)
	}
	if recorded := s.recorded("account:java"); strings.Count(strings.Join(recorded, " "), "consent.withdrawn") != 3 {
		t.Errorf("recorded %q", recorded)
	}
}

func TestTheKotlinClient(t *testing.T) {
	s := serve(t)
	java, classes := javac(t), t.TempDir()
	lib := filepath.Join(npm.Modules(t), "kotlin-compiler", "lib")
	standard := filepath.Join(lib, "kotlin-stdlib.jar")
	tool(t, "java", "-Xmx1g", "-jar", filepath.Join(lib, "kotlin-preloader.jar"), "-cp", filepath.Join(lib, "kotlin-compiler.jar"),
		"org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
		"-Werror", "-jvm-target", "11", "-no-stdlib", "-no-reflect", "-cp", java+":"+standard, "-d", classes,
		"kotlin/ConsentLedger.kt", "testdata/kotlin/Sample.kt", example(t, "kotlin", "Example.kt", `package app
import consentledger.kotlin.*
import kotlin.io.path.Path
fun example() {
`, "}\n"))
	got := lines(t, tool(t, "java", "-cp", classes+":"+java+":"+standard, "SampleKt", s.fails().URL, t.TempDir()))

	for what, want := range map[string]string{
		"recorded": `"yes"`, "allowed": `true`, "refused": `"unknown-act"`, "unsettled": `"kotlin-1"`, "opting out": `"said-here"`,
		"opted out": `"no-consent-in-force"`,
	} {
		if string(got[what]) != want {
			t.Errorf("%s: %s, want %s", what, got[what], want)
		}
	}
	if recorded := s.recorded("account:kotlin"); !slices.Equal(recorded, []string{"consent.given", "consent.withdrawn"}) {
		t.Errorf("recorded %q", recorded)
	}
}
