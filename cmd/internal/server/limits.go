package server

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"consentledger/api/admission"
	"consentledger/api/auth"
	"consentledger/api/rest"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/telemetry"
	"consentledger/domain/ident"
)

// What one connection of HTTP may do, and how many there are. docs/limits.md has them.
const (
	maxConnections = 4096
	maxHeaders     = 64 << 10
	maxStreams     = 100 // requests at once over one connection of HTTP/2
	takeWithin     = 30 * time.Second
)

// Limits are how much is taken at once. The zero Limits are those of the machine.
type Limits struct {
	Memory      string         // bytes that the process may have, as in 2GiB; empty: three quarters of what there is
	Connections int            // of HTTP; zero: 4096
	AtOnce      map[string]int // requests of a class; what is not named has its default
}

// Check refuses limits that cannot be.
func (l Limits) Check() error {
	if _, err := l.memory(); err != nil {
		return exit.Usage(fmt.Errorf("--memory-ceiling: %w", err))
	}
	if l.Connections < 0 {
		return exit.Usage(errors.New("--max-connections: want a number above zero, as in 4096"))
	}

	known := append(admission.Names[admission.Quick:], natsClass+admission.Quick.String(),
		natsClass+admission.Record.String())
	for _, name := range slices.Sorted(maps.Keys(l.AtOnce)) {
		if !slices.Contains(known, name) {
			return exit.Usage(fmt.Errorf("--at-once: the classes are %s, as in --at-once record=64",
				strings.Join(known, ", ")))
		}
		if n := l.AtOnce[name]; n < 1 || n > 1<<16 {
			return exit.Usage(fmt.Errorf("--at-once %s: want 1 to 65536 requests", name))
		}
	}
	return nil
}

// natsClass stands before a class of requests over NATS.
const natsClass = "nats-"

// units are how memory is written.
var units = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}

// leastMemory is what a ledger of a few persons needs.
const leastMemory = 256 << 20

func (l Limits) memory() (int64, error) {
	if l.Memory == "" {
		return admission.Ceiling(), nil
	}

	number, size := l.Memory, int64(1)
	for _, u := range units {
		if n, is := strings.CutSuffix(l.Memory, u.name); is {
			number, size = n, u.size
		}
	}

	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/size || n*size < leastMemory {
		return 0, errors.New("want bytes, as in 2GiB or 800MiB, and 256MiB at least")
	}
	return n * size, nil
}

// openLimits makes the places of requests. The runtime collects garbage earlier as the
// ceiling comes near; what is over it is held back by the places.
func (h *Server) openLimits() error {
	ceiling, err := h.Config.Limits.memory()
	if err != nil {
		return err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(ceiling / 10 * 9)
	}

	over, nats := admission.Default(admission.Processors(), ceiling, h.Dir.away != nil ||
		h.Dir.shared != nil), admission.DefaultNATS(ceiling)
	for class := admission.Quick; int(class) < len(over.Bounds); class++ {
		if n, said := h.Config.Limits.AtOnce[class.String()]; said {
			over.Bounds[class].Places = n
			over.Bounds[class].Line = n
		}
	}
	for _, class := range []admission.Class{admission.Quick, admission.Record} {
		if n, said := h.Config.Limits.AtOnce[natsClass+class.String()]; said {
			nats.Bounds[class].Places = n
		}
	}
	over.Refused, nats.Refused = h.Measured.refused, h.Measured.refused
	h.places, h.natsPlaces = admission.New(over), admission.New(nats)
	return nil
}

// admitNATS takes a place for a request over NATS. As over HTTP, nobody has a part where
// nobody is authenticated.
func (h *Server) admitNATS(question bool, app ident.AppName, inbox string) (leave func(), err error) {
	class, op := admission.Record, auth.Record
	if question {
		class, op = admission.Quick, auth.Check
	}
	if h.keys == nil {
		return h.natsPlaces.Try(class, "", "")
	}
	return h.natsPlaces.Try(class, h.keys.Asking(inbox, op, app), string(app))
}

// limitsReport says how much is under way, and how much may be.
func (h *Server) limitsReport() *rest.Limits {
	if h.places == nil {
		return nil
	}

	report := &rest.Limits{
		MemoryCeiling: h.places.Config().Memory, Memory: admission.ProcessMemory(),
		MaxConnections: cmp.Or(h.Config.Limits.Connections, maxConnections), MaxBodies: h.places.Config().Bodies,
	}
	if h.entrance != nil && h.entrance.listener != nil {
		report.Connections, report.Turned = h.entrance.listener.Open(), h.entrance.listener.Turned()
	}

	for _, road := range []struct {
		name   string
		places *admission.Admission
	}{{"http", h.places}, {"nats", h.natsPlaces}} {
		for _, s := range road.places.Loads() {
			b := road.places.Config().Bounds[s.Class]
			if b.Places == 0 {
				continue
			}
			report.Classes = append(report.Classes, rest.ClassLimit{
				Over: road.name, Class: s.Class.String(), AtOnce: b.Places, Line: b.Line,
				Working: s.Working, Waiting: s.Waiting, Refused: s.Refused,
			})
		}
	}
	return report
}

// measureLimits says how much is under way.
func (h *Server) measureLimits(tell telemetry.Tell) error {
	working := map[admission.Class]int{}
	for _, places := range []*admission.Admission{h.places, h.natsPlaces} {
		for _, s := range places.Loads() {
			working[s.Class] += s.Working
		}
	}
	for class, n := range working {
		tell(telemetry.Working, float64(n), class.String())
	}
	tell(telemetry.MemoryCeiling, float64(h.places.Config().Memory))
	return nil
}
