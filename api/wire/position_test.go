package wire

import (
	"strings"
	"testing"
)

func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"0", "1", "18446744073709551615", "18446744073709551616", "-1", "+1", "01", " 1", "1e3", "", "138 SECRET"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePosition(s)
		if err != nil {
			if !IsRefusal(err) || strings.Contains(err.Error(), "138 SECRET") {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if FormatPosition(p) != s {
			t.Errorf("%q is written as %q", s, FormatPosition(p))
		}
	})
}
