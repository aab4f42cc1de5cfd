package esdbserver

import (
	"fmt"
	"os"
	"testing"
	"time"

	"consentledger/eventstore/esdb/answers"
)

// listed are the cases in which this server answers otherwise, with the
// reason.
var listed = map[string]string{
	"features/path-unknown-service":   noService,
	"features/path-v2-append-session": noService,
	"features/path-projections":       noService,
	"features/path-grpc-reflection":   noService,
	"features/path-grpc-health":       noService,
	"features/wrong-content-type":     "both refuse with HTTP 415; clients of this protocol send the right one",
}

const noService = "UNIMPLEMENTED, which clients make of the real one's HTTP 404 without a status"

// TestRecordedAnswers asks what a real node was asked. CONSENTLEDGER_ANSWERS
// names another table.
func TestRecordedAnswers(t *testing.T) {
	lines, err := answers.Load(os.Getenv("CONSENTLEDGER_ANSWERS"))
	if err != nil {
		t.Fatal(err)
	}
	used := start(t, New(Options{})).Addr()
	player := answers.Player{
		Server: func(fresh bool) (string, error) {
			if fresh {
				return start(t, New(Options{})).Addr(), nil
			}
			return used, nil
		},
		Quiet:    30 * time.Millisecond,
		Patience: 5 * time.Second,
	}
	results, err := player.Play(lines)
	if err != nil {
		t.Fatal(err)
	}

	agree, differ := 0, 0
	for _, r := range results {
		reason, expected := listed[r.Case]
		switch {
		case r.Diff == "" && expected:
			t.Errorf("%s agrees, and is listed as differing: %s", r.Case, reason)
		case r.Diff == "":
			agree++
		case expected:
			differ++
		default:
			t.Errorf("%s: %s", r.Case, r.Diff)
		}
	}
	fmt.Printf("%d of %d agree, %d differ for a listed reason\n", agree, len(results), differ)
}
