package esdb_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
)

// A processJob is what one of several processes has to do.
type processJob struct {
	Address string
	Name    string // of the store, which all of them share
	Process int
	Streams int
	Writers int
	Mine    int // how many appends are its own
	Total   int // how many all of them make
	Seed    uint64
}

// A saying is what a process tells the one that started it, a line of JSON each; or
// what it is told: of what others have acknowledged.
type saying struct {
	Stream int                 `json:"stream"`
	Record eventstore.EventID  `json:"record"`
	Length eventstore.Revision `json:"length,omitempty"`
	Data   string              `json:"data,omitempty"`

	Told     []eventstore.Recorded `json:"told,omitempty"` // at the end: what its follower was told
	Unsure   int                   `json:"unsure,omitempty"`
	Conflict int                   `json:"conflict,omitempty"`
	Checks   int64                 `json:"checks,omitempty"`
	Wrong    string                `json:"wrong,omitempty"`
}

const jobVariable = "CONSENTLEDGER_TEST_JOB"

// runProcess is one of several processes that append to one store.
func runProcess() error {
	var job processJob
	if err := json.Unmarshal([]byte(os.Getenv(jobVariable)), &job); err != nil {
		return err
	}
	a, err := esdb.ParseAddress(job.Address)
	if err != nil {
		return err
	}
	s, err := esdb.Open(a, esdb.Options{Name: job.Name})
	if err != nil {
		return err
	}

	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	say := func(what saying) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(what) // who does not listen has ended, and ends us
	}
	l := newTrial(context.Background(), func(format string, args ...any) { say(saying{Wrong: fmt.Sprintf(format, args...)}) }, job.Streams, job.Mine)
	l.patient = true
	l.told = func(stream int, r eventstore.Recorded) {
		say(saying{Stream: stream, Record: r.ID, Length: r.Revision, Data: string(r.Data)})
	}
	go l.listen(os.Stdin)
	told := l.runIn(s, job)
	if err := s.Fault(); err != nil {
		say(saying{Wrong: err.Error()})
	}
	if err := s.Close(); err != nil {
		return err
	}
	say(saying{Told: told, Unsure: l.unsure, Conflict: l.conflict, Checks: l.checks.Load()})
	return nil
}

// runIn appends, asks and follows until all is done, and returns what was followed.
func (l *trial) runIn(s *esdb.Store, job processJob) (told []eventstore.Recorded) {
	dice := func(n int) *rand.Rand { return rand.New(rand.NewPCG(job.Seed, uint64(1000*job.Process+n))) }
	ctx, stop := context.WithCancel(l.ctx)
	var writers, asker, follower sync.WaitGroup
	follower.Go(func() { told = l.follow(s, job.Total) })
	asker.Go(func() { l.ask(ctx, s, dice(999)) })
	for w := range job.Writers {
		writers.Go(func() { l.write(s, dice(w), job.Process, w) })
	}
	writers.Wait()
	stop()
	asker.Wait()
	follower.Wait()
	return told
}

// listen learns how long streams are by what others have acknowledged.
func (l *trial) listen(in io.Reader) {
	d := json.NewDecoder(in)
	for {
		var what saying
		if d.Decode(&what) != nil {
			os.Exit(1) // whoever started us has ended
		}
		l.mu.Lock()
		l.length[what.Stream] = max(l.length[what.Stream], what.Length)
		l.mu.Unlock()
	}
}

// severalProcesses has processes of their own append to one store, and holds what
// they say against what is stored. It returns a line that tells how much it was.
func severalProcesses(t *testing.T, address, name string, count, total int, limit time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	job := processJob{Address: address, Name: name, Streams: 24, Writers: 8, Total: total, Seed: rand.Uint64()}
	t.Logf("seed %d", job.Seed)
	p := &parent{t: t, trial: newTrial(ctx, t.Errorf, job.Streams, total)}
	for n := range count {
		job.Process, job.Mine = n, total*(n+1)/count-total*n/count
		p.start(ctx, job)
	}
	p.all.Wait()

	s := open(t, address, esdb.Options{Name: name})
	all := p.trial.checkStored(s, total)
	for n, told := range p.told {
		if at, same := alike(told, all); !same {
			t.Errorf("the follower of process %d was told of %d records, and from record %d on of others than are stored", n, len(told), at)
		}
	}
	if p.checks == 0 {
		t.Error("nobody has looked behind a barrier")
	}
	return fmt.Sprintf("%d appends by %d processes, %d of them unsure at first, %d conflicts, %d looks behind barriers",
		total, count, p.unsure, p.conflict, p.checks)
}

// A parent tells its processes of each other.
type parent struct {
	t     *testing.T
	trial *trial
	all   sync.WaitGroup

	mu               sync.Mutex
	children         []*json.Encoder
	told             [][]eventstore.Recorded
	unsure, conflict int
	checks           int64
}

func (p *parent) start(ctx context.Context, job processJob) {
	p.t.Helper()
	data, err := json.Marshal(job)
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, myself())
	cmd.Env = append(os.Environ(), roleVariable+"=process", jobVariable+"="+string(data))
	var wrong strings.Builder
	cmd.Stderr = &wrong
	in, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.children = append(p.children, json.NewEncoder(in))
	p.told = append(p.told, nil)
	p.mu.Unlock()
	p.all.Go(func() {
		p.hear(job.Process, out)
		if err := cmd.Wait(); err != nil {
			p.t.Errorf("process %d: %v %s", job.Process, err, wrong.String())
		}
	})
}

// hear takes what a process says, and tells the others.
func (p *parent) hear(process int, out io.Reader) {
	for d := json.NewDecoder(bufio.NewReaderSize(out, 1<<20)); ; {
		var what saying
		if d.Decode(&what) != nil {
			return
		}
		p.mu.Lock()
		switch {
		case what.Wrong != "":
			p.t.Errorf("process %d: %s", process, what.Wrong)
		case what.Data != "":
			r := eventstore.Recorded{Record: eventstore.Record{ID: what.Record, Data: []byte(what.Data)}, Revision: what.Length}
			p.trial.acknowledge(what.Stream, r)
			for n, child := range p.children {
				if n != process {
					_ = child.Encode(saying{Stream: what.Stream, Length: what.Length}) // it may have ended
				}
			}
		default:
			p.told[process] = what.Told
			p.unsure, p.conflict, p.checks = p.unsure+what.Unsure, p.conflict+what.Conflict, p.checks+what.Checks
		}
		p.mu.Unlock()
	}
}
