package erasures

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/cmd/internal/exit"
)

// TestACertificateThatBreaksOffIsNone: the server begins to answer before it has every proof, and
// ends with a line that says why it cannot go on. That is an error, and nothing is left of it.
func TestACertificateThatBreaksOffIsNone(t *testing.T) {
	const head = `{"certificate":"consentledger.erasures.v1"}` + "\n"
	const fault = `{"error":{"status":503,"code":"service-unavailable","detail":"this cannot be answered now"}}` + "\n"
	for name, tt := range map[string]struct {
		answer string
		is     func(error) bool
	}{
		"whole": {head, func(err error) bool { return err == nil }},
		"it ends with why": {head + fault, func(err error) bool {
			p, is := errors.AsType[*exit.ProblemError](err)
			return is && p.Status == 503 && strings.Contains(p.Detail, "the certificate broke off: this cannot be answered now")
		}},
		"it is cut off": {head + `{"certif`, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
	} {
		var printed strings.Builder
		if err := CopyWhole(&printed, strings.NewReader(tt.answer)); !tt.is(err) || printed.String() != head {
			t.Errorf("%s: %v, printed %q", name, err, &printed)
		}

		file := filepath.Join(t.TempDir(), "certificate")
		err := WriteNew(file, strings.NewReader(tt.answer))
		if _, there := os.Stat(file); !tt.is(err) || (there == nil) != (err == nil) {
			t.Errorf("%s, into a file: %v, %v", name, err, there)
		}
	}
}
