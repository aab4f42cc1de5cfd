package domain_test

import (
	"fmt"
	"testing"

	. "consentledger/domain"
)

func TestPersonalDoesNotPrint(t *testing.T) {
	e := ConsentWithdrawn{Details: "secret words"}
	if got := fmt.Sprintf("%v %+v %#v %s", e, e, e, e.Details); len(got) == 0 || containsSecret(got) {
		t.Errorf("printed %s", got)
	}
}

func containsSecret(s string) bool {
	for i := range len(s) - 6 {
		if s[i:i+6] == "secret" {
			return true
		}
	}
	return false
}
