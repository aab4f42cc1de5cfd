// Package terminal shows text so that it does nothing to a terminal.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escaped returns text that somebody else wrote as a terminal may show it: what would
// move the cursor, erase, colour or turn the order of what is read is written as the
// escape that JSON has for it.
func Escaped(text string) string {
	if isEscaped(text) {
		return text
	}

	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case shown(r):
			b.WriteRune(r)
		case r == '\r' && strings.HasPrefix(text[i:], "\r\n"):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func isEscaped(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return !shown(r) })
}

// shown reports whether a character stands for itself.
func shown(r rune) bool { return r == '\n' || r == '\t' || unicode.IsGraphic(r) }

// An EscapingWriter writes what is [Escaped]. Characters that are cut between two
// writes are put together.
type EscapingWriter struct {
	W    io.Writer
	rest []byte
}

// Write implements [io.Writer].
func (v *EscapingWriter) Write(b []byte) (int, error) {
	text := append(v.rest, b...)
	whole := len(text) - cut(text)
	v.rest = append([]byte(nil), text[whole:]...)
	if _, err := io.WriteString(v.W, Escaped(string(text[:whole]))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Beneath returns what an [EscapingWriter] writes to, and out itself if it is none.
func Beneath(out io.Writer) io.Writer {
	for {
		v, is := out.(*EscapingWriter)
		if !is {
			return out
		}
		out = v.W
	}
}

// cut returns how many bytes at the end of a text begin a character that goes on.
func cut(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return n
			}
			return 0
		}
	}
	return 0
}

// IsTerminal reports whether a file is one, or another device.
func IsTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
