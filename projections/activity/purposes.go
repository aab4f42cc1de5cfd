package activity

import (
	"slices"
	"strings"

	"consentledger/domain/policy"
)

// listOf writes purposes with commas between, each of them once.
func listOf(ids []policy.PurposeID) string {
	if len(ids) == 1 {
		return string(ids[0])
	}
	names := make([]string, 0, 16)
	for _, id := range ids {
		if !slices.Contains(names, string(id)) {
			names = append(names, string(id))
		}
	}
	return strings.Join(names, ",")
}
