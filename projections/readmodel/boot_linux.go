package readmodel

import (
	"fmt"
	"os"
	"syscall"
)

// bootOf names a file and the run of the machine in which it is, as long as neither is
// another; empty: not known.
func bootOf(file string) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	info, err := os.Stat(file)
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s%d:%d\n", boot, stat.Dev, stat.Ino)
}
