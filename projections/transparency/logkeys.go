package transparency

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// LogKeys are the keys that an app's log is verified with. They all have the log's
// origin as their name. While there is a next one every checkpoint is signed by both.
type LogKeys struct {
	Current string    // empty: there is no log
	Joined  time.Time // when the current one did; zero: the log began with it
	Next    string    // empty: no other key is on its way
	Since   time.Time // when the next one joined
	Former  []FormerKey
}

// A FormerKey signed a log that goes on with another key. What it signed still verifies.
type FormerKey struct {
	Key     string
	Joined  time.Time // zero: the log began with it
	Retired time.Time
}

var errKeyLines = errors.New("it does not say in turns what was begun and what was ended")

// parseKeyLines returns what the lines of a [Register] come to.
func parseKeyLines(text string) (k LogKeys, err error) {
	for line := range strings.Lines(text) {
		if k, err = k.after(strings.TrimSuffix(line, "\n")); err != nil {
			return LogKeys{}, err
		}
	}
	return k, nil
}

// after returns the keys after what a line says has happened.
func (k LogKeys) after(line string) (LogKeys, error) {
	word, rest, _ := strings.Cut(line, " ")
	switch word + " " {
	case begunWord:
		if k.Current != "" {
			return k, errKeyLines
		}
		_, err := keyNamed(rest, "")
		return LogKeys{Current: rest}, err

	case joinedWord:
		key, at, err := keyAndTime(rest)
		if err != nil {
			return k, err
		}
		if _, err := keyNamed(key, k.Current); err != nil || k.Current == "" || k.Next != "" || key == k.Current {
			return k, errKeyLines
		}
		k.Next, k.Since = key, at
		return k, nil

	case retiredWord:
		key, at, err := keyAndTime(rest)
		if err != nil {
			return k, err
		}
		if key != k.Current || k.Next == "" {
			return k, errKeyLines
		}
		former := append(k.Former[:len(k.Former):len(k.Former)], FormerKey{key, k.Joined, at})
		return LogKeys{Current: k.Next, Joined: k.Since, Former: former}, nil

	case endedWord:
		if k.Current == "" {
			return k, errKeyLines
		}
		return LogKeys{}, nil
	}
	return k, errKeyLines
}

// keyNamed parses a verifier key that has the same name as another; empty: any name.
func keyNamed(key, like string) (note.Verifier, error) {
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, errors.New("it does not hold a verifier key")
	}
	if other, err := note.NewVerifier(like); err == nil && other.Name() != v.Name() {
		return nil, fmt.Errorf("it is a key of %s, want %s", v.Name(), other.Name())
	}
	return v, nil
}

// joined and retired write the lines that [LogKeys.after] reads.
func joined(key string, at time.Time) string { return keyLine(joinedWord, key, at) }

func retired(key string, at time.Time) string { return keyLine(retiredWord, key, at) }

func keyLine(word, key string, at time.Time) string {
	return word + key + " " + strconv.FormatInt(at.UnixMilli(), 10)
}

func keyAndTime(text string) (string, time.Time, error) {
	key, ms, _ := strings.Cut(text, " ")
	at, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return "", time.Time{}, errors.New("a time in it is not a number of milliseconds")
	}
	return key, time.UnixMilli(at).UTC(), nil
}
