package form

// IsName reports whether s is what an app, a purpose, a policy or an act may be
// called: 1 to max of a-z, 0-9 and "-", beginning with a letter or digit.
func IsName(s string, max int) bool {
	if s == "" || len(s) > max || s[0] == '-' {
		return false
	}

	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// DigitsOnly reports whether s has nothing but digits.
func DigitsOnly[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
