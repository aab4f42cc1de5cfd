package auditreport

import (
	"bytes"
	"strings"
	"testing"

	"consentledger/api/audit/bundle"
)

// What is written in parts is the same as what is written as a whole.
func TestAMarkdownIsWrittenInParts(t *testing.T) {
	d := Document{Title: "Title", Sections: []Section{{ID: "a", Title: "A", Columns: []string{"one"}}}}
	for range 5000 {
		d.Sections[0].Rows = append(d.Sections[0].Rows, []string{"同意\x01 ok \u202e"})
	}
	var got bytes.Buffer
	if err := d.markdown(&got); err != nil {
		t.Fatal(err)
	}
	row := "| " + bundle.Shown("同意\x01 ok \u202e") + " |\n"
	if n := strings.Count(got.String(), row); n != 5000 || got.Len() < 2*partSize || !strings.HasPrefix(got.String(), "# Title\n\n") {
		t.Errorf("%d rows in %d bytes: %.200s", n, got.Len(), &got)
	}
}
