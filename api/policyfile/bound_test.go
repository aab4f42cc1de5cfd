package policyfile

import (
	"strings"
	"testing"
)

func TestWhatIsTooLargeOrTooDeepIsRefusedBeforeItIsRead(t *testing.T) {
	deep := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	blocks := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.Repeat("  ", i) + "a:\n")
		}
		return b.String()
	}
	for _, c := range []struct {
		name, file, want string // want is empty: it may be read
	}{
		{"a small file", "schema: policy/1\n", ""},
		{"a file of the largest size", "# " + strings.Repeat("x", MaxFile-2), ""},
		{"one byte more", "# " + strings.Repeat("x", MaxFile-1), "larger than"},
		{"lists in lists, as deep as may be", "a: " + deep("[", "]", maxDepth), ""},
		{"one deeper", "a: " + deep("[", "]", maxDepth+1), "more than 64 deep"},
		{"maps in lists", "a: " + deep("[{b: ", "}]", 40), "more than 64 deep"},
		{"over many lines", "a:\n" + deep("[\n", "]\n", maxDepth+1), "more than 64 deep"},
		{"brackets that are closed in a text do not close a list", "a: " + strings.Repeat(`[ "]", `, maxDepth+1), "more than 64 deep"},
		{"nor in a text of single quotes", "a: " + strings.Repeat(`[ ']', `, maxDepth+1), "more than 64 deep"},
		{"nor in a comment", "a:\n" + strings.Repeat("[ # ]\n", maxDepth+1), "more than 64 deep"},
		{"nor behind an escaped quote", "a: " + strings.Repeat(`[ "\"]", `, maxDepth+1), "more than 64 deep"},
		{"dashes in a line", strings.Repeat("- ", maxDepth+1) + "a", "more than 64 deep"},
		{"maps in maps by their indentation", blocks(2*maxDepth + 2), "more than 64 deep"},
		{"many lists beside each other", "a:\n" + strings.Repeat("  - {b: [1, 2], c: {d: e}}\n", 1000), ""},
		{"brackets in quoted texts", "a:\n" + strings.Repeat("  - \"see [1\"\n", 1000), ""},
		{"brackets in comments", strings.Repeat("# see [1\n", 1000) + "a: b", ""},
		{"an apostrophe in a plain text", "a: the user's [data]\n" + strings.Repeat("b: 'it''s [x'\n", 100), ""},
	} {
		err := Bound([]byte(c.file))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if found := Lint([]byte(c.file), nil); c.want != "" && (len(found) != 1 || !strings.Contains(found[0].Message, c.want)) {
			t.Errorf("%s: lint says %v", c.name, found)
		}
		if _, err := JSON("screen.yaml", []byte(c.file)); c.want != "" && (err == nil || !strings.Contains(err.Error(), "screen.yaml:") || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: as JSON: %v", c.name, err)
		}
	}
}

func TestAnAliasIsReadInNoFile(t *testing.T) {
	if _, err := JSON("screen.yaml", []byte("a: &x [1, 2]\nb: *x\n")); err == nil || !strings.Contains(err.Error(), "screen.yaml:1:4: anchors, aliases and tags are not read here") {
		t.Errorf("an alias was read: %v", err)
	}
	if b, err := JSON("screen.yaml", []byte("schema: surface/1\nn: [1, {x: 2}]\n")); err != nil || strings.TrimSpace(string(b)) != `{"schema": "surface/1", "n": [1, {"x": 2}]}` {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := JSON("screen.yaml", []byte("[1]")); err == nil || strings.Contains(err.Error(), "policy") {
		t.Errorf("a list: %v", err)
	}
}
