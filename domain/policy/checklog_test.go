package policy_test

import (
	"testing"

	"consentledger/domain/policy"
)

func TestHowManyAnswersAreRecorded(t *testing.T) {
	for s, want := range map[string][2]int{
		"none": {0, 1}, "sampled": {1, 100}, "all": {1, 1},
		"1 in 10": {1, 10}, "3 in 4": {3, 4}, "7 in 7": {7, 7}, "1 in 1000000": {1, 1000000},
	} {
		l, err := policy.ParseCheckLog(s)
		if n, of := l.Rate(); err != nil || n != want[0] || of != want[1] || l.String() != s {
			t.Errorf("%q is %d in %d, written %q: %v", s, n, of, l, err)
		}
	}
	for _, s := range []string{"", "1", "0 in 3", "4 in 3", "1 in 0", "1 in 1000001", "01 in 10", "1 in 10 ", "-1 in 2", "1 in", "in", "1 of 10", "All", "99999999 in 99999999"} {
		if l, err := policy.ParseCheckLog(s); err == nil {
			t.Errorf("%q was read as %v", s, l)
		}
	}
	if policy.LogNone != 0 || policy.LogSampled != 1 || policy.LogAll != 2 {
		t.Error("what stood in policies means something else now")
	}
}
