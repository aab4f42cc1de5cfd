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

// kurrentDiffers are how many of the cases in which 25.0.1 answers otherwise
// do; of the others it was not told.
var kurrentDiffers = map[string]int{
	"append-size/": 12, "sub-stream-nonexistent/": 6, "sub-stream-deleted/soft-": 4, "sub-stream-delete-live/nonexistent-": 2,
	"sub-stream-deleted/tomb-end": 1, "all-read/fwd-position-": 2, "all-read/back-position-": 1,
	"sub-all/from-position-": 3, "sub-all/beyond-live": 1, "all-read-deletes/sub-x": 1,
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
		why, begins := answers.InKurrentDB(r.Case)
		if why == "" {
			t.Errorf("%s: %s", r.Case, r.Diff)
		}
		differs[begins]++
	}
	for begins, want := range kurrentDiffers {
		if got := differs[begins]; got != want {
			t.Errorf("%s*: %d cases differ, want %d", begins, got, want)
		}
	}
}

// TestAnswersBesideOthers plays what can be played at a server that others use,
// twice at the same one.
func TestAnswersBesideOthers(t *testing.T) {
	t.Parallel()
	lines, err := answers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	used := start(t, New(Options{})).Addr()
	for _, prefix := range []string{"one~", "two~"} {
		player := answers.Player{
			Server:   func(bool) (string, error) { return used, nil },
			Quiet:    30 * time.Millisecond,
			Patience: 20 * time.Second,
			Prefix:   prefix,
		}
		played := 0
		for _, s := range answers.Scenarios(lines) {
			if s[0].Fresh {
				continue
			}
			results, err := player.Play(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if played++; r.Diff != "" {
					t.Errorf("%s%s: %s", prefix, r.Case, r.Diff)
				}
			}
		}
		if played < 700 {
			t.Errorf("%d cases were played", played)
		}
	}
}
