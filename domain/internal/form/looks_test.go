package form

import (
	"math/rand/v2"
	"strings"
	"testing"
)

const personChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-"

// looksPersonalPlainly says what LooksPersonal says, in fewer steps to follow.
func looksPersonalPlainly(id string) bool {
	plain := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r == '~' {
			return -1
		}
		return r
	}, id)
	digits := strings.Trim(plain, "0123456789") == ""
	switch {
	case digits && len(plain) == 11 && plain[0] == '1' && plain[1] >= '3':
		return true
	case digits && len(plain) == 13 && strings.HasPrefix(plain, "861"):
		return true
	case len(plain) == 18:
		return strings.Trim(plain[:17], "0123456789") == "" && isBirthDate(plain[6:14])
	}
	return false
}

func sameLooks(t *testing.T, id string) (personal bool) {
	t.Helper()
	personal = LooksPersonal(id)
	if personal != looksPersonalPlainly(id) {
		t.Errorf("%q looks personal: %v", id, personal)
	}
	for _, more := range []string{"", ":/"} { // of a person's id, of a principal
		if got := IsOpaque(id, more); got != (strings.Trim(id, personChars+more) == "") {
			t.Errorf("%q has letters, digits, separators and %q alone: %v", id, more, got)
		}
	}
	return personal
}

func TestLooksPersonal(t *testing.T) {
	var b [22]byte
	personal := 0
	for range 50_000 {
		for i, c := range "118619900101199001010121"[:len(b)] {
			b[i] = byte(c)
			switch rand.N(30) {
			case 0:
				b[i] = ".-_~Xx\xff\x80 "[rand.N(9)]
			case 1:
				b[i] = '0' + byte(rand.N(10))
			}
		}
		start := rand.N(10)
		if sameLooks(t, string(b[start:start+rand.N(len(b)-start+1)])) {
			personal++
		}
	}
	if personal < 250 {
		t.Errorf("only %d look personal", personal)
	}
	for c := range 256 {
		sameLooks(t, string([]byte{'a', byte(c), 'b'}))
	}
}

func FuzzLooksPersonal(f *testing.F) {
	for _, s := range []string{"13812345678", "138-1234-5678", "8613812345678", "110101199003070011", "11010119900307001X", "11010119900307001\xff", "1101011990030700é", "bench-4711"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) { sameLooks(t, id) })
}
