package ident_test

import (
	"strings"
	"testing"

	. "consentledger/domain/ident"
)

func TestAPrincipalHasANameThatSaysNothingOfAPerson(t *testing.T) {
	for _, name := range []string{"ann", "operator:ann", "desk-2", "spiffe://desk/ann", "Ann.Other", "o1234567890"} {
		if got, err := ParsePrincipal(name); err != nil || got != name {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "Zhang San 13800138000", "13800138000", "desk-138.0013.8000", "op:8613800138000", "ann@example.com", "110101199003078888", "id:11010119900307888X",
		"张三", "ann other", strings.Repeat("a", 129)} {
		if _, err := ParsePrincipal(name); err == nil || strings.Contains(err.Error(), "13800138000") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
