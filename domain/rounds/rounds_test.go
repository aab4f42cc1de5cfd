package rounds

import (
	"runtime"
	"testing"
)

// A witness notes how a test ended.
type witness struct {
	testing.TB
	failed bool
}

func (w *witness) Helper() {}

func (w *witness) Fatalf(string, ...any) {
	w.failed = true
	runtime.Goexit()
}

func TestOf(t *testing.T) {
	for text, want := range map[string]int{"": 7, "1": 1, "1000": 1000, "0": -1, "-3": -1, "many": -1} {
		t.Setenv(Variable, text)
		w, got := &witness{TB: t}, -1
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			got = Of(w, 7)
		}()
		<-ended
		if got != want || w.failed != (want < 0) {
			t.Errorf("%s=%s: %d rounds, failed %v", Variable, text, got, w.failed)
		}
	}
}
