package esdbserver

import (
	"fmt"
	"os"
	"strings"
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
	t.Parallel()
	lines, err := answers.Load(os.Getenv("CONSENTLEDGER_ANSWERS"))
	if err != nil {
		t.Fatal(err)
	}
	results := play(t, lines, Options{}, 20*time.Second)

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

// play asks what a table asks of nodes with some options. What does not come
// is waited for with patience: some answers take 2 s.
func play(t *testing.T, lines []*answers.Line, o Options, patience time.Duration) []answers.Result {
	t.Helper()
	used := start(t, New(o)).Addr()
	player := answers.Player{
		Server: func(fresh bool) (string, error) {
			if fresh {
				return start(t, New(o)).Addr(), nil
			}
			return used, nil
		},
		Quiet:    30 * time.Millisecond,
		Patience: patience,
	}
	results, err := player.Play(lines)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// kurrentDiffers are the cases in which 25.0.1 answers otherwise than the
// table says, and how many of them do; 0: that was not told.
var kurrentDiffers = map[string]int{
	"append-size/": 12, "sub-stream-nonexistent/": 6, "sub-stream-deleted/soft-": 4, "sub-stream-delete-live/nonexistent-": 2,
	"sub-stream-deleted/tomb-end": 1, "all-read/fwd-position-": 2, "all-read/back-position-": 1,
	"sub-all/from-position-": 3, "sub-all/beyond-live": 1, "features/supported-methods": 1, "features/": 0,
	"sub-all-checkpoints-": 0, "sub-all-resume/": 0, "sub-all-filter-full-frames/": 0, "all-read-deletes/sub-x": 1,
}

func TestAKurrentDBAnswersOtherwiseWhereOneDid(t *testing.T) {
	t.Parallel()
	lines, err := answers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	differs := map[string]int{}
	for _, r := range play(t, lines, Options{Kurrent: true}, 8*time.Second) {
		if r.Diff == "" {
			continue
		}
		known := ""
		for prefix := range kurrentDiffers {
			if strings.HasPrefix(r.Case, prefix) && len(prefix) > len(known) {
				known = prefix
			}
		}
		if known == "" {
			t.Errorf("%s: %s", r.Case, r.Diff)
		}
		differs[known]++
	}
	for prefix, want := range kurrentDiffers {
		if got := differs[prefix]; want > 0 && got != want {
			t.Errorf("%s*: %d cases differ, want %d", prefix, got, want)
		}
	}
}
