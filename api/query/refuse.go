package query

import (
	"fmt"

	"consentledger/domain"
)

// malformed refuses a question. It never holds what was asked.
func malformed(format string, args ...any) error {
	return domain.Refusal{Code: domain.Malformed, Text: fmt.Sprintf(format, args...)}
}
