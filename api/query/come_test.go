package query_test

import (
	"strings"
	"testing"

	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
)

func TestNothingIsKnownOfTheFuture(t *testing.T) {
	const now = deadline.Instant(1_780_000_000_000)
	for _, c := range []struct {
		name     string
		at, want deadline.Instant // want zero: refused
	}{
		{"the past", now - 1, now - 1},
		{"now", now, now},
		{"a clock that is some seconds ahead", now.Add(10 * deadline.Second), now},
		{"as far ahead as a clock may be", now.Add(domain.FutureSkew), now},
		{"farther", now.Add(domain.FutureSkew) + 1, 0},
		{"the end of the century", now.Add(27000 * deadline.Day), 0},
	} {
		got, err := query.HasCome("known_at", c.at, now)
		if c.want != 0 && (err != nil || got != c.want) {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
		if c.want == 0 && (err == nil || !wire.IsRefusal(err) || !strings.Contains(err.Error(), "known_at: "+c.at.String()) || !strings.Contains(err.Error(), now.String())) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
