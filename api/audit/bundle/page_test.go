package bundle_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/api/audit/bundle"
)

// reportOf returns a report of a bundle.
func reportOf(t *testing.T, packed []byte, name string) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheDisputePackIsReadOnPaperAndOnATelephone: the W3C's checker and axe-core find
// nothing in it, it fits on a small screen, and printed no page is nearly empty.
func TestTheDisputePackIsReadOnPaperAndOnATelephone(t *testing.T) {
	dir := t.TempDir()
	args := []string{"run", "consentledger/cmd/internal/pagecheck"}
	for _, lang := range []string{"en", "zh"} {
		b := newBook(t)
		b.lang = lang
		b.add("policy-demo-main", "policy.effective.v1", `{"version":"sha256:`+strings.Repeat("ab", 32)+`"}`, "")
		for i := range 12 {
			b.add("subject-demo-aa", "consent.given.v2", `{}`, part(i, "aa"))
		}
		b.add("request-demo-r1", "request.received.v1", `{"cause":"x","subject":"aa"}`, "")
		b.add("request-demo-r1", "stepped.v1", `{}`, "")
		file := filepath.Join(dir, lang+".html")
		if err := os.WriteFile(file, []byte(reportOf(t, b.pack(bundle.Selection{App: "demo", Subject: "aa"}, false), "report.html")), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestForeignTextInAReportDoesNothing: what an app or a person wrote is shown and
// does nothing, to a terminal that prints the report or to a browser.
func TestForeignTextInAReportDoesNothing(t *testing.T) {
	b := newBook(t)
	b.lang = "en"
	text := "\x1b[2Jcleared \u009b31m \u202eturned\u202c <script>1</script>\n"
	sum := sha256.Sum256([]byte(text))
	hash := "sha256:" + hex.EncodeToString(sum[:])
	b.blobs = map[string]string{hash: text}
	version := "sha256:" + strings.Repeat("ab", 32)
	b.add("subject-demo-aa", "notice.presented.v1", `{"kind":"general","locale":"en","policy":"privacy","text":"`+hash+`","version":"`+version+`"}`, "")
	packed := b.pack(bundle.Selection{App: "demo"}, false)
	for _, name := range []string{"report.md", "report.html"} {
		got := reportOf(t, packed, name)
		if !strings.Contains(got, "cleared") || strings.ContainsAny(got, "\x1b\u009b\u202e\u202c") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if html := reportOf(t, packed, "report.html"); strings.Contains(html, "<script") {
		t.Error("a text became part of the page")
	}
	if _, err := b.verify(packed); err != nil {
		t.Error(err)
	}
}

// TestAnEmptySpanHasNoRecords: what the app published before comes along, and is not
// counted as what was asked for.
func TestAnEmptySpanHasNoRecords(t *testing.T) {
	b := newBook(t)
	b.lang = "en"
	b.fill()
	for _, tt := range []struct {
		name           string
		s              bundle.Selection
		asked, records int
	}{
		{"nothing was recorded in the span", bundle.Selection{App: "demo", From: 5000, To: 6000}, 0, 1},
		{"before everything there is nothing", bundle.Selection{App: "demo", To: 1000}, 0, 0},
		{"what was published in the span counts", bundle.Selection{App: "demo", To: 1001}, 1, 1},
		{"of a person only what is theirs counts", bundle.Selection{App: "demo", Subject: "bb"}, 301, 302},
		{"of a person in an empty span nothing does", bundle.Selection{App: "demo", Subject: "bb", From: 5000}, 0, 2},
		{"of the whole log all does", bundle.Selection{App: "demo"}, len(b.records), len(b.records)},
	} {
		packed := b.pack(tt.s, false)
		o, err := b.verify(packed)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if o.Selected != tt.asked || len(o.Indexes) != tt.records {
			t.Errorf("%s: %d of %d records, want %d of %d", tt.name, o.Selected, len(o.Indexes), tt.asked, tt.records)
		}
	}
}
