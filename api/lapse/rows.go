package lapse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
)

// The rows. Instants are in milliseconds, and with positions in 16 hexadecimal digits, so
// that they stand in their order:
//
//	lapse/1/at                                how far the log was read, and since when it is told
//	lapse/1/due/<instant>/<app>/<pseudonym>   when to look at a person
//	lapse/1/on/<app>/<pseudonym>/<version>    to which versions a person consented
//	lapse/1/job/<app>/<position>              which new version is not worked off
const (
	rows    = "lapse/1/"
	atRow   = rows + "at"
	dueRows = rows + "due/"
	onRows  = rows + "on/"
	jobRows = rows + "job/"
)

// version is that of all rows.
const version = 1

// never is later than all moments.
const never = deadline.Instant(math.MaxInt64)

// A checkpoint is the value of the first row.
type checkpoint struct {
	V        int                 `json:"v"`
	Position eventstore.Position `json:"position"`
	ID       string              `json:"id,omitzero"` // of the record there
	Since    deadline.Instant    `json:"since"`       // what ended before is told to nobody
}

// A job is a version that may have made consents stale.
type job struct {
	V       int    `json:"v"`
	Version string `json:"version"`
	Part    int    `json:"part"` // of the persons, that comes next

	key []byte
	app ident.AppName
}

func dueKey(at deadline.Instant, s ident.StreamID) []byte {
	return fmt.Appendf(nil, "%s%016x/%s/%s", dueRows, uint64(max(at, 0)), s.App, s.ID)
}

// parseDue reads what dueKey writes.
func parseDue(key []byte) (at deadline.Instant, s ident.StreamID, err error) {
	parts := strings.Split(strings.TrimPrefix(string(key), dueRows), "/")
	if len(parts) == 3 {
		number, bad := strconv.ParseUint(parts[0], 16, 63)
		app, wrong := ident.ParseAppName(parts[1])
		if bad == nil && wrong == nil {
			return deadline.Instant(number), ident.SubjectStream(app, parts[2]), nil
		}
	}
	return 0, ident.StreamID{}, errRow
}

func onKey(s ident.StreamID, version content.Hash) []byte {
	return fmt.Appendf(nil, "%s%s/%s/%x", onRows, s.App, s.ID, version[:])
}

// parseOn reads what onKey writes.
func parseOn(key []byte) (s ident.StreamID, version string, err error) {
	parts := strings.Split(strings.TrimPrefix(string(key), onRows), "/")
	if len(parts) != 3 {
		return s, "", errRow
	}
	app, err := ident.ParseAppName(parts[0])
	if err != nil {
		return s, "", errRow
	}
	return ident.SubjectStream(app, parts[1]), "sha256:" + parts[2], nil
}

func jobKey(app ident.AppName, at eventstore.Position) []byte {
	return fmt.Appendf(nil, "%s%s/%016x", jobRows, app, uint64(at))
}

// errRow says that a row is of another program.
var errRow = errors.New("it is not of version 1: use the version of the program that wrote it, or a newer one")

func rowOf(key []byte, value any) eventstore.Row {
	text, err := json.Marshal(value)
	if err != nil {
		panic("lapse: a row does not make JSON: " + err.Error())
	}
	return eventstore.Row{Key: key, Value: text}
}

// begin reads how far the log was read. The first time it is now that it begins; the log
// is read from its start once, for who consented to what.
func (f *Follower) begin(ctx context.Context) error {
	first := checkpoint{V: version, Since: f.Ledger.Now()}
	err := eventstore.WriteDurably(ctx, f.Rows, eventstore.Change{
		Absent: [][]byte{[]byte(atRow)}, Put: []eventstore.Row{rowOf([]byte(atRow), first)},
	})
	if err != nil && !errors.Is(err, eventstore.ErrCondition) {
		return err
	}

	text, _, err := f.Rows.Get(ctx, []byte(atRow))
	if err != nil {
		return err
	}
	var at checkpoint
	if err := json.Unmarshal(text, &at); err != nil || at.V != version {
		return fmt.Errorf("row %s: %w", atRow, errRow)
	}
	stands, err := f.stands(ctx, at)
	if err != nil {
		return err
	}
	if !stands {
		f.log().Warn("the log is read again for which consents end: it has another record than before where it was "+
			"read to",
			"position", at.Position)
		at.Position, at.ID = 0, ""
	}
	f.at, f.next, f.running = at, 0, true
	return nil
}

// stands reports whether the record up to which the log was read is still where it was: a
// ledger that was restored from an older backup has grown past it with others.
func (f *Follower) stands(ctx context.Context, at checkpoint) (bool, error) {
	if at.Position == 0 {
		return true, nil
	}

	head, err := f.Ledger.Head(ctx)
	if err != nil || head < at.Position {
		return false, err
	}

	for entries, err := range f.Ledger.Follow(ctx, at.Position-1) {
		if err != nil {
			return false, err
		}
		return entries[0].Position == at.Position && entries[0].ID.String() == at.ID, nil
	}
	return false, ctx.Err()
}

// jobs returns the first version that is not worked off.
func (f *Follower) job(ctx context.Context) (job, bool, error) {
	for row, err := range f.Rows.Scan(ctx, []byte(jobRows)) {
		if err != nil {
			return job{}, false, err
		}
		j := job{key: row.Key}
		app, _, _ := strings.Cut(strings.TrimPrefix(string(row.Key), jobRows), "/")
		j.app, err = ident.ParseAppName(app)
		if bad := json.Unmarshal(row.Value, &j); err != nil || bad != nil || j.V != version {
			return job{}, false, fmt.Errorf("row %s: %w", row.Key, errRow)
		}
		return j, true, nil
	}
	return job{}, false, nil
}
