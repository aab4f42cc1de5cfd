package domain

import (
	"regexp"
	"strings"
	"testing"

	"consentledger/domain/deadline"
)

// An error of a parser may reach the outside: it must not repeat what was sent.
func tells(t *testing.T, err error, sent string) {
	t.Helper()
	if len(sent) > 6 && strings.Contains(err.Error(), sent) && !strings.Contains("2026-03-02T09:30:00.000Z", sent) {
		t.Errorf("the error repeats %q: %v", sent, err)
	}
}

// rfc3339 is the form of a time, whose fields' bounds package time knows.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

func FuzzParseInstant(f *testing.F) {
	for _, s := range []string{"2026-03-02T09:30:00Z", "2026-03-02T09:30:00.123456789+08:00", "1970-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z",
		"9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-02-30T00:00:00Z", "2026-03-02T09:30:60Z", "2026-03-02 09:30:00Z", "2026-03-02T9:30:00Z", "2026-03-02T09:30:00,5Z",
		"2026-03-02T09:30:00+24:00", "2026-03-02T09:30:00-08:60", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		i, err := deadline.ParseInstant(s)
		if err != nil {
			tells(t, err, s)
			return
		}
		again, err := deadline.ParseInstant(i.String())
		if err != nil || again != i || !rfc3339.MatchString(s) {
			t.Errorf("%q is %s, which is read as %s: %v", s, i, again, err)
		}
	})
}
