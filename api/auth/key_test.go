package auth

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestAKeyIsReadAsItWasIssued(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		key := NewKey()
		read, err := ParseKey(key.Reveal())
		if err != nil || read != key || seen[key.ID] || seen[key.Reveal()] {
			t.Fatalf("%v, %v", read, err)
		}
		seen[key.ID], seen[key.Reveal()] = true, true
	}
}

func TestWhatIsNoKeyIsNotReadAndNotRepeated(t *testing.T) {
	key := NewKey().Reveal()
	other := NewKey().Reveal()
	for name, text := range map[string]string{
		"nothing": "", "the prefix": "clk_", "another prefix": "ghp" + key[3:], "in capitals": strings.ToUpper(key),
		"one character less": key[:len(key)-1], "one more": key + "0", "a space before": " " + key, "a line end": key + "\n",
		"no underscore": strings.Replace(key, "_", "-", 2), "another id": key[:4] + other[4:16] + key[16:],
		"another secret": key[:17] + other[17:69] + key[69:], "another sum": key[:69] + other[69:],
		"what is no letter": key[:20] + "é" + key[22:], "a zero byte": key[:20] + "\x00" + key[21:],
		"a digit that is none of ours": key[:20] + "1" + key[21:], "a long text": strings.Repeat(key, 10_000),
	} {
		got, err := ParseKey(text)
		if err == nil || got != (Key{}) {
			t.Errorf("%s is read as a key", name)
		}
		if err != nil && len(text) > 4 && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error repeats it", name)
		}
	}
}

// A key that is printed, logged or marshalled by mistake shows no secret.
func TestAKeyShowsNoSecret(t *testing.T) {
	key := NewKey()
	_, secret, _ := strings.Cut(key.Reveal()[4:], "_")
	j, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(key), fmt.Sprintf("%v %+v %#v %s %q", key, key, key, key, key), fmt.Sprintf("%v", []Key{key}), string(j),
	} {
		if strings.Contains(text, secret) || strings.Contains(text, secret[:20]) {
			t.Errorf("it shows %s", text)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(NewKey().Reveal())
	f.Add("clk_abcdefghijkl_")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParseKey(text)
		if err == nil && (key.Reveal() != text || len(key.ID) != idSize) {
			t.Errorf("%q is read as %q", text, key.Reveal())
		}
	})
}
