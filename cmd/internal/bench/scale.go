package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Config says what a run measures.
type Config struct {
	Programs   []*Program    // the first is the one in question; ratios are to it
	Policy     string        // the file of the policy that is published
	Population []int         // how many persons there are at each stop, rising
	History    int           // events of each person, once all have come
	Whole      bool          // whether they are loaded person by person
	Batch      int           // events of a batch
	Deep       int           // events of the one person who has many; zero: nobody has
	Choices    []Choice      // how persons are chosen
	Clients    int           // that record and check
	Rounds     int           // slices of a measurement
	Slice      time.Duration // how long one is
	Postgres   string        // where PostgreSQL's programs are; empty: it is not measured
	JetStream  bool          // whether JetStream is measured
	Dir        string        // where data directories are made
	Keep       bool          // whether Dir stays, and a later run goes on with what is in it
	loaded     loaded        // what is in it already
	Progress   io.Writer
}

// A Figure is one number of one program, the median of its samples.
type Figure struct {
	Work     string  `json:"work"`
	Persons  int     `json:"persons,omitempty"`
	Choice   Choice  `json:"choice,omitempty"`
	Program  string  `json:"program"`
	Value    float64 `json:"value"`
	Least    float64 `json:"least"`
	Greatest float64 `json:"greatest"`
	Unit     string  `json:"unit"`
	Error    string  `json:"error,omitempty"` // the measurement failed, and there is no value
}

// A Run is a run under way.
type run struct {
	Config
	crowds  map[*Program]*Crowd
	peers   []peer
	figures []Figure
}

// batchers is how many clients send batches at once.
const batchers = 16

// Scale measures all programs in turns at every size of the population, and at
// the end what grows with history: starts, and questions about the whole log.
func Scale(ctx context.Context, c Config) (_ []Figure, err error) {
	r := &run{Config: c, crowds: map[*Program]*Crowd{}}
	defer func() { err = errors.Join(err, r.close()) }()

	for _, p := range c.Programs {
		r.crowds[p] = NewCrowd(Uniform)
		if err := r.open(ctx, p); err != nil {
			return nil, err
		}
	}
	if err := r.openPeers(ctx); err != nil {
		return nil, err
	}
	for _, persons := range c.Population {
		if err := r.stop(ctx, persons); err != nil {
			return r.figures, err
		}
		if err := r.note(); err != nil {
			return r.figures, err
		}
	}
	return r.figures, r.grown(ctx)
}

// open makes a program's data directory, or goes on with one that was kept.
func (r *run) open(ctx context.Context, p *Program) error {
	if r.loaded.Persons > 0 {
		return r.resume(ctx, p)
	}
	r.say("%s: a data directory in %s", p.Name, p.Dir)
	return p.Prepare(ctx, r.Policy)
}

func (r *run) openPeers(ctx context.Context) error {
	if r.Postgres != "" {
		p, err := OpenPostgres(ctx, r.Postgres, filepath.Join(r.Dir, "postgres"))
		if err != nil {
			return err
		}
		r.peers = append(r.peers, p)
	}

	if r.JetStream {
		j, err := OpenJetStream(ctx, filepath.Join(r.Dir, "jetstream"))
		if err != nil {
			return err
		}
		r.peers = append(r.peers, j)
	}
	return nil
}

func (r *run) close() error {
	var errs []error
	for _, p := range r.Programs {
		errs = append(errs, p.Stop())
	}
	for _, p := range r.peers {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

func (r *run) say(format string, args ...any) {
	fmt.Fprintf(r.Progress, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func (r *run) add(f Figure, samples []float64) {
	slices.Sort(samples)
	n := len(samples)
	f.Value, f.Least, f.Greatest = (samples[(n-1)/2]+samples[n/2])/2, samples[0], samples[n-1]
	r.figures = append(r.figures, f)
}

// stop lets the population grow, and measures at its new size.
func (r *run) stop(ctx context.Context, persons int) error {
	if err := r.fill(ctx, persons); err != nil {
		return err
	}
	if err := r.note(); err != nil {
		return err
	}
	for _, p := range r.Programs { // no slice pays for what the load left to do
		if err := p.settle(ctx); err != nil {
			return err
		}
	}

	for _, choice := range r.Choices {
		for _, crowd := range r.crowds {
			crowd.Choice = choice
		}
		if err := r.load(ctx, persons, choice); err != nil {
			return err
		}
	}

	for _, p := range r.Programs {
		if err := r.weigh(p, persons); err != nil {
			return err
		}
	}
	return nil
}

// fill brings every program to so many persons with their history, by batches.
// How fast that goes is a figure of its own.
func (r *run) fill(ctx context.Context, persons int) error {
	for _, p := range r.Programs {
		crowd := r.crowds[p]
		crowd.Choice = Uniform
		arriving := persons - int(crowd.Size.Load())
		if arriving <= 0 {
			continue
		}

		fill := r.fillMixed
		if r.Whole {
			fill = r.fillWhole
		}
		if err := fill(ctx, p, persons, arriving); err != nil {
			return err
		}
	}
	return nil
}

// fillMixed lets all persons come, and then events of anybody.
func (r *run) fillMixed(ctx context.Context, p *Program, persons, arriving int) error {
	crowd, size := r.crowds[p], min(r.Batch, arriving)
	batches := (arriving + size - 1) / size
	r.say("%s: %d persons come", p.Name, batches*size)
	if _, err := drive(ctx, batchers, 0, batches,
		p.batch(func() []byte { return crowd.Arrivals(size) })); err != nil {
		return err
	}

	more := batches * (r.History - 1)
	if more == 0 {
		return nil
	}
	r.say("%s: each has %d events", p.Name, r.History)
	s, err := drive(ctx, batchers, 0, more, p.batch(func() []byte { return crowd.Events(size) }))
	if err == nil {
		r.filled(p, persons, size, s, "while the population has its history")
	}
	return err
}

// fillWhole lets persons come with all of their events.
func (r *run) fillWhole(ctx context.Context, p *Program, persons, arriving int) error {
	crowd := r.crowds[p]
	together := max(1, r.Batch/r.History)
	batches := (arriving + together - 1) / together
	r.say("%s: %d persons come, with %d events each", p.Name, batches*together, r.History)
	s, err := drive(ctx, batchers, 0, batches,
		p.batch(func() []byte { return crowd.Lives(together, r.History) }))
	if err == nil {
		r.filled(p, persons, together*r.History, s, "each of whole histories")
	}
	return err
}

// filled reports how fast a population was loaded.
func (r *run) filled(p *Program, persons, size int, s Slice, how string) {
	work := fmt.Sprintf("batches of %d, %d clients, %s", size, batchers, how)
	r.add(Figure{Work: work, Persons: persons, Program: p.Name, Unit: "events/s"},
		[]float64{s.Rate() * float64(size)})
}

// A task is one thing that is measured in slices.
type task struct {
	work    string
	clients int
	times   float64 // events of a request
	do      func(p *Program, c *Crowd) func(context.Context) error
	peers   bool // whether the peers do the same
}

func (r *run) tasks() []task {
	return []task{
		{work: "record over HTTP", clients: r.Clients, times: 1, do: (*Program).record, peers: true},
		{work: "check over HTTP", clients: r.Clients, times: 1, do: (*Program).check},
		{work: fmt.Sprintf("batches of %d", r.Batch), clients: batchers, times: float64(r.Batch),
			do: func(p *Program, c *Crowd) func(context.Context) error {
				return p.batch(func() []byte { return c.Events(r.Batch) })
			}},
	}
}

// load measures every task in turns: each program, each peer, and again.
func (r *run) load(ctx context.Context, persons int, choice Choice) error {
	for _, t := range r.tasks() {
		rates, work := map[string][]float64{}, map[string][]float64{}
		for round := range r.Rounds {
			r.say("%d persons, %s: %s, round %d", persons, choice, t.work, round+1)
			for _, p := range r.Programs {
				before, err := p.CPU()
				if err != nil {
					return err
				}
				s, err := drive(ctx, t.clients, r.Slice, 0, t.do(p, r.crowds[p]))
				if err != nil {
					return err
				}
				if err := p.settle(ctx); err != nil {
					return err
				}
				after, err := p.CPU()
				if err != nil {
					return err
				}
				rates[p.Name] = append(rates[p.Name], s.Rate()*t.times)
				work[p.Name] = append(work[p.Name], float64((after-before).Microseconds())/(float64(s.Done)*t.times))
			}
			for _, p := range r.peers {
				if !t.peers {
					continue
				}
				s, err := p.slice(ctx, t.clients, r.Slice)
				if err != nil {
					return err
				}
				rates[p.name()] = append(rates[p.name()], s.Rate())
			}
		}
		r.report(t, persons, choice, rates, work)
	}
	return nil
}

func (r *run) report(t task, persons int, choice Choice, rates, work map[string][]float64) {
	f := Figure{Work: fmt.Sprintf("%s, %d clients", t.work, t.clients), Persons: persons, Choice: choice}
	first := rates[r.Programs[0].Name]
	for _, name := range r.names() {
		if len(rates[name]) == 0 {
			continue
		}
		f.Program, f.Unit = name, "1/s"
		r.add(f, slices.Clone(rates[name]))
		if w := work[name]; len(w) > 0 {
			f.Unit = "µs of CPU each"
			r.add(f, slices.Clone(w))
		}
		if name != r.Programs[0].Name {
			ratios := make([]float64, len(first))
			for i := range first {
				ratios[i] = first[i] / rates[name][i]
			}
			f.Unit = "ratio: " + r.Programs[0].Name + " to it"
			r.add(f, ratios)
		}
	}
}

// names returns the names of all that are measured, in order.
func (r *run) names() (names []string) {
	for _, p := range r.Programs {
		names = append(names, p.Name)
	}
	for _, p := range r.peers {
		names = append(names, p.name())
	}
	return names
}

// weigh says what a program takes of memory and of the disk.
func (r *run) weigh(p *Program, persons int) error {
	memory, err := p.Resident()
	if err != nil {
		return err
	}

	disk, err := p.OnDisk()
	if err != nil {
		return err
	}

	r.add(Figure{Work: "resident memory", Persons: persons, Program: p.Name, Unit: "MiB"},
		[]float64{float64(memory) / (1 << 20)})
	r.add(Figure{Work: "disk, everything", Persons: persons, Program: p.Name, Unit: "MiB"},
		[]float64{float64(disk) / (1 << 20)})
	r.add(Figure{Work: "disk of an event sent, everything", Persons: persons, Program: p.Name, Unit: "bytes"},
		[]float64{float64(disk) / float64(r.crowds[p].count.Load())})
	return nil
}

// deepSubject is the person who has many events.
const deepSubject = 1

// grown measures what grows with history.
func (r *run) grown(ctx context.Context) error {
	for _, p := range r.Programs {
		if r.Deep > 0 {
			r.say("%s: one person has %d events", p.Name, r.Deep)
			size := min(r.Batch, r.Deep)
			next := func() []byte {
				return r.crowds[p].batch(size, func() []byte { return r.crowds[p].EventOf(deepSubject) })
			}
			if _, err := drive(ctx, 1, 0, (r.Deep+size-1)/size, p.batch(next)); err != nil {
				return err
			}
		}
		if err := r.restarts(ctx, p); err != nil {
			return err
		}
		if err := r.questions(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// restarts measures a start after a clean stop, and one after a kill.
func (r *run) restarts(ctx context.Context, p *Program) error {
	persons := r.Population[len(r.Population)-1]
	for _, stop := range []struct {
		work string
		do   func() error
	}{{"ready again after a clean stop", p.Stop}, {"ready again after a kill", p.Kill}} {
		r.say("%s: %s", p.Name, stop.work)
		if err := p.settle(ctx); err != nil {
			return err
		}
		if err := stop.do(); err != nil {
			return err
		}
		begun := time.Now()
		if err := p.Start(ctx); err != nil {
			return err
		}
		if err := p.ready(ctx); err != nil {
			return err
		}
		took := time.Since(begun)

		// What a start leaves for later is its work too.
		if err := p.settle(ctx); err != nil {
			return err
		}
		work, err := p.CPU()
		if err != nil {
			return err
		}
		r.add(Figure{Work: stop.work, Persons: persons, Program: p.Name, Unit: "s"}, []float64{took.Seconds()})
		r.add(Figure{Work: stop.work, Persons: persons, Program: p.Name, Unit: "s of CPU, until it is at rest"},
			[]float64{work.Seconds()})
	}
	return nil
}

// patience is how long a question about the whole log may take.
const patience = 5 * time.Minute

// questions asks what needs the past or the whole log, each once: the first
// time is what counts.
func (r *run) questions(ctx context.Context, p *Program) error {
	now := time.Now().UTC()
	past := now.Add(-time.Second).Format(time.RFC3339)
	year := func(days int) string { return now.AddDate(0, 0, days).Format(time.RFC3339) }
	persons := r.Population[len(r.Population)-1]
	scratch := filepath.Join(r.Dir, "answer-"+filepath.Base(p.Dir))
	defer os.Remove(scratch)

	if r.Deep > 0 {
		err := r.ask(ctx, p, fmt.Sprintf("first check of a person with %d events", r.Deep), persons,
			func(ctx context.Context) error {
				return p.post(ctx, "check", "application/json", questionOf(deepSubject))
			})
		if err != nil {
			return err
		}
	}
	for _, q := range []struct {
		work string
		args []string
	}{
		{"status", []string{"status"}},
		{"first question about the past", []string{"state", "--app", App, "--subject", "bench-2", "--known-at", past}},
		{"lawful of one person", []string{"lawful", "--app", App, "--purpose", "personalisation", "--subject",
			"bench-2", "--at", past, "--reason", "audit"}},
		{"report consents", []string{"report", "consents", "--app", App}},
		{"report register processing", []string{"report", "register", "processing", "--app", App}},
		{"report audit", []string{"report", "audit", "--app", App, "--from", year(-1), "--to", past, "--out",
			scratch, "--reason", "audit"}},
	} {
		err := r.ask(ctx, p, q.work, persons, func(ctx context.Context) error {
			_, err := p.Verb(ctx, q.args...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ask measures one question. That it is not answered in time, or not at all, is
// a figure too.
func (r *run) ask(ctx context.Context, p *Program, work string, persons int, do func(context.Context) error) error {
	r.say("%s: %s", p.Name, work)
	before, err := p.CPU()
	if err != nil {
		return err
	}

	waiting, stop := context.WithTimeout(ctx, patience)
	defer stop()
	begun := time.Now()
	failed := do(waiting)
	took := time.Since(begun)
	if ctx.Err() != nil {
		return ctx.Err()
	}

	if failed != nil {
		r.figures = append(r.figures,
			Figure{Work: work, Persons: persons, Program: p.Name, Unit: "s", Error: failed.Error()})
		return nil
	}

	after, err := p.CPU()
	r.add(Figure{Work: work, Persons: persons, Program: p.Name, Unit: "s"}, []float64{took.Seconds()})
	r.add(Figure{Work: work, Persons: persons, Program: p.Name, Unit: "s of CPU"},
		[]float64{(after - before).Seconds()})
	return err
}
