package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/projections/readmodel"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/nats-io/nats-server/v2/server"
)

// diskFull reports whether an error says that the disk is full.
func diskFull(err error) bool { return embedded.Full(err) || readmodel.Full(err) }

// FullDisk names what a full disk did, in words that say so.
func FullDisk(path string, err error) error {
	if _, said := errors.AsType[diskFullError](err); said || err == nil || !diskFull(err) {
		return err
	}
	return diskFullError{fmt.Errorf("disk full: the ledger cannot run on %s: %w; make room there, or give it a "+
		"larger disk, then start it again", path, err)}
}

// A diskFullError ends a start; whoever supervises it tries again later.
type diskFullError struct{ error }

func (diskFullError) ExitCode() int   { return exit.CodeUnavailable }
func (e diskFullError) Unwrap() error { return e.error }

// ErrRestart says that the disk takes writes again, and that something which it had
// stopped begins anew with the process.
var ErrRestart = errors.New("the disk takes writes again: the ledger starts anew")

// How often the room on the disk is looked at; how often, at most, it is tried
// whether a disk that failed takes writes again; and how long a process runs at least
// that starts anew after a failure: one that fails at once would do nothing else.
const (
	roomEvery    = 250 * time.Millisecond
	probeEvery   = 2 * time.Second
	restartAfter = 5 * time.Second
)

// watchRoom keeps the embedded NATS server from filling the disk, says when the
// disk is full and when it is not any more, and ends the process with errRestart
// once the disk takes writes again for what had stopped, be it for want of room or
// because a write failed. Until then the ledger answers what it knows.
func (h *Server) watchRoom(ctx context.Context, end func(error)) {
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	full, next := false, time.Now().Add(restartAfter)
	for {
		room, err := h.Dir.DB.Room()
		before := full
		if full = err == nil && room.Full(room.Reserve()) != nil; full && !before {
			h.Log.Error("the disk is full: nothing is recorded until there is room; what is known can be read",
				"free", room.Free, "wanted", room.Reserve())
		} else if before && !full {
			h.Log.Info("there is room on the disk again", "free", room.Free)
		}
		h.limitNATS(full)
		stopped := h.stoppedByDisk()
		if stopped != nil && !full && (diskFull(stopped) || time.Now().After(next)) {
			if h.probe(room) == nil {
				h.Log.Warn("the ledger starts anew: the disk takes writes again, and had stopped something",
					"stopped", stopped)
				end(ErrRestart)
				return
			}
			next = time.Now().Add(probeEvery)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// stoppedByDisk returns what a full disk stopped for good, or of the store any
// write that failed: only a new process gets it going. Nil: nothing.
func (h *Server) stoppedByDisk() error {
	if h.Dir.DB.Dead() {
		return h.Dir.DB.Writable()
	}

	errs := []error{h.natsWrites()}
	for _, r := range h.Runners {
		_, err := r.State()
		errs = append(errs, err)
	}

	_, err := h.Logs.Covered()
	errs = append(errs, err)
	_, err = h.FollowUp.State()
	errs = append(errs, err)
	for _, err := range errs {
		if err != nil && diskFull(err) {
			return err
		}
	}
	return nil
}

// probe writes as much as the ledger wants to have free at its start: a quota
// shows in no number that the disk tells.
func (h *Server) probe(room embedded.Room) (err error) {
	f, err := os.CreateTemp(h.Config.Data, "probe-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 1<<20)
	for written := uint64(0); written < room.Needed(); written += uint64(len(block)) {
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	return f.Sync()
}

// removeProbes removes what a process that died left of its probes, and of the snapshots
// that backups are made of: these hold who was erased since.
func removeProbes(data string) error {
	names, err := filepath.Glob(filepath.Join(data, "probe-*"))
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	snapshots, globbed := filepath.Glob(filepath.Join(data, "backup-*"))
	err = errors.Join(err, globbed)
	for _, name := range snapshots {
		err = errors.Join(err, os.RemoveAll(name))
	}
	return err
}

// limitNATS lets the embedded server take no message for its files while the
// disk is full: a publisher is told so, and a stream that fails to write one takes
// none until the server starts again.
func (h *Server) limitNATS(full bool) {
	if h.NATS == nil || h.natsLimited == full {
		return
	}

	var limits map[string]server.JetStreamAccountLimits // none: the server's own
	if full {
		limits = map[string]server.JetStreamAccountLimits{"": {
			MaxMemory:            -1,
			MaxStore:             1,
			MaxStreams:           -1,
			MaxConsumers:         -1,
			MaxAckPending:        -1,
			MemoryMaxStreamBytes: -1,
			StoreMaxStreamBytes:  -1,
		}}
	}
	if err := h.NATS.GlobalAccount().UpdateJetStreamLimits(limits); err != nil {
		h.Log.Warn("the NATS server's limits could not be set", "full", full, "error", err)
		return
	}

	h.natsLimited = full
}

// natsWrites returns what keeps the embedded server from storing messages, as
// it says itself. Nil: nothing, or the server is somebody's.
func (h *Server) natsWrites() error {
	if h.NATS == nil {
		return nil
	}
	if !h.NATS.JetStreamEnabled() {
		return fmt.Errorf("JetStream has stopped: %w", h.natsTrouble())
	}
	w := httptest.NewRecorder()
	h.NATS.HandleHealthz(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if w.Code == http.StatusOK {
		return nil
	}
	return fmt.Errorf("JetStream: %s: %w", w.Body, h.natsTrouble())
}

// natsTrouble is why the server may have stopped storing: it tells texts alone.
func (h *Server) natsTrouble() error {
	if room, err := h.Dir.DB.Room(); err == nil && room.Full(room.Reserve()) != nil {
		h.natsFull.Store(true)
	}
	if h.natsFull.Load() {
		return eventstore.ErrFull
	}
	return errors.New("see the log")
}

// RoomFor returns an error if the disk has no room for so many bytes beside
// what the ledger keeps free.
func RoomFor(path string, bytes uint64) error {
	room, err := embedded.RoomAt(vfs.Default, path)
	if err != nil {
		return err
	}
	return room.Full(room.Reserve() + bytes)
}
