package auditreport_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"consentledger/api/report/auditreport"
)

// TestReportsAreReadOnPaperAndOnATelephone: the W3C's checker and axe-core find
// nothing in them, they fit on a small screen, and printed no page is nearly empty.
func TestReportsAreReadOnPaperAndOnATelephone(t *testing.T) {
	w := told(t)
	r := made(t, w, 0, w.Time()+1)
	dir := t.TempDir()
	args := []string{"run", "consentledger/cmd/internal/pagecheck"}
	for _, lang := range []string{"en", "zh"} {
		file := filepath.Join(dir, lang+".html")
		if err := os.WriteFile(file, written(t, r, auditreport.HTML, lang), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
