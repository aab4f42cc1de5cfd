package refusal

import (
	"strings"
	"testing"
)

func TestQuoteShowsWhatIsWrittenLikeAName(t *testing.T) {
	for name, want := range map[string]string{
		"nod": `"nod"`, "agree-popup": `"agree-popup"`, "v12345": `"v12345"`, "1-2-3-4-5-6-7": `"1-2-3-4-5-6-7"`,
		strings.Repeat("a", 64): `"` + strings.Repeat("a", 64) + `"`,
		"":                      notShown, strings.Repeat("a", 65): notShown, "Ann": notShown, "a b": notShown, `a"b`: notShown, "张三": notShown,
		"13800138000": notShown, "x123456": notShown, "11010519491231002x": notShown, "ann@example.com": notShown, "a\nb": notShown,
	} {
		if got := Quote(name); got != want {
			t.Errorf("Quote(%q) = %s, want %s", name, got, want)
		}
	}
}
