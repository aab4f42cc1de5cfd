package main

import "testing"

func TestBenchManyMeasuresThreeProcessesAndATable(t *testing.T) {
	t.Parallel() // processes of their own
	figures := benched(t, build(t), "many", "--only", "postgres3", "--persons", "20", "--clients", "2",
		"--rounds", "1", "--for", "1s") // below the temporary directory, where PostgreSQL may look

	seen := map[string]float64{}
	for _, f := range figures {
		seen[f.Work+" | "+f.Program+" | "+f.Unit] = f.Value
	}
	for _, want := range []string{
		"record over HTTP, 2 clients | postgres, 3 processes | 1/s",
		"record over HTTP, 2 clients | postgres, 3 processes | µs of CPU each",
		"record over HTTP, 2 clients | PostgreSQL, a table of events | 1/s",
		"record over HTTP, 2 clients | postgres, 3 processes | ratio to PostgreSQL, a table of events",
		"check over HTTP, 2 clients | postgres, 3 processes | 1/s",
	} {
		if seen[want] <= 0 {
			t.Errorf("no figure of %s: %v", want, seen)
		}
	}
}
