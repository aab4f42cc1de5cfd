package parse

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Count reads a whole number from 0 on as everybody writes it, and in no other
// form: no sign, no zero in front, nothing that another program reads as another
// number.
func Count(s string) (n int64, ok bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && strconv.FormatInt(n, 10) == s
}

// isExact reports whether a JSON number is kept as the number that it is. What
// is kept has the form of RFC 8785, by way of a float64: that form must denote
// the same decimal number, as 0.1 does for 0.10, and 0 does not for 1e-400. An
// integer without a point or an exponent is one that every reader knows.
func isExact(number string) bool {
	if !strings.ContainsAny(number, ".eE") {
		n, err := strconv.ParseInt(number, 10, 64)
		return err == nil && n <= maxSequence && n >= -maxSequence
	}
	if _, err := strconv.ParseFloat(number, 64); err != nil {
		return false
	}

	kept := jsontext.Value(number).Clone()
	if err := kept.Canonicalize(); err != nil {
		return false
	}
	was, ok := parseDecimal(number)
	is, fine := parseDecimal(string(kept))
	return ok && fine && was == is
}

// A decimal is a number that is written with a point: 0.digits times ten to the
// power. Digits neither begin nor end with a zero, so that equal numbers are
// equal. The zero decimal is zero.
type decimal struct {
	minus  bool
	digits string
	power  int
}

// parseDecimal reads a JSON number, whose power must be an int.
func parseDecimal(number string) (decimal, bool) {
	text, minus := strings.CutPrefix(number, "-")
	mantissa, exponent := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")

	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return decimal{}, true
	}
	power := len(digits) - len(fraction)
	if exponent != "" {
		n, err := strconv.Atoi(exponent)
		if err != nil {
			return decimal{}, false
		}
		power += n
	}
	return decimal{minus, strings.TrimRight(digits, "0"), power}, true
}
