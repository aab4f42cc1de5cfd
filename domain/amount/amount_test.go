package amount

import (
	"strings"
	"testing"
)

func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"12.50 CNY", "0 JPY", "0.1 CNY", "12 JPY", "1.5 JPY", "1e3 CNY", "5e-1 EUR", "-1 CNY", "-0 CNY", "+7 USD", "NaN CNY", "Infinity CNY",
		"1.005 CNY", "99999999999999999999 CNY", "1 XXX", " 1 CNY", "1  CNY", "", "CNY", "0x10 CNY", "1_000 CNY"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			if len(s) > 6 && strings.Contains(err.Error(), s) && !strings.Contains("12.50 CNY", s) {
				t.Errorf("the error repeats %q: %v", s, err)
			}
			return
		}
		again, err := Parse(a.String())
		if err != nil || again.String() != a.String() || again.Value.Cmp(&a.Value) != 0 {
			t.Errorf("%q is %s, which is read as %s: %v", s, a, again, err)
		}
		if a.Value.Negative || a.Value.Exponent != -coins[a.Currency] {
			t.Errorf("%q is %s", s, a)
		}
		if twice, err := a.Add(a); err != nil || twice.Value.Cmp(&a.Value) < 0 {
			t.Errorf("%s and %s is %s: %v", a, a, twice, err)
		}
	})
}

func TestAmounts(t *testing.T) {
	for text, want := range map[string]string{"12.5 CNY": "12.50 CNY", "0 CNY": "0.00 CNY", "100 JPY": "100 JPY", "1.5 JPY": "", "-1 CNY": "", "NaN CNY": "", "1e9 CNY": "", "12.5": "", "12.5 XXX": "", "12.505 CNY": ""} {
		a, err := Parse(text)
		if got := a.String(); (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	a, _ := Parse("0.10 CNY")
	b, _ := Parse("0.20 CNY")
	if sum, err := a.Add(b); err != nil || sum.String() != "0.30 CNY" {
		t.Errorf("%v, %v", sum, err)
	}
	for _, tt := range []struct {
		part, whole int64
		want        string
	}{{1, 3, "33.3"}, {2, 3, "66.7"}, {1, 800, "0.1"}, {3, 800, "0.4"}, {0, 0, ""}, {5, 5, "100.0"}} {
		if got := Percent(tt.part, tt.whole); got != tt.want {
			t.Errorf("%d of %d: %s", tt.part, tt.whole, got)
		}
	}
}
