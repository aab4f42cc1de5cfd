package witness

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"consentledger/domain/ident"
)

// A kept is what is kept of an app: the newest checkpoint that a quorum of
// witnesses signed, and the times between such.
type kept struct {
	Signed []byte // with the witnesses' signatures; empty: none yet
	Times
}

// Times tells how long a log went without its witnesses, by the witnesses' own
// clocks. The longest gap says during how much time at the most a history that
// was shown to nobody else could have been put in the place of another.
type Times struct {
	Since time.Time // when witnesses were first asked
	Last  time.Time // of the newest quorum; zero: there was none yet
	From  time.Time // the longest gap between two quorums that is over
	To    time.Time
}

// Longest returns the longest gap, one that goes on now included.
func (t Times) Longest(now time.Time) (from, to time.Time) {
	from, to = t.From, t.To
	if open := t.begins(); now.Sub(open) > to.Sub(from) {
		return open, now
	}
	return from, to
}

func (t Times) begins() time.Time {
	if t.Last.IsZero() {
		return t.Since
	}
	return t.Last
}

// quorum records that there was a quorum at a time.
func (t *Times) quorum(at time.Time) {
	if from := t.begins(); at.Sub(from) > t.To.Sub(t.From) {
		t.From, t.To = from, at
	}
	if at.After(t.Last) {
		t.Last = at
	}
}

const keptHeader = "consentledger cosigned v1"

// format returns the text that parseKept reads.
func (k kept) format() []byte {
	second := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.Unix()
	}
	b := fmt.Appendf(nil, "%s\nsince %d\nlast %d\ngap %d %d\n\n", keptHeader, second(k.Since), second(k.Last),
		second(k.From), second(k.To))
	return append(b, k.Signed...)
}

// parseKept reads what format writes, and nothing else. Signatures are checked
// by whoever uses them.
func parseKept(text []byte) (kept, error) {
	head, signed, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) != 4 || lines[0] != keptHeader {
		return kept{}, errors.New("it does not begin as it should")
	}

	var n []int64
	for _, line := range lines[1:] {
		words := strings.Fields(line)
		if len(words) == 0 {
			return kept{}, errors.New("a line of times is empty")
		}
		for _, word := range words[1:] {
			i, err := strconv.ParseInt(word, 10, 64)
			if err != nil {
				return kept{}, errors.New("a time is not a number of seconds")
			}
			n = append(n, i)
		}
	}

	if len(n) != 4 {
		return kept{}, errors.New("it has not the times that it should")
	}

	at := func(i int64) time.Time {
		if i == 0 {
			return time.Time{}
		}
		return time.Unix(i, 0).UTC()
	}

	k := kept{Times: Times{Since: at(n[0]), Last: at(n[1]), From: at(n[2]), To: at(n[3])}}
	if signed != "" {
		k.Signed = []byte(signed)
	}
	if string(k.format()) != string(text) {
		return kept{}, errors.New("it is not written as it should be")
	}
	return k, nil
}

// Kept returns the newest checkpoint of an app that a quorum signed, from a shelf of
// [Witnesses].
func Kept(shelf Shelf, app ident.AppName) ([]byte, error) {
	text, err := shelf.Read(file(app))
	if err != nil {
		return nil, err
	}
	k, err := parseKept(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file(app), err)
	}
	if len(k.Signed) == 0 {
		return nil, fmt.Errorf("%s: no quorum of witnesses has signed the log yet", file(app))
	}
	return k.Signed, nil
}

// file is the name of what is kept of an app. The witnesses have what is lost with it,
// but for the times.
func file(app ident.AppName) string { return string(app) + ".cosigned" }
