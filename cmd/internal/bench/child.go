package bench

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// ChildVariable is set for the processes that bench starts of its own program.
const ChildVariable = "CONSENTLEDGER_BENCH_CHILD"

// ownProcess returns this program as another process, which is told to end when ctx
// is done.
func ownProcess(ctx context.Context, args ...string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), ChildVariable+"=1")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd, nil
}
