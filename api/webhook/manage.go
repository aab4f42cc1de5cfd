package webhook

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/rehearsal"
)

// A Wish is what a webhook is to be.
type Wish struct {
	URL   string
	Types []string             // none: those of consents
	After *eventstore.Position // where it begins; nil: with what is recorded from now on
	By    string
}

// Rehearse returns webhooks as they are now. What is done with them stays in memory, and
// nothing is sent.
func (h *Hooks) Rehearse() *Hooks {
	// Sealing would make the app a key if it has none yet.
	seal := func(context.Context, string, string, []byte) ([]byte, error) { return nil, nil }
	return &Hooks{Ledger: h.Ledger, Rows: rehearsal.OverRows(h.Rows), Seal: seal, Private: h.Private}
}

// List returns the webhooks of an app, or of all, oldest first.
func (h *Hooks) List(ctx context.Context, app ident.AppName) ([]Hook, error) {
	all, err := h.read(ctx, app)
	if err != nil {
		return nil, err
	}
	list := make([]Hook, len(all))
	for i, s := range all {
		list[i] = s.Hook
	}
	return list, nil
}

// Add adds a webhook to an app that is registered, and returns its secret, which is shown
// this once.
func (h *Hooks) Add(ctx context.Context, app ident.AppName, w Wish) (Hook, string, error) {
	to, err := h.parseURL(w.URL)
	if err != nil {
		return Hook{}, "", err
	}
	types, err := parseTypes(w.Types)
	if err != nil {
		return Hook{}, "", err
	}
	after, err := h.begin(ctx, w.After)
	if err != nil {
		return Hook{}, "", err
	}
	others, err := h.read(ctx, app)
	if err != nil {
		return Hook{}, "", err
	}
	if len(others) >= maxHooks {
		return Hook{}, "", refusal.Refusal{
			Code: refusal.Malformed, Text: fmt.Sprintf("an app has at most %d webhooks: remove one that is not used",
				maxHooks),
		}
	}

	now := time.Now()
	id := "wh-" + random(8)
	secret, key, err := h.newKey(ctx, app, id, now)
	if err != nil {
		return Hook{}, "", err
	}
	err = h.write(ctx, eventstore.Change{Put: []eventstore.Row{
		rowOf(keyOf(app, id, isRow), isValue{V: version, URL: to, Types: types, Created: now.UnixMilli(), By: w.By}),
		rowOf(keyOf(app, id, fromRow), fromValue{V: version, Position: after, Turn: random(8)}),
		key,
	}})
	if err != nil {
		return Hook{}, "", err
	}
	s, err := h.one(ctx, app, id)
	return s.Hook, secret, err
}

// begin returns the position behind which a webhook begins.
func (h *Hooks) begin(ctx context.Context, after *eventstore.Position) (eventstore.Position, error) {
	head, err := h.Ledger.Head(ctx)
	if err != nil || after == nil {
		return head, err
	}
	if *after > head {
		return 0, refuse("from", "the log does not go so far: give a position that the ledger gave out, or 0 for the "+
			"beginning")
	}
	return *after, nil
}

// Rotate makes a new secret, which is shown this once. The older ones sign as well for a
// while, so that the receiver can change over.
func (h *Hooks) Rotate(
	ctx context.Context, app ident.AppName, id string, overlap time.Duration,
) (Hook, string, error) {
	if overlap < 0 || overlap > 30*24*time.Hour {
		return Hook{}, "", refuse("overlap_hours", "want 0 to 720 hours")
	}
	var hook Hook
	var secret string
	err := eventstore.ErrCondition
	for tries := 0; errors.Is(err, eventstore.ErrCondition) && tries < rotateTries; tries++ {
		hook, secret, err = h.tryRotate(ctx, app, id, overlap)
	}
	return hook, secret, err
}

// rotateTries is how often a rotation is tried, when others are at the same webhook.
const rotateTries = 16

func (h *Hooks) tryRotate(
	ctx context.Context, app ident.AppName, id string, overlap time.Duration,
) (Hook, string, error) {
	s, err := h.one(ctx, app, id)
	if err != nil {
		return Hook{}, "", err
	}
	now := time.Now()
	secret, key, err := h.newKey(ctx, app, id, now)
	if err != nil {
		return Hook{}, "", err
	}

	// The older secrets get rows of other names, and those that were read have to be there: of
	// two rotations at once the slower one reads again, and does not bring back what the other
	// one has destroyed.
	change := eventstore.Change{Present: [][]byte{keyOf(app, id, isRow)}, Put: []eventstore.Row{key}}
	until := now.Add(overlap).UnixMilli()
	for name, old := range s.keys {
		row := keyOf(app, id, name)
		change.Present, change.Delete = append(change.Present, row), append(change.Delete, row)
		if old.Until == 0 || old.Until > until {
			old.Until = until
		}
		if old.Until > now.UnixMilli() {
			made, _, _ := strings.Cut(name, "-")
			change.Put = append(change.Put, rowOf(keyOf(app, id, made+"-"+random(4)), old))
		}
	}
	return s.Hook, secret, h.write(ctx, change)
}

// newKey makes a secret and the row that keeps it.
func (h *Hooks) newKey(
	ctx context.Context, app ident.AppName, id string, now time.Time,
) (string, eventstore.Row, error) {
	raw := make([]byte, 32)
	rand.Read(raw)
	sealed, err := h.Seal(ctx, string(app), id, raw)
	if err != nil {
		return "", eventstore.Row{}, fmt.Errorf("the secret of webhook %s: %w", id, err)
	}
	name := fmt.Sprintf("%s%013d-%s", keyRow, now.UnixMilli(), random(4))
	return secretPrefix + base64.StdEncoding.EncodeToString(raw),
		rowOf(keyOf(app, id, name), keyValue{V: version, Sealed: sealed}), nil
}

// secretPrefix begins a secret, as Standard Webhooks has it.
const secretPrefix = "whsec_"

// Pause lets a webhook send nothing until it is resumed.
func (h *Hooks) Pause(ctx context.Context, app ident.AppName, id string) (Hook, error) {
	return h.change(ctx, app, id, func(s stored, c *eventstore.Change) {
		if s.Paused.IsZero() {
			c.Put = append(c.Put, rested(app, id, Asked))
		}
	})
}

func rested(app ident.AppName, id, why string) eventstore.Row {
	return rowOf(keyOf(app, id, restRow), restValue{V: version, At: time.Now().UnixMilli(), Why: why})
}

// Resume lets a webhook go on where it stopped.
func (h *Hooks) Resume(ctx context.Context, app ident.AppName, id string) (Hook, error) {
	return h.change(ctx, app, id, func(s stored, c *eventstore.Change) {
		if s.Paused.IsZero() {
			return
		}
		c.Delete = append(c.Delete, keyOf(app, id, restRow))
		s.at.Failures, s.at.Last = 0, ""
		c.Put = append(c.Put, rowOf(keyOf(app, id, atRow), s.at))
	})
}

// Replay lets a webhook send again what was recorded behind a position.
func (h *Hooks) Replay(ctx context.Context, app ident.AppName, id string, after eventstore.Position) (Hook, error) {
	after, err := h.begin(ctx, &after)
	if err != nil {
		return Hook{}, err
	}
	return h.change(ctx, app, id, func(_ stored, c *eventstore.Change) {
		c.Put = append(c.Put, rowOf(keyOf(app, id, fromRow), fromValue{V: version, Position: after, Turn: random(8)}))
	})
}

// Remove removes a webhook, with its secrets.
func (h *Hooks) Remove(ctx context.Context, app ident.AppName, id string) error {
	if _, err := h.one(ctx, app, id); err != nil {
		return err
	}
	change := eventstore.Change{}
	for row, err := range h.Rows.Scan(ctx, keyOf(app, id, "")) {
		if err != nil {
			return fmt.Errorf("webhooks: %w", err)
		}
		change.Delete = append(change.Delete, row.Key)
	}
	return h.write(ctx, change)
}

// change changes a webhook that is there, and returns it as it is then.
func (h *Hooks) change(
	ctx context.Context, app ident.AppName, id string, do func(stored, *eventstore.Change),
) (Hook, error) {
	s, err := h.one(ctx, app, id)
	if err != nil {
		return Hook{}, err
	}
	c := eventstore.Change{Present: [][]byte{keyOf(app, id, isRow)}}
	do(s, &c)
	if len(c.Put)+len(c.Delete) > 0 {
		if err := h.write(ctx, c); err != nil {
			return Hook{}, err
		}
	}
	s, err = h.one(ctx, app, id)
	return s.Hook, err
}

// random returns so many random bytes, in hexadecimal digits.
func random(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
