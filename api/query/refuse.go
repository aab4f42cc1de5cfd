package query

import (
	"fmt"

	"consentledger/domain/refusal"
)

// malformed refuses a question. It never holds what was asked.
func malformed(format string, args ...any) error {
	return refusal.Refusal{Code: refusal.Malformed, Text: fmt.Sprintf(format, args...)}
}
