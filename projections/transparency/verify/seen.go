package verify

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/tlog"
)

// A Memory is what a verifier remembers of one log: the key that it believes,
// and what was signed with it. A log that shrinks, or shows another history,
// cannot have been the one that is remembered.
type Memory struct {
	Key    string // the verifier key; its name need not be the origin
	Origin string
	Seen   []merkle.Checkpoint // smallest first
	Note   []byte              // the last of them as it was signed: evidence against a fork
}

const memoryHeader = "consentledger seen v1\n"

// Format returns the text that [ParseMemory] reads.
func (m Memory) Format() []byte {
	b := []byte(memoryHeader)
	b = fmt.Appendf(b, "key %s\norigin %s\n", m.Key, m.Origin)
	for _, c := range m.Seen {
		b = fmt.Appendf(b, "seen %d %s\n", c.Size, c.Root)
	}
	return append(append(b, '\n'), m.Note...)
}

// ParseMemory reads what [Memory.Format] writes, and nothing else.
func ParseMemory(text []byte) (Memory, error) {
	head, signed, found := strings.Cut(string(text), "\n\n")
	rest, ok := strings.CutPrefix(head, memoryHeader)
	if !found || !ok {
		return Memory{}, errMemory
	}

	m := Memory{Note: []byte(signed)}
	for line := range strings.SplitSeq(rest, "\n") {
		word, value, _ := strings.Cut(line, " ")
		switch word {
		case "key":
			m.Key = value
		case "origin":
			m.Origin = value
		case "seen":
			number, hash, _ := strings.Cut(value, " ")
			size, err := strconv.ParseInt(number, 10, 64)
			if err != nil || size < 0 {
				return Memory{}, errMemory
			}
			root, err := tlog.ParseHash(hash)
			if err != nil {
				return Memory{}, errMemory
			}
			m.Seen = append(m.Seen, merkle.Checkpoint{Size: size, Root: root})
		default:
			return Memory{}, errMemory
		}
	}

	for i := range m.Seen {
		m.Seen[i].Origin = m.Origin
		if i > 0 && m.Seen[i].Size <= m.Seen[i-1].Size {
			return Memory{}, errMemory
		}
	}

	if string(m.Format()) != string(text) {
		return Memory{}, errMemory
	}
	return m, nil
}

var errMemory = errors.New("this is not what a verifier remembers of a log")

// maxSeen is how many checkpoints are remembered.
const maxSeen = 64

// Remember adds a checkpoint that was verified against the others.
func (m *Memory) Remember(c merkle.Checkpoint, signed []byte) {
	m.Note = signed
	if n := len(m.Seen); n > 0 && m.Seen[n-1].Size == c.Size {
		return
	}
	if m.Seen = append(m.Seen, c); len(m.Seen) <= maxSeen {
		return
	}

	// The one that tells least is forgotten: its neighbours are near, and it
	// is long ago.
	least := 1
	worth := func(i int) float64 {
		return float64(m.Seen[i+1].Size-m.Seen[i-1].Size) / float64(c.Size-m.Seen[i].Size+1)
	}

	for i := 2; i < len(m.Seen)-1; i++ {
		if worth(i) < worth(least) {
			least = i
		}
	}

	m.Seen = append(m.Seen[:least], m.Seen[least+1:]...)
}
