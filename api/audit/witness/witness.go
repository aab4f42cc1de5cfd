// Package witness shows the apps' logs to witnesses that are not ours. A C2SP
// witness signs a checkpoint only if it extends every one that it has signed
// before, so whoever asks for a quorum of them cannot be shown another history
// than everybody else.
//
// A checkpoint is published before its witnesses have signed it: records must
// not wait for strangers. What they signed follows, and is served beside it.
// Witnesses that do not answer make nothing red: how long the log went without
// a quorum is told instead.
package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"consentledger/domain/ident"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/tlog"
)

// Logs is what is shown; see [transparency.Log].
type Logs interface {
	Logged() []ident.AppName
	Checkpoint(app ident.AppName) ([]byte, error)
	Consistency(app ident.AppName, old, size int64) (tlog.TreeProof, error)
}

// Witnesses asks the witnesses of a policy. Its methods may be called
// concurrently, Run once.
type Witnesses struct {
	Logs   Logs
	Policy Policy
	Shelf  Shelf         // of what is kept
	Every  time.Duration // zero: a minute
	Now    func() time.Time
	Client *http.Client // nil: the usual one
	Log    *slog.Logger

	mu   sync.Mutex
	apps map[ident.AppName]*shown
}

// A shown is what witnesses said of an app's log.
type shown struct {
	kept
	checkpoint merkle.Checkpoint // of Signed
	said       []Said            // as Policy.Witnesses
}

// Said is what a witness said last.
type Said struct {
	Name string
	Size int64     // of the largest tree that it is known to have signed
	At   time.Time // of its newest signature; zero: none
	Err  error     // nil: it signed what it was shown last
}

// A Status tells how far the witnesses of a log are.
type Status struct {
	Size int64 // of the newest tree that a quorum signed
	Times
	Said []Said
}

// Run shows every log to every witness on a schedule until ctx is done. What
// fails is tried again the next time.
func (w *Witnesses) Run(ctx context.Context) error {
	every := w.Every
	if every == 0 {
		every = time.Minute
	}
	return schedule(ctx, every, w.Logs, w.Log, "a log could not be shown to its witnesses", w.Show)
}

// Show shows one log's newest checkpoint to every witness, all at once. That a
// witness fails is no error: Status tells it.
func (w *Witnesses) Show(ctx context.Context, app ident.AppName) error {
	signed, err := w.Logs.Checkpoint(app)
	if errors.Is(err, transparency.ErrNotThere) || errors.Is(err, transparency.ErrNotReady) {
		return nil
	}
	if err != nil {
		return err
	}

	c, err := unsigned(signed)
	if err != nil || c.Size == 0 {
		return err // a log without records says nothing
	}

	s, err := w.of(app)
	if err != nil {
		return err
	}

	lines := make([]string, len(w.Policy.Witnesses))
	var asked sync.WaitGroup
	for i, to := range w.Policy.Witnesses {
		if to.URL != "" {
			asked.Go(func() { lines[i] = w.showTo(ctx, app, s, i, c, signed) })
		}
	}

	asked.Wait()
	return w.keep(app, s, c, append(signed[:len(signed):len(signed)], strings.Join(lines, "")...))
}

// showTo shows a checkpoint to one witness and returns its signature line,
// empty if it gave none. A witness that has seen more than is known of it is
// asked again from there.
func (w *Witnesses) showTo(
	ctx context.Context, app ident.AppName, s *shown, i int, c merkle.Checkpoint, signed []byte,
) string {
	to := w.Policy.Witnesses[i]
	w.mu.Lock()
	said := s.said[i]
	w.mu.Unlock()
	line, at, err := w.askOnce(ctx, app, to, said.Size, c, signed)
	if more, is := errors.AsType[knowsMore](err); is {
		if more.size > c.Size {
			err = fmt.Errorf("it has seen a log of %d records and this one has %d: the log was rolled back, or "+
				"somebody else signs with its key", more.size, c.Size)
		} else {
			line, at, err = w.askOnce(ctx, app, to, more.size, c, signed)
		}
	}

	if said.Err = err; err == nil {
		said.Size, said.At = c.Size, time.Unix(at, 0).UTC()
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	s.said[i] = said
	return line
}

func (w *Witnesses) askOnce(
	ctx context.Context, app ident.AppName, to Witness, old int64, c merkle.Checkpoint, signed []byte,
) (string, int64, error) {
	proof, err := w.Logs.Consistency(app, old, c.Size)
	if err != nil {
		return "", 0, err
	}
	client := w.Client
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := ask(ctx, client, to, old, proof, signed)
	if err != nil {
		return "", 0, err
	}
	return signatureOf(to, signed, answer)
}

// keep keeps a checkpoint that a quorum signed, and the times of others.
func (w *Witnesses) keep(app ident.AppName, s *shown, c merkle.Checkpoint, cosigned []byte) error {
	if w.Policy.Quorum(c.Origin, cosigned) != nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	next := s.kept
	next.Signed = cosigned
	next.quorum(w.oldest(s, c))
	if err := w.Shelf.Write(file(app), next.format()); err != nil {
		return err
	}
	s.kept, s.checkpoint = next, c
	return nil
}

// oldest returns the time of the oldest signature of a checkpoint: by then not
// all of the quorum had signed.
func (w *Witnesses) oldest(s *shown, c merkle.Checkpoint) time.Time {
	var oldest time.Time
	for _, said := range s.said {
		if said.Err == nil && said.Size == c.Size && !said.At.IsZero() && (oldest.IsZero() || said.At.Before(oldest)) {
			oldest = said.At
		}
	}
	return oldest
}

// of returns what witnesses said of an app's log, as far as it was kept. Of an
// app without a log nothing is.
func (w *Witnesses) of(app ident.AppName) (*shown, error) {
	w.mu.Lock()
	s := w.apps[app]
	w.mu.Unlock()
	if s != nil {
		return s, w.renew(app, s)
	}
	if !slices.Contains(w.Logs.Logged(), app) {
		return nil, transparency.ErrNotThere
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.apps[app]; s != nil {
		return s, nil
	}

	s, err := w.read(app)
	if err != nil {
		return nil, err
	}
	if w.apps == nil {
		w.apps = map[ident.AppName]*shown{}
	}

	w.apps[app] = s
	return s, nil
}

// renew takes what another process has kept meanwhile. A directory is of one process.
func (w *Witnesses) renew(app ident.AppName, s *shown) error {
	if _, own := w.Shelf.(Dir); own {
		return nil
	}

	text, err := w.Shelf.Read(file(app))
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes.Equal(text, s.kept.format()) {
		return nil
	}
	return s.take(app, text)
}

// read reads what is kept of an app, or begins to keep it.
func (w *Witnesses) read(app ident.AppName) (*shown, error) {
	s := &shown{said: make([]Said, len(w.Policy.Witnesses))}
	for i, to := range w.Policy.Witnesses {
		s.said[i].Name = to.Name
	}
	text, err := w.Shelf.Read(file(app))
	if missing(err) {
		s.Since = w.Now().UTC().Truncate(time.Second)
		return s, w.Shelf.Write(file(app), s.kept.format())
	}
	if err != nil {
		return nil, err
	}
	return s, s.take(app, text)
}

// take takes what is kept.
func (s *shown) take(app ident.AppName, text []byte) (err error) {
	if s.kept, err = parseKept(text); err == nil && len(s.Signed) > 0 {
		s.checkpoint, err = unsigned(s.Signed)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file(app), err)
	}
	return nil
}

// unsigned reads a signed checkpoint of our own, whoever signed it.
func unsigned(signed []byte) (merkle.Checkpoint, error) {
	text, _, _ := strings.Cut(string(signed), "\n\n")
	return merkle.ParseCheckpoint(text + "\n")
}

// Cosigned returns the newest checkpoint of a log that a quorum of witnesses
// signed, with their signatures.
func (w *Witnesses) Cosigned(app ident.AppName) (merkle.Checkpoint, []byte, error) {
	s, err := w.of(app)
	if err != nil {
		return merkle.Checkpoint{}, nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(s.Signed) == 0 {
		return merkle.Checkpoint{}, nil, transparency.ErrNotThere
	}
	return s.checkpoint, s.Signed, nil
}

// Status tells how far the witnesses of a log are.
func (w *Witnesses) Status(app ident.AppName) (Status, error) {
	s, err := w.of(app)
	if err != nil {
		return Status{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return Status{s.checkpoint.Size, s.Times, append([]Said(nil), s.said...)}, nil
}
