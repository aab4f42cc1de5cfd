package tune

import "testing"

func TestAGoroutineMayWaitForTheDiskUnlessTheOperatorSaysHowManyRun(t *testing.T) {
	if got := procs("", 2); got != 3 {
		t.Errorf("%d run at once on two CPUs, want 3", got)
	}
	if got := procs("2", 2); got != 2 {
		t.Errorf("%d run at once where the operator said 2", got)
	}
}

func TestGarbageTakesLessRoomTheMoreLives(t *testing.T) {
	for _, tt := range []struct {
		live uint64
		want int
	}{{0, 400}, {5 << 20, 400}, {64 << 20, 400}, {128 << 20, 200}, {256 << 20, 100}, {4 << 30, 100}} {
		if got := gcPercent(tt.live); got != tt.want {
			t.Errorf("%d MiB: %d%%, want %d%%", tt.live>>20, got, tt.want)
		}
	}
}
