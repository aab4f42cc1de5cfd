package form

import "fmt"

// Codes are the names of an enumeration's values, from its value 1. The zero
// value has no name, unless names[0] gives it one.
type Codes []string

func (c Codes) Name(i uint8) string {
	if int(i) < len(c) {
		return c[i]
	}
	return fmt.Sprintf("(%d)", i)
}

func ParseCode[E ~uint8](s string, c Codes, what string) (E, error) {
	for i, name := range c {
		if s == name && s != "" {
			return E(i), nil
		}
	}
	known := ""
	for _, name := range c {
		if name != "" {
			known += ", " + name
		}
	}
	return 0, Error(what + " is one of " + known[len(", "):])
}
