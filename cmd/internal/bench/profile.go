package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
)

// A profileConfig names the files that profiles are written to; empty: none.
type profileConfig struct{ cpu, memory, block, mutex string }

// valid returns an error unless a profile can be of one measurement alone.
func (c profileConfig) valid(only []string, clients []int) error {
	switch {
	case len(only) != 1 || len(clients) > 1:
	case only[0] == "seal" || only[0] == "disk" || only[0] == "memory" || only[0] == "demo":
		return fmt.Errorf("%s cannot be profiled", only[0])
	case len(clients) == 1 || only[0] == "replay" || only[0] == "rebuild" || only[0] == "verify" || only[0] == "lag":
		return nil
	}
	return errors.New("a profile is of one part, and of one number of clients: name them with --only and --clients")
}

// start begins to profile this process, which is the ledger's. Stop with true
// ends it and writes the files; with false it does nothing.
func (c profileConfig) start() (stop func(bool) error, err error) {
	var cpu *os.File
	if c.cpu != "" {
		if cpu, err = os.Create(c.cpu); err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(cpu); err != nil {
			return nil, errors.Join(err, cpu.Close())
		}
	}

	if c.block != "" {
		runtime.SetBlockProfileRate(10_000) // a sample for each 10 µs of waiting
	}
	if c.mutex != "" {
		runtime.SetMutexProfileFraction(5)
	}

	return func(last bool) error {
		if !last {
			return nil
		}
		var err error
		if cpu != nil {
			pprof.StopCPUProfile()
			err = cpu.Close()
		}
		runtime.SetBlockProfileRate(0)
		runtime.SetMutexProfileFraction(0)
		return errors.Join(err, writeProfile("allocs", c.memory), writeProfile("block", c.block),
			writeProfile("mutex", c.mutex))
	}, nil
}

func writeProfile(kind, name string) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if kind == "allocs" {
		runtime.GC() // so that what is in use is up to date
	}
	return errors.Join(pprof.Lookup(kind).WriteTo(f, 0), f.Close())
}
