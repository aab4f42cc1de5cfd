package transparency

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	"consentledger/domain/ident"
	"consentledger/eventstore"

	"golang.org/x/mod/sumdb/note"
)

// A Register remembers, apart from the [Keep], which logs were begun and with
// which key. It lies beside the records: who loses the signing keys has it
// still, so that a second log is never begun in silence.
//
// A row's key is "l/" and the app; its value is a version byte, now 1, and a
// line for everything that happened:
//
//	begun <verifier key>    its name is the log's origin
//	ended <why>             the log was given up: another may begin
//
// Nil remembers nothing.
type Register struct {
	rows eventstore.Rows

	mu   sync.Mutex
	apps map[ident.AppName]string // the lines
}

const (
	registerRows    = "l/"
	registerVersion = 1
	begunWord       = "begun "
	endedWord       = "ended "
)

// OpenRegister reads what rows remember.
func OpenRegister(ctx context.Context, rows eventstore.Rows) (*Register, error) {
	r := &Register{rows: rows, apps: map[ident.AppName]string{}}
	for row, err := range rows.Scan(ctx, []byte(registerRows)) {
		if err != nil {
			return nil, fmt.Errorf("register of logs: %w", err)
		}
		app, err := ident.ParseAppName(string(bytes.TrimPrefix(row.Key, []byte(registerRows))))
		if err != nil {
			return nil, fmt.Errorf("register of logs: %w", err)
		}
		text, err := parseRegistered(row.Value)
		if err != nil {
			return nil, fmt.Errorf("register of logs: app %s: %w", app, err)
		}
		r.apps[app] = text
	}
	return r, nil
}

// parseRegistered returns the lines of a row's value.
func parseRegistered(value []byte) (string, error) {
	if len(value) == 0 || value[0] != registerVersion {
		return "", fmt.Errorf("its version is not %d", registerVersion)
	}

	text := string(value[1:])
	ended := true
	for line := range strings.Lines(text) {
		key, begins := strings.CutPrefix(strings.TrimSuffix(line, "\n"), begunWord)
		switch {
		case !strings.HasSuffix(line, "\n"), begins != ended, !begins && !strings.HasPrefix(line, endedWord):
			return "", fmt.Errorf("it does not say in turns what was begun and what was ended")
		case begins:
			if _, err := note.NewVerifier(key); err != nil {
				return "", fmt.Errorf("it does not hold a verifier key")
			}
		}
		ended = !begins
	}

	if text == "" {
		return "", fmt.Errorf("it says nothing")
	}
	return text, nil
}

// begun returns the verifier key of an app's log that goes on; empty: there is
// none.
func (r *Register) begun(app ident.AppName) string {
	if r == nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return lastBegun(r.apps[app])
}

func lastBegun(text string) string {
	_, last, found := cutLast(strings.TrimSuffix(text, "\n"), "\n")
	if !found {
		last = strings.TrimSuffix(text, "\n")
	}
	key, begun := strings.CutPrefix(last, begunWord)
	if !begun {
		return ""
	}
	return key
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// all returns the apps whose logs go on, and their verifier keys.
func (r *Register) all() map[ident.AppName]string {
	keys := map[ident.AppName]string{}
	if r == nil {
		return keys
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for app, text := range r.apps {
		if key := lastBegun(text); key != "" {
			keys[app] = key
		}
	}
	return keys
}

// knows reports whether a log ever stood under an origin.
func (r *Register) knows(origin string) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for app, text := range r.apps {
		if strings.Contains(text, begunWord+origin+"/"+string(app)+"+") {
			return true
		}
	}
	return false
}

// begin remembers that an app's log was begun, before anybody sees it. It is
// durable on return. It takes no context: a log that was begun is remembered.
func (r *Register) begin(app ident.AppName, vkey string) error {
	if r == nil || r.begun(app) == vkey {
		return nil
	}
	return r.add(context.Background(), app, begunWord+vkey)
}

func (r *Register) add(ctx context.Context, app ident.AppName, line string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := r.apps[app] + line + "\n"
	row := eventstore.Row{Key: []byte(registerRows + string(app)), Value: append([]byte{registerVersion}, text...)}
	if err := eventstore.WriteDurably(ctx, r.rows, eventstore.Change{Put: []eventstore.Row{row}}); err != nil {
		return fmt.Errorf("register of logs: app %s: %w", app, err)
	}
	r.apps[app] = text
	return nil
}
