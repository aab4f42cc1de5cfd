package content_test

import (
	"testing"

	. "consentledger/domain/content"
)

func FuzzParseHash(f *testing.F) {
	f.Add(Hash{1}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := ParseHash(s); err == nil && h.String() != s {
			t.Errorf("%q became %q", s, h)
		}
	})
}
