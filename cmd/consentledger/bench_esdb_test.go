package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"consentledger/cmd/internal/bench"
)

// esdbFigures names every figure of bench esdb.
func esdbFigures(clients ...int) map[string]bool {
	want := map[string]bool{}
	way := func(part string, clients int, names ...string) {
		for _, name := range names {
			for _, of := range []string{"", ", CPU", ", CPU of the server"} {
				want[fmt.Sprint(part, "/", clients, "/", name, of)] = true
			}
		}
	}
	ratio := func(part string, clients int, names ...string) {
		for _, name := range names {
			want[fmt.Sprint(part, "/", clients, "/", name)] = true
			want[fmt.Sprint(part, "/", clients, "/", name, ", by CPU")] = true
		}
	}
	plain := func(part string, clients int, names ...string) {
		for _, name := range names {
			want[fmt.Sprint(part, "/", clients, "/", name)] = true
		}
	}
	for _, n := range clients {
		plain("append", n, "embedded, synced", "embedded, synced, CPU")
		way("append", n, "unary", "batch")
		ratio("append", n, "batch to unary", "batch to embedded, synced", "unary to embedded, synced")
		way("check", n, "barriers", "checks", "checks behind barriers")
		ratio("check", n, "checks behind barriers to checks")
	}
	way("lone check", 1, "read", "barrier, then read", "both at once")
	ratio("lone check", 1, "both at once to barrier, then read", "both at once to read")
	plain("follow", 0, "embedded", "embedded, CPU")
	ratio("follow", 0, "esdb to embedded", "esdb to esdb, read all")
	way("follow", 0, "esdb", "esdb, read all")
	return want
}

func TestBenchEsdbMeasuresEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), build(t), "bench", "esdb", "--clients", "1,3", "--rounds", "2", "--for", "200ms", "--records", "1200",
		"-o", "json", "--data", dir)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var report bench.Report
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	missing := esdbFigures(1, 3)
	for _, f := range report.Figures {
		name := fmt.Sprint(f.Part, "/", f.Clients, "/", f.Name)
		if !missing[name] {
			t.Errorf("%s is there twice, or nobody asked for it", name)
		}
		delete(missing, name)
		if f.Min < 0 || f.Value <= 0 && !strings.HasSuffix(f.Name, "CPU") && !strings.HasSuffix(f.Name, "server") || f.Min > f.Value || f.Value > f.Max || f.Unit == "" || f.How == "" {
			t.Errorf("%+v", f)
		}
	}
	for name := range missing {
		t.Errorf("%s was not measured", name)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("bench left %v, %v", left, err)
	}
}
