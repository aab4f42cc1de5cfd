package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore"
)

// Each thing that changes by itself is a row of its own, so that two who change different
// things do not undo each other:
//
//	webhook/1/<app>/<id>/is         what it is; never changed
//	webhook/1/<app>/<id>/from       where it was told to begin
//	webhook/1/<app>/<id>/at         how far it is since, and how it does
//	webhook/1/<app>/<id>/paused     there while it is paused
//	webhook/1/<app>/<id>/key/<n>    a secret, sealed
const (
	rows    = "webhook/1/"
	isRow   = "is"
	fromRow = "from"
	atRow   = "at"
	restRow = "paused"
	keyRow  = "key/"
)

// version is that of all rows.
const version = 1

type isValue struct {
	V       int      `json:"v"`
	URL     string   `json:"url"`
	Types   []string `json:"types"`
	Created int64    `json:"created"` // milliseconds
	By      string   `json:"by,omitempty"`
}

type fromValue struct {
	V        int                 `json:"v"`
	Position eventstore.Position `json:"position"`
	Turn     string              `json:"turn"` // which beginning it is
}

type atValue struct {
	V        int                 `json:"v"`
	Position eventstore.Position `json:"position"`
	Turn     string              `json:"turn"` // of the beginning that it is since
	Failures int                 `json:"failures,omitempty"`
	Last     string              `json:"last,omitempty"`
}

type restValue struct {
	V   int    `json:"v"`
	At  int64  `json:"at"`
	Why string `json:"why"`
}

type keyValue struct {
	V      int    `json:"v"`
	Sealed []byte `json:"sealed"`
	Until  int64  `json:"until,omitempty"` // milliseconds; zero: until another takes its place
}

// A stored hook is what its rows say.
type stored struct {
	Hook
	from  fromValue
	at    atValue
	known bool // at is there
	keys  map[string]keyValue
}

func keyOf(app ident.AppName, id, row string) []byte {
	return []byte(rows + string(app) + "/" + id + "/" + row)
}

func rowOf(key []byte, value any) eventstore.Row {
	text, err := json.Marshal(value)
	if err != nil {
		panic("webhook: a row does not make JSON: " + err.Error())
	}
	return eventstore.Row{Key: key, Value: text}
}

// read returns the webhooks of an app, or of all, oldest first.
func (h *Hooks) read(ctx context.Context, app ident.AppName) ([]stored, error) {
	prefix := rows
	if app != "" {
		prefix += string(app) + "/"
	}
	found := map[string]*stored{}
	for row, err := range h.Rows.Scan(ctx, []byte(prefix)) {
		if err != nil {
			return nil, fmt.Errorf("webhooks: %w", err)
		}
		parts := strings.SplitN(strings.TrimPrefix(string(row.Key), rows), "/", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("webhooks: row %s is none that this program writes", row.Key)
		}
		name := parts[0] + "/" + parts[1]
		if found[name] == nil {
			found[name] = &stored{Hook: Hook{App: ident.AppName(parts[0]), ID: parts[1]}, keys: map[string]keyValue{}}
		}
		if err := found[name].take(parts[2], row.Value); err != nil {
			return nil, fmt.Errorf("webhooks: row %s: %w", row.Key, err)
		}
	}

	var all []stored
	for _, s := range found {
		if s.URL != "" { // else another process removes it, or has not written all of it
			all = append(all, s.settled())
		}
	}
	slices.SortFunc(all, func(a, b stored) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all, nil
}

// take takes what one row says.
func (s *stored) take(row string, text []byte) (err error) {
	v := 0
	switch {
	case row == isRow:
		var is isValue
		err = json.Unmarshal(text, &is)
		v, s.URL, s.Types, s.By, s.Created = is.V, is.URL, is.Types, is.By, time.UnixMilli(is.Created)
	case row == fromRow:
		err = json.Unmarshal(text, &s.from)
		v = s.from.V
	case row == atRow:
		err = json.Unmarshal(text, &s.at)
		v, s.known = s.at.V, true
	case row == restRow:
		var rest restValue
		err = json.Unmarshal(text, &rest)
		v, s.Paused, s.Why = rest.V, time.UnixMilli(rest.At), rest.Why
	case strings.HasPrefix(row, keyRow):
		var key keyValue
		err = json.Unmarshal(text, &key)
		v, s.keys[row] = key.V, key
	}
	if err != nil || v != version {
		return errors.New("it is not of version 1: use the version of the program that wrote it, or a newer one")
	}
	return nil
}

// settled returns s as its rows say together: how far it is since it was told to begin.
func (s *stored) settled() stored {
	if !s.known || s.at.Turn != s.from.Turn {
		s.at = atValue{V: version, Position: s.from.Position, Turn: s.from.Turn}
	}
	s.Position, s.Failures, s.Last = s.at.Position, s.at.Failures, s.at.Last
	return *s
}

// one returns a webhook of an app.
func (h *Hooks) one(ctx context.Context, app ident.AppName, id string) (stored, error) {
	all, err := h.read(ctx, app)
	if err != nil {
		return stored{}, err
	}
	i := slices.IndexFunc(all, func(s stored) bool { return s.ID == id })
	if i < 0 {
		return stored{}, ErrNone
	}
	return all[i], nil
}

// write makes a change that survives a crash, and tells this process of it.
func (h *Hooks) write(ctx context.Context, c eventstore.Change) error {
	if err := eventstore.WriteDurably(ctx, h.Rows, c); err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	select {
	case h.poked() <- struct{}{}:
	default:
	}
	return nil
}

func (h *Hooks) poked() chan struct{} {
	h.once.Do(func() { h.changed = make(chan struct{}, 1) })
	return h.changed
}
