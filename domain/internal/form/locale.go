package form

import "strings"

// SameLocale reports whether two language tags are one: they may be written in any case
// (RFC 5646, 2.1.1).
func SameLocale(a, b string) bool { return strings.EqualFold(a, b) }
