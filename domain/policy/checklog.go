package policy

import (
	"fmt"
	"strings"

	"consentledger/domain/internal/form"
)

// A CheckLog says which answers to "may we?" are recorded: none, all, a sample
// of one in a hundred, or as many in as many as the policy says ("1 in 10").
//
// Answers about somebody who is not known are never recorded. A record belongs
// to a person, and whoever asks about made-up ids would fill the log with
// nobody; nothing is lost, since what was said about somebody who never said
// anything follows from the policy that was in force.
type CheckLog uint64

const (
	LogNone    CheckLog = iota
	LogSampled          // one in a hundred
	LogAll
)

var checkLogs = form.Codes{"none", "sampled", "all"}

// mostSampled is the largest sample that "N in M" can say.
const mostSampled = 1_000_000

// LogSome returns the CheckLog of n in m answers, 1 <= n <= m <= 1,000,000.
func logSome(n, m int) (CheckLog, error) {
	if n < 1 || n > m || m > mostSampled {
		return 0, errCheckLog
	}
	return CheckLog(n)<<32 | CheckLog(m), nil
}

const errCheckLog = form.Error(`a log of checks is none, sampled, all, or as in "1 in 10", up to 1000000`)

// Rate returns of how many answers how many are recorded.
func (l CheckLog) Rate() (n, of int) {
	switch l {
	case LogNone:
		return 0, 1
	case LogSampled:
		return 1, 100
	case LogAll:
		return 1, 1
	}
	return int(l >> 32), int(l & (1<<32 - 1))
}

func (l CheckLog) String() string {
	if l <= LogAll {
		return checkLogs.Name(uint8(l))
	}
	n, of := l.Rate()
	return fmt.Sprintf("%d in %d", n, of)
}

// ParseCheckLog reads what [CheckLog.String] writes.
func ParseCheckLog(s string) (CheckLog, error) {
	for i, name := range checkLogs {
		if s == name {
			return CheckLog(i), nil
		}
	}
	n, of, _ := strings.Cut(s, " in ")
	l, err := logSome(digits(n), digits(of))
	if err != nil || l.String() != s {
		return 0, errCheckLog
	}
	return l, nil
}

// digits reads up to seven digits; -1 if they are none.
func digits(s string) int {
	if s == "" || len(s) > 7 || !form.DigitsOnly(s) {
		return -1
	}
	n := 0
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}
