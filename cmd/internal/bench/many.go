package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"consentledger/eventstore/postgres/pgserver"
)

// A ManyConfig says what a run of [Many] measures.
type ManyConfig struct {
	Program  string // the executable file
	Against  string // that of another build, which serves the same fleets beside it; empty: none does
	Policy   string // the file of the policy that is published
	Postgres string // where PostgreSQL's programs are
	ESDB     func(context.Context) (address string, close func() error, err error)
	Only     []string // the fleets that are measured, as in postgres3; none: all
	Persons  int
	Clients  int
	Rounds   int
	Slice    time.Duration
	Dir      string // where data directories are made
	Progress io.Writer
}

// A fleet is the processes that serve one ledger. Its clients are spread over all of them.
type fleet struct {
	name      string
	processes []*Program
	crowd     *Crowd
	next      atomic.Uint64
}

// Many measures a ledger that one process serves, or three: on its own store, and with
// records, persons and read models elsewhere. All are served at the same time, and are
// measured in turns; what it says of CPU time is of the ledger's processes alone.
func Many(ctx context.Context, c ManyConfig) (_ []Figure, err error) {
	m := &many{run: &run{Config: Config{Rounds: c.Rounds, Slice: c.Slice, Progress: c.Progress}}, config: c}
	defer func() { err = errors.Join(err, m.close()) }()

	if err := m.open(ctx); err != nil {
		return nil, err
	}
	for _, f := range m.fleets {
		if err := m.populate(ctx, f); err != nil {
			return nil, err
		}
	}
	if err := m.record(ctx); err != nil {
		return nil, err
	}
	return m.run.figures, m.check(ctx)
}

type many struct {
	run    *run
	config ManyConfig

	postgres *pgserver.Server
	table    *Postgres
	nats     []*server.Server
	fleets   []*fleet
	closers  []func() error
}

// open starts every server, and every ledger.
func (m *many) open(ctx context.Context) (err error) {
	c := m.config
	if m.postgres, err = pgserver.Make(ctx, c.Postgres, filepath.Join(c.Dir, "postgres"), "max_connections = 500",
		"shared_buffers = 256MB"); err != nil {
		return err
	}
	m.table = &Postgres{m.postgres}
	if err := m.table.prepare(ctx); err != nil {
		return err
	}

	for _, store := range []string{"embedded", "postgres", "esdb"} {
		for _, n := range []int{1, 3} {
			if store == "embedded" && n > 1 || len(c.Only) > 0 && !slices.Contains(c.Only, fmt.Sprint(store, n)) {
				continue
			}
			if err := m.add(ctx, store, n, c.Program, ""); err != nil {
				return err
			}
			if c.Against == "" {
				continue
			}
			if err := m.add(ctx, store, n, c.Against, before); err != nil {
				return err
			}
		}
	}
	return nil
}

// before is what the name of a fleet ends with that another build serves.
const before = ", the build before"

// fleetName is what tables show.
func fleetName(store string, n int) string {
	if n == 1 {
		return store + ", 1 process"
	}
	return fmt.Sprintf("%s, %d processes", store, n)
}

// elsewhere returns the flags of a ledger whose persons and read models are in a
// database of their own, and whose messages go through a NATS server of their own.
func (m *many) elsewhere(ctx context.Context, name string) ([]string, error) {
	if _, err := m.postgres.SQL(ctx, "postgres", "CREATE DATABASE "+name); err != nil {
		return nil, err
	}
	nats, err := startNATS(filepath.Join(m.config.Dir, "nats-"+name), false)
	if err != nil {
		return nil, err
	}
	m.nats = append(m.nats, nats)

	keys := filepath.Join(m.config.Dir, "keys-"+name)
	if out, err := exec.CommandContext(ctx, m.config.Program, "keys", "new", keys).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("keys new: %w: %s", err, out)
	}
	at := m.database(name)
	return []string{"--vault", at, "--vault-keys", keys, "--views", at, "--nats", nats.ClientURL()}, nil
}

func (m *many) database(name string) string {
	return fmt.Sprintf("host=%s user=bench dbname=%s", m.postgres.Dir(), name)
}

// records says where the records of a ledger are; empty: in its directory.
func (m *many) records(ctx context.Context, store, name string) (string, error) {
	switch store {
	case "postgres":
		return m.database(name), nil
	case "esdb":
		address, closing, err := m.config.ESDB(ctx)
		if err == nil {
			m.closers = append(m.closers, closing)
		}
		return address, err
	}
	return "", nil
}

// add starts the processes of a fleet, by a build.
func (m *many) add(ctx context.Context, store string, n int, program, build string) error {
	f := &fleet{name: fleetName(store, n) + build, crowd: NewCrowd(Uniform)}
	m.fleets = append(m.fleets, f)
	directory := fmt.Sprint(store, n)
	if build != "" {
		directory += "before"
	}

	var flags []string
	if store != "embedded" {
		shared, err := m.elsewhere(ctx, directory)
		if err != nil {
			return err
		}
		at, err := m.records(ctx, store, directory)
		if err != nil {
			return err
		}
		flags = append(shared, "--store", at)
	}
	for i := range n {
		p := &Program{Name: f.name, Path: program,
			Dir: filepath.Join(m.config.Dir, fmt.Sprintf("data-%s-%d", directory, i)), Flags: flags}
		f.processes = append(f.processes, p)
		m.run.say("%s: process %d starts", f.name, i+1)
		start := p.Start
		if i == 0 {
			start = func(ctx context.Context) error { return p.Prepare(ctx, m.config.Policy) }
		}
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// populate has the persons come, by batches.
func (m *many) populate(ctx context.Context, f *fleet) error {
	size := min(1000, m.config.Persons)
	batches := (m.config.Persons + size - 1) / size
	m.run.say("%s: %d persons come", f.name, batches*size)
	do := f.each(func(p *Program) func(context.Context) error {
		return p.batch(func() []byte { return f.crowd.Arrivals(size) })
	})
	if _, err := drive(ctx, 4, 0, batches, do); err != nil {
		return err
	}

	// Every process meets everybody: else it is measured how it does for the first time.
	for _, p := range f.processes {
		var next atomic.Uint64
		ask := func(ctx context.Context) error {
			return p.post(ctx, "check", "application/json", questionOf(next.Add(1)))
		}
		if _, err := drive(ctx, 16, 0, batches*size, ask); err != nil {
			return err
		}
	}
	return f.settle(ctx)
}

// each spreads calls over the processes of a fleet.
func (f *fleet) each(do func(p *Program) func(context.Context) error) func(context.Context) error {
	var all []func(context.Context) error
	for _, p := range f.processes {
		all = append(all, do(p))
	}
	return func(ctx context.Context) error { return all[f.next.Add(1)%uint64(len(all))](ctx) }
}

func (f *fleet) settle(ctx context.Context) error {
	for _, p := range f.processes {
		if err := p.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) cpu() (total time.Duration, err error) {
	for _, p := range f.processes {
		used, err := p.CPU()
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// record measures durable records, and inserts into a plain table beside them.
func (m *many) record(ctx context.Context) error {
	work := fmt.Sprintf("record over HTTP, %d clients", m.config.Clients)
	rates, err := m.measure(ctx, work, func(f *fleet) func(context.Context) error {
		return f.each(func(p *Program) func(context.Context) error { return p.record(f.crowd) })
	}, true)
	if err != nil {
		return err
	}
	for _, f := range m.fleets {
		m.ratio(work, f.name, m.table.name(), rates)
	}
	m.compare(work, rates)
	return nil
}

// check measures questions, each behind what any process has acknowledged.
func (m *many) check(ctx context.Context) error {
	work := fmt.Sprintf("check over HTTP, %d clients", m.config.Clients)
	rates, err := m.measure(ctx, work, func(f *fleet) func(context.Context) error {
		return f.each(func(p *Program) func(context.Context) error { return p.check(f.crowd) })
	}, false)
	if err != nil {
		return err
	}
	m.compare(work, rates)
	return nil
}

// compare says how three processes do against one, and a build against another.
func (m *many) compare(work string, rates map[string][]float64) {
	for _, store := range []string{"postgres", "esdb"} {
		for _, build := range []string{"", before} {
			m.ratio(work, fleetName(store, 3)+build, fleetName(store, 1)+build, rates)
		}
	}
	for _, f := range m.fleets {
		m.ratio(work, f.name, f.name+before, rates)
	}
}

// measure has every fleet do something in turns, and the table too if it can.
func (m *many) measure(
	ctx context.Context, work string, do func(*fleet) func(context.Context) error, table bool,
) (map[string][]float64, error) {
	rates := map[string][]float64{}
	costs := map[string][]float64{}
	for round := range m.config.Rounds {
		for _, f := range m.fleets {
			m.run.say("%s: %s, round %d", f.name, work, round+1)
			s, cost, err := f.slice(ctx, m.config.Clients, m.config.Slice, do(f))
			if err != nil {
				return nil, err
			}
			rates[f.name] = append(rates[f.name], s.Rate())
			costs[f.name] = append(costs[f.name], cost)
		}
		if table {
			// What the fleets have left the server to write is not the table's.
			if _, err := m.postgres.SQL(ctx, "postgres", "CHECKPOINT"); err != nil {
				return nil, err
			}
			s, err := m.table.slice(ctx, m.config.Clients, m.config.Slice)
			if err != nil {
				return nil, err
			}
			rates[m.table.name()] = append(rates[m.table.name()], s.Rate())
		}
	}

	for _, name := range slices.Sorted(maps.Keys(rates)) {
		all := rates[name]
		m.run.add(Figure{Work: work, Persons: m.config.Persons, Program: name, Unit: "1/s"}, slices.Clone(all))
		if cost := costs[name]; len(cost) > 0 {
			m.run.add(Figure{Work: work, Persons: m.config.Persons, Program: name, Unit: "µs of CPU each"}, cost)
		}
	}
	return rates, nil
}

// slice measures for a while, and returns what one request cost in microseconds of CPU.
func (f *fleet) slice(
	ctx context.Context, clients int, long time.Duration, do func(context.Context) error,
) (Slice, float64, error) {
	before, err := f.cpu()
	if err != nil {
		return Slice{}, 0, err
	}
	s, err := drive(ctx, clients, long, 0, do)
	if err != nil {
		return Slice{}, 0, err
	}
	if err := f.settle(ctx); err != nil {
		return Slice{}, 0, err
	}
	after, err := f.cpu()
	return s, float64((after - before).Microseconds()) / float64(max(1, s.Done)), err
}

// ratio says how one does against another, round by round, if both were measured. Rounds
// in which the other did nothing, on a machine that is too busy, are left out.
func (m *many) ratio(work, one, other string, rates map[string][]float64) {
	if len(rates[one]) == 0 || len(rates[other]) == 0 {
		return
	}
	var ratios []float64
	for i, rate := range rates[other] {
		if rate > 0 {
			ratios = append(ratios, rates[one][i]/rate)
		}
	}
	if len(ratios) == 0 {
		return
	}
	m.run.add(Figure{Work: work, Persons: m.config.Persons, Program: one, Unit: "ratio to " + other}, ratios)
}

func (m *many) close() error {
	var errs []error
	for _, f := range m.fleets {
		for _, p := range f.processes {
			errs = append(errs, p.Stop())
		}
	}

	for _, closing := range m.closers {
		errs = append(errs, closing())
	}

	for _, s := range m.nats {
		s.Shutdown()
		s.WaitForShutdown()
	}

	if m.postgres != nil {
		errs = append(errs, m.postgres.Stop(context.Background(), false))
	}
	return errors.Join(errs...)
}
