package admission

import (
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A memory knows whether the process has more memory than it may.
type memory struct {
	ceiling int64
	used    func() int64

	mu   sync.Mutex
	seen time.Time
	over bool
}

// lookEvery is how old an answer may be: looking takes some microseconds.
const lookEvery = 50 * time.Millisecond

// full reports whether the process is over its ceiling.
func (m *memory) full() bool {
	if m.ceiling == 0 {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.seen) >= lookEvery {
		m.seen, m.over = now, m.used() >= m.ceiling
	}
	return m.over
}

// ProcessMemory returns the bytes that the runtime has from the system and has not given
// back, without what is garbage and not yet collected: that goes when it is needed.
func ProcessMemory() int64 {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64()) - int64(samples[1].Value.Uint64()) - int64(samples[2].Value.Uint64())
}

// leastCeiling is the ceiling where the machine has little, or does not say what it has.
const leastCeiling = 1 << 30

// Ceiling returns the memory that a process may have where nobody said: three quarters of
// what its control group or the machine has, and not less than 1 GiB.
func Ceiling() int64 {
	has := machineMemory()
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if n, err := readNumber(name); err == nil && n > 0 && (has == 0 || n < has) {
			has = n
		}
	}
	return max(leastCeiling, has/4*3)
}

func readNumber(name string) (int64, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// machineMemory returns what the machine has; zero: it does not say.
func machineMemory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}

	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "MemTotal:" {
			continue
		}
		if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			return kib << 10
		}
	}
	return 0
}
