package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/cmd/internal/bench"
	"consentledger/cmd/internal/exit"
)

// init makes the test program the ledger's when bench starts it as a process of
// its own.
func init() {
	if os.Getenv(bench.ChildVariable) != "" {
		os.Exit(run(os.Args[1:]))
	}
}

// figuresOf names every figure of a whole run.
func figuresOf() map[string]bool {
	want := map[string]bool{}
	add := func(part string, clients []int, names ...string) {
		for _, n := range clients {
			for _, name := range names {
				want[fmt.Sprint(part, "/", n, "/", name)] = true
			}
		}
	}
	against := []string{"rate", "echo", "ratio", "p50", "p95", "p99", "settle", "CPU", "CPU of the echo"}
	add("record", []int{1, 16, 64, 256}, against...)
	add("personal", []int{1, 16, 64, 256}, against...)
	add("withdrawals", []int{256}, against...)
	add("append", []int{1, 256}, "rate")
	add("check", []int{1, 64}, against...)
	add("replay", []int{0}, "rate")
	add("rebuild", []int{0}, "consents", "policies", "activity", "requests", "transparency")
	add("seal", []int{64, 256}, "rate", "rate unsealed", "ratio", "ratio unsealed", "CPU", "CPU unsealed", "lag")
	add("verify", []int{0}, "rate")
	add("lag", []int{0}, "rate", "p99 of a receipt", "lag", "lag at the end")
	for _, load := range []string{"plain", "personal"} {
		add("disk", []int{0}, load+" store, running", load+" views, running", load+" store, closed", load+" views, closed", load+" store, compacted")
	}
	add("memory", []int{0}, "resident at start", "resident, peak at start", "resident", "resident, peak", "Go heap, live", "Go heap, peak")
	add("demo", []int{0}, "resident", "resident, peak", "Go heap, live", "Go heap, peak")
	return want
}

func TestBenchMeasuresEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), build(t), "bench", "--quick", "--demo-for", "1s", "-o", "json", "--data", dir)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var report bench.Report
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	missing := figuresOf()
	for _, f := range report.Figures {
		name := fmt.Sprint(f.Part, "/", f.Clients, "/", f.Name)
		if !missing[name] {
			t.Errorf("%s is there twice, or nobody asked for it", name)
		}
		delete(missing, name)
		if f.Value <= 0 || f.Min <= 0 || f.Min > f.Value || f.Value > f.Max || f.Unit == "" || f.How == "" {
			t.Errorf("%+v", f)
		}
	}
	for name := range missing {
		t.Errorf("%s was not measured", name)
	}
	if m := report.Machine; m.CPUs < 1 || m.GOMAXPROCS < 1 || m.Go == "" || m.Commit == "" {
		t.Errorf("%+v", m)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("bench left %v, %v", left, err)
	}
}

func TestBenchWritesProfilesOfOneMeasurement(t *testing.T) {
	dir := t.TempDir()
	names := map[string]string{}
	args := []string{"bench", "--quick", "--only", "append", "--clients", "8", "--data", dir}
	for _, kind := range []string{"cpu", "mem", "block", "mutex"} {
		names[kind] = filepath.Join(t.TempDir(), kind)
		args = append(args, "--"+kind+"profile", names[kind])
	}
	out, err := cli(t, nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "append") || strings.Contains(out, "record") {
		t.Errorf("with --only append it says\n%s", out)
	}
	for kind, name := range names {
		text, err := os.ReadFile(name)
		if err != nil || len(text) < 2 || text[0] != 0x1f || text[1] != 0x8b { // a profile is gzipped
			t.Errorf("the %s profile: %d bytes, %v", kind, len(text), err)
		}
	}
}

func TestBenchLeavesOutWhatFollows(t *testing.T) {
	out, err := cli(t, nil, "bench", "--quick", "--only", "record", "--clients", "4", "--without", strings.Join(bench.Followers, ","), "-o", "json", "--data", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var report bench.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Figures) != 9 || len(report.Without) != len(bench.Followers) {
		t.Errorf("%s\n%v", out, err)
	}
}

func TestBenchSaysWhatItCannotDo(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--only speed", "want record, personal, withdrawals"},
		{"--only record --without views", "want consents, policies, activity, requests, logs, reactor, outbox"},
		{"--without logs", "wants --only with some of record"},
		{"--only record,lag --without logs", "wants --only with some of record"},
		{"--clients 0", "want at least 1"},
		{"--rounds 0", "greater than zero"},
		{"-o yaml", "want table or json"},
		{"--cpuprofile x", "name them with --only and --clients"},
		{"--cpuprofile x --only record --clients 1,2", "name them with --only and --clients"},
		{"--cpuprofile x --only record", "name them with --only and --clients"},
		{"--cpuprofile x --only disk --clients 1", "disk cannot be profiled"},
	} {
		_, err := cli(t, nil, append([]string{"bench"}, strings.Fields(c.args)...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("bench %s: %v", c.args, err)
		}
		if exit.Code(t.Context(), err) != exit.CodeUsage {
			t.Errorf("bench %s: exit code %d", c.args, exit.Code(t.Context(), err))
		}
	}
}
