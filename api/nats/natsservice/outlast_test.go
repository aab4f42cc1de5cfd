package natsservice

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// What was begun outlasts the end of its context by as long as it may take, and no longer.
func TestOutlast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		long, cancel := Outlast(ctx)
		stop()
		time.Sleep(Grace - time.Millisecond)
		if err := long.Err(); err != nil {
			t.Errorf("before its time is over: %v", err)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if long.Err() == nil || context.Cause(long) != errGraceOver {
			t.Errorf("after it: %v", context.Cause(long))
		}
		cancel()

		finished, cancel := Outlast(t.Context())
		cancel()
		if finished.Err() == nil {
			t.Error("it goes on after it was cancelled")
		}
	})
}
