package parse

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Headers of binary mode hold escapes of some senders and none of others: the
// SDK for .NET writes them, those for Go and JavaScript do not, and nothing tells
// the senders apart. So the header a%20b is the id "a b" of one and "a%20b" of
// another. Package parse takes what loses least: what looks like an encoder's work
// in every byte is one's work, and everything else is what it says.

// rawText returns a header's value as text: UTF-8 if it is, else Latin 1, as
// Node.js sends it.
func rawText(header string) string {
	if utf8.ValidString(header) {
		return header
	}
	var b strings.Builder
	for i := range len(header) {
		b.WriteRune(rune(header[i]))
	}
	return b.String()
}

// plainText undoes the escapes of a text if, and only if, escaping the result
// gives the text back, byte for byte.
func plainText(text string) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	plain, ok := unescape(text)
	if !ok || !utf8.ValidString(plain) || strings.ContainsFunc(plain, unicode.IsControl) ||
		escape(plain, mustEscape) != text {
		return text
	}
	return plain
}

// plainURI undoes an escaped per cent sign where two hexadecimal digits follow:
// all other escapes are the URI's own.
func plainURI(text string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, "%25")
		if i < 0 {
			return b.String() + text
		}
		rest := text[i+len("%25"):]
		b.WriteString(text[:i])
		if len(rest) >= 2 && isHex(rest[0]) && isHex(rest[1]) {
			b.WriteString("%")
		} else {
			b.WriteString("%25")
		}
		text = rest
	}
}

// normalURI writes as escapes what a URI does not hold as it is, so that it is
// the same in structured and in binary mode: blanks, quotes, what is not ASCII,
// and a per cent sign that begins no escape.
func normalURI(uri string) string {
	return escape(uri, func(s string, i int) bool {
		if s[i] == '%' {
			return i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])
		}
		return mustEscape(s, i)
	})
}

// mustEscape reports whether a byte is one that the CloudEvents binding for HTTP
// escapes.
func mustEscape(s string, i int) bool {
	return s[i] < '!' || s[i] > '~' || s[i] == '"' || s[i] == '%'
}

// escape writes those bytes of s as escapes that must be.
func escape(s string, must func(s string, i int) bool) string {
	const digits = "0123456789ABCDEF"
	i := 0
	for i < len(s) && !must(s, i) {
		i++
	}
	if i == len(s) {
		return s
	}

	b := []byte(s[:i])
	for ; i < len(s); i++ {
		if must(s, i) {
			b = append(b, '%', digits[s[i]>>4], digits[s[i]&15])
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// unescape undoes every escape. Not ok: a per cent sign begins none.
func unescape(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			return "", false
		}
		b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
		i += 2
	}
	return string(b), true
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&7 + 9
}
