package server

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"consentledger/api/rest"
	"consentledger/api/wire"
	"consentledger/cmd/internal/buildinfo"
	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

func (h *Server) status(ctx context.Context) rest.StatusReport {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	report := rest.StatusReport{
		Version: buildinfo.Version, Store: h.Dir.recordsIn, Vault: embeddedPart, Views: embeddedPart,
		Started: h.Started, Reading: h.readings.report(), Process: h.processReport(), Limits: h.limitsReport(),
		Integrity: h.integrity(),
	}
	if h.Dir.shared != nil {
		report.Vault = PostgreSQL.short
	}
	if h.views != nil {
		report.Views = PostgreSQL.short
	}

	head, err := h.Dir.Ledger.Head(ctx)
	if err == nil {
		report.Head = wire.FormatPosition(head)
	}

	known := map[eventstore.Position]lag{}
	add := func(name string, at eventstore.Position, err error) {
		l, has := known[at]
		if !has {
			l = lagBehind(ctx, h.Dir.Ledger, at, head)
			known[at] = l
		}
		p := rest.Projection{Name: name, Position: wire.FormatPosition(at), Behind: l.records, Seconds: l.seconds}
		if err = errors.Join(err, l.err); err != nil {
			p.Error = err.Error()
		}
		report.Projections = append(report.Projections, p)
	}

	for _, r := range h.Runners {
		at, err := r.State()
		add(r.Projection.Name(), at, err)
	}

	at, err := h.Logs.Covered()
	add("transparency", at, err)
	followed, err := h.FollowUp.State()
	add("reactor", followed.Position, err)
	if h.turns.has(workFollowUps) { // the other processes tell nothing
		at, err = h.Outbox.State()
		add("outbox", at, err)
		if h.changes != nil {
			at, err = h.changes.State()
			add("outbox-consents", at, err)
		}
	}
	return report
}

// A lag is how far something is behind the log.
type lag struct {
	records int
	seconds int64
	err     error
}

// maxLag is how many records are counted at most.
const maxLag = 10_000

// A replayer reads the log from a position on.
type replayer interface {
	Replay(ctx context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error]
	Now() deadline.Instant
}

// lagBehind counts the records behind a position, up to head: positions have
// gaps.
func lagBehind(ctx context.Context, log replayer, at, head eventstore.Position) (l lag) {
	if at >= head {
		return l
	}

	for e, err := range log.Replay(ctx, at) {
		if err != nil {
			l.err = err
			return l
		}
		if e.Position > head || l.records == maxLag {
			return l
		}
		if l.records++; l.records == 1 {
			l.seconds = max(0, int64(log.Now()-e.Recorded)/1000)
		}
	}
	return l
}

// answerTime is how long a part may take to say how it is. A probe does not wait for
// ever, and neither does whoever looks while a part is away.
const answerTime = 5 * time.Second

// ready says whether the ledger can do its work, by one check a part. All parts are asked
// side by side: one that is away and has no answer takes no time from the others, which
// would seem to be away as well.
func (h *Server) ready(ctx context.Context) []rest.Check {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	asked := []func() []rest.Check{func() []rest.Check { return h.roadChecks(ctx) }}
	ask := func(name string, part func(context.Context) error) {
		asked = append(asked, func() []rest.Check { return []rest.Check{result(name, part(ctx))} })
	}
	ask("store", h.Dir.storeAnswers)
	if h.Dir.shared != nil {
		ask("vault", func(ctx context.Context) error {
			return errors.Join(h.Dir.shared.answers(ctx), h.rotation.lacks())
		})
	}
	if h.views != nil {
		ask("read models", h.viewsAnswer)
	}
	for _, r := range h.Runners {
		ask("projection "+r.Projection.Name(), h.answers(r))
	}
	ask("transparency", h.logsAreRead)
	ask("reactor", h.followUpHasRead)

	answers := make([][]rest.Check, len(asked))
	var all sync.WaitGroup
	for i, answer := range asked {
		all.Go(func() { answers[i] = answer() })
	}
	all.Wait()
	return slices.Concat(answers...)
}

// storeAnswers returns why records cannot be read or written; nil: they can.
func (d *DataDir) storeAnswers(ctx context.Context) error {
	_, err := d.Ledger.Head(ctx)
	return errors.Join(err, d.writable())
}

// writable returns why what keeps the records takes none; nil: it does.
func (d *DataDir) writable() error {
	err := d.DB.Writable()
	if d.away != nil {
		err = errors.Join(err, d.away.Fault())
	}
	return err
}

func result(name string, err error) rest.Check {
	if err != nil {
		return rest.Check{Name: name, Detail: err.Error()}
	}
	return rest.Check{Name: name, OK: true}
}
