package form

import "fmt"

// Codes are the names of an enumeration's values, by value. If the first name is
// empty, the zero value has no name.
type Codes []string

// Name returns the name of a value. A value that has none is shown by its number.
func (c Codes) Name(i uint8) string {
	if int(i) < len(c) {
		return c[i]
	}
	return fmt.Sprintf("(%d)", i)
}

// ParseCode reads what [Codes.Name] writes. What says in the error what the text
// should have been, as in "a unit".
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
