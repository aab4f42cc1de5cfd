package parse

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestANumberIsTakenIfItIsKeptAsItIs(t *testing.T) {
	for _, c := range []struct {
		number string
		want   bool
	}{
		{"0", true}, {"-0", true}, {"0.0", true}, {"0e999999999999999999999", true},
		{"0.1", true}, {"0.10", true}, {"1.50", true}, {"100e-2", true}, {"1e2", true}, {"12.5E+1", true}, {"-2.5e-3", true},
		{"9007199254740991", true}, {"9007199254740991.0", true}, {"9.007199254740991e15", true}, {"1e22", true}, {"5e-324", true},
		{"9007199254740992", false}, {"9007199254740993", false}, {"9007199254740993.0", false}, {"9007199254740993e0", false},
		{"900719925474099.3e1", false}, {"-9007199254740993.00", false}, {"1e-400", false}, {"1e400", false}, {"-1e400", false},
		{"4e-324", false}, {"0.1000000000000000055511151231257827", false}, {"1e-99999999999999999999", false},
		{"0." + strings.Repeat("0", 400) + "1", false}, {"1" + strings.Repeat("0", 400) + "e-400", true},
	} {
		if got := isExact(c.number); got != c.want {
			t.Errorf("%s is exact: %v, want %v", c.number, got, c.want)
		}
	}
}

// FuzzIsExact holds what is taken to its promise: it is kept in one form, which
// is that of itself.
func FuzzIsExact(f *testing.F) {
	for _, s := range []string{"0", "-0.0", "1e-400", "9007199254740993.0", "0.10", "1E5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := jsontext.Value(s)
		if !v.IsValid() || v.Kind() != '0' || strings.TrimSpace(s) != s || !isExact(s) {
			return
		}
		if err := v.Canonicalize(); err != nil {
			t.Fatal(err)
		}
		was, _ := parseDecimal(s)
		if is, ok := parseDecimal(string(v)); !ok || is != was {
			t.Errorf("%s is kept as %s", s, v)
		}
	})
}

func TestTwoNumbersThatAFloatHoldsAlikeAreNotOneEvent(t *testing.T) {
	event := func(number string) []byte {
		return []byte(`{"specversion":"1.0","id":"1","source":"/a","type":"consent.given","subject":"ann","data":{"act":"agree","details":{"n":` + number + `}}}`)
	}
	for _, number := range []string{"9007199254740993.0", "1e-400", "9007199254740993"} {
		if _, err := Event("a", event(number)); err == nil || !strings.Contains(err.Error(), "data.details is a number") {
			t.Errorf("%s: %v", number, err)
		}
	}
	if _, err := Event("a", event("0.10")); err != nil {
		t.Error(err)
	}
}

func TestACountIsReadInOneForm(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1": 1, "17": 17, "9223372036854775807": 1<<63 - 1} {
		if n, ok := Count(text); !ok || n != want {
			t.Errorf("%s is read as %d, %v", text, n, ok)
		}
	}
	for _, text := range []string{"", "01", "+1", "-1", "-0", "1.0", "1e3", "1_0", "0x1", " 1", "1 ", "\uff11", "9223372036854775808"} {
		if n, ok := Count(text); ok {
			t.Errorf("%q is read as %d", text, n)
		}
	}
}
