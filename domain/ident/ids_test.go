package ident_test

import (
	"testing"

	. "consentledger/domain/ident"
)

func TestPersonKeysAreOpaque(t *testing.T) {
	for _, s := range []string{"13812345678", "138-1234-5678", "8613812345678", "110101199003070011", "11010119900307001X", "ada@example.org", "", "a b", "phone:1", "account:"} {
		if k, err := ParsePersonKey(s); err == nil {
			t.Errorf("%q was taken as %v", s, k.Kind)
		}
	}
	for s, want := range map[string]string{"user-1": "account:user-1", "device:d.1": "device:d.1", "account:42": "account:42", "12345678901": "account:12345678901"} {
		if k, err := ParsePersonKey(s); err != nil || k.String() != want {
			t.Errorf("%q: got %v, %v", s, k, err)
		}
	}
}

func FuzzParseStreamID(f *testing.F) {
	f.Add("subject-smartkey-0123")
	f.Add("policy-a-main")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseStreamID(s); err == nil && id.String() != s {
			t.Errorf("%q became %q", s, id)
		}
	})
}

func FuzzParsePersonKey(f *testing.F) {
	f.Add("user-1")
	f.Add("device:x")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParsePersonKey(s)
		if err != nil {
			return
		}
		if again, err := ParsePersonKey(k.String()); err != nil || again != k {
			t.Errorf("%q: %v became %v, %v", s, k, again, err)
		}
	})
}
