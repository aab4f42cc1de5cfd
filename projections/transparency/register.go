package transparency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"consentledger/domain/ident"
	"consentledger/eventstore"
)

// A Register remembers, apart from the [Keep], which logs were begun and with
// which key. It lies beside the records: who loses the signing keys has it
// still, so that a second log is never begun in silence.
//
// A row's key is "l/" and the app; its value is a version byte, now 1, and a
// line for everything that happened:
//
//	begun <verifier key>           its name is the log's origin
//	joined <verifier key> <ms>     this key signs beside the one that there is
//	retired <verifier key> <ms>    the older of the two signs no more
//	ended <why>                    the log was given up: another may begin
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
	joinedWord      = "joined "
	retiredWord     = "retired "
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
	if text == "" {
		return "", errors.New("it says nothing")
	}
	if !strings.HasSuffix(text, "\n") {
		return "", errors.New("its last line is not whole")
	}
	_, err := parseKeyLines(text)
	return text, err
}

// begun returns the verifier key of an app's log that goes on; empty: there is
// none.
func (r *Register) begun(app ident.AppName) string {
	if r == nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return keysIn(r.apps[app]).Current
}

// keys returns which keys sign an app's log, as far as it is remembered.
func (r *Register) keys(app ident.AppName) LogKeys {
	if r == nil {
		return LogKeys{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return keysIn(r.apps[app])
}

// keysIn returns what lines come to that were read by [parseRegistered] or written since.
func keysIn(text string) LogKeys {
	keys, _ := parseKeyLines(text)
	return keys
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
		if key := keysIn(text).Current; key != "" {
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
	if is := r.begun(app); is != "" {
		return fmt.Errorf("register of logs: app %s: its log goes on with another key", app)
	}
	return r.add(context.Background(), app, begunWord+vkey)
}

// carry remembers a log that comes from elsewhere, with all changes of its keys.
func (r *Register) carry(app ident.AppName, vkey string, changes []string) error {
	if r == nil {
		return nil
	}
	all := begunWord + firstKey(vkey, changes) + "\n"
	for _, line := range changes {
		all += line + "\n"
	}

	// What is known of it may be from before the last changes.
	r.mu.Lock()
	rest, same := strings.CutPrefix(all, lastLog(r.apps[app]))
	r.mu.Unlock()
	if !same {
		return fmt.Errorf("register of logs: app %s: its log goes on with another key", app)
	}
	if rest == "" {
		return nil
	}
	return r.add(context.Background(), app, strings.TrimSuffix(rest, "\n"))
}

// changes returns the lines of how the keys of an app's log changed.
func (r *Register) changes(app ident.AppName) []string {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, changes, _ := strings.Cut(lastLog(r.apps[app]), "\n")
	return strings.Split(strings.TrimSuffix(changes, "\n"), "\n")[:strings.Count(changes, "\n")]
}

// lastLog returns the lines about the log that goes on; empty: none does.
func lastLog(text string) string {
	begins, at := 0, 0
	for line := range strings.Lines(text) {
		at += len(line)
		if strings.HasPrefix(line, endedWord) {
			begins = at
		}
	}
	return text[begins:]
}

// firstKey returns the key that a log was begun with, of the one that it has now and the
// changes in between.
func firstKey(vkey string, changes []string) string {
	for _, line := range changes {
		if rest, is := strings.CutPrefix(line, retiredWord); is {
			key, _, _ := strings.Cut(rest, " ")
			return key
		}
	}
	return vkey
}

func (r *Register) add(ctx context.Context, app ident.AppName, line string) error {
	if r == nil {
		return nil
	}
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
