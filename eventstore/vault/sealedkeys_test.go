package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A kms seals by keys that are elsewhere. Its faults are those of scripts.
type kms struct {
	keys  *MemoryKeys
	fault string
}

func (k *kms) Seal(plain []byte) ([]byte, error) {
	switch k.fault {
	case "refuses":
		return nil, errors.New("denied")
	case "echoes":
		return plain, nil
	}
	return k.keys.Wrap(plain, nil)
}

func (k *kms) Unseal(sealed []byte) ([]byte, error) {
	if k.fault == "forgets" {
		return []byte("something else"), nil
	}
	return k.keys.Unwrap(sealed, nil)
}

func TestSealedKeys(t *testing.T) {
	by, file := &kms{keys: NewMemoryKeys()}, filepath.Join(t.TempDir(), "keys")
	keys := must[*FileKeys](t)(CreateSealedKeys(file, by))
	rows := newRows()
	enrol(t, open(t, rows, keys), phone)
	ok(t, keys.Advance())

	// Who opens the file anew reads the same keys, and its last line is their sum.
	again := must[*FileKeys](t)(OpenSealedKeys(file, false, by))
	if _, found, err := open(t, rows, again).Find(t.Context(), phone); !found || err != nil {
		t.Fatal(found, err)
	}
	text := must[[]byte](t)(os.ReadFile(file))
	if again.Sum() != keys.Sum() || !strings.HasSuffix(string(text), "\n"+keys.Sum()+"\n") {
		t.Errorf("sums: %s, %s, %s", keys.Sum(), again.Sum(), text)
	}
	for _, e := range keys.epochs {
		if bytes.Contains(text, e.key[:]) || bytes.Contains(text, []byte(hex.EncodeToString(e.key[:]))) {
			t.Error("a key is in the file")
		}
	}

	// Without the command, with another one, or with a changed byte nobody does.
	if _, err := OpenFileKeys(file); err == nil || !strings.Contains(err.Error(), "--kek-command") {
		t.Error(err)
	}
	if _, err := OpenSealedKeys(file, false, &kms{keys: NewMemoryKeys()}); err == nil {
		t.Error("another KMS opens it")
	}
	text[len(sealedHeader)+3] ^= 1
	ok(t, os.WriteFile(file, text, 0o600))
	if _, err := OpenSealedKeys(file, false, by); err == nil || !strings.Contains(err.Error(), "not whole") {
		t.Error(err)
	}
}

// A command that does not give back what it took, or hides nothing, is found out before
// the file is touched.
func TestABadSealerTakesNoKeys(t *testing.T) {
	for _, fault := range []string{"refuses", "echoes", "forgets"} {
		file := filepath.Join(t.TempDir(), "keys")
		keys := must[*FileKeys](t)(CreateFileKeys(file))
		before := must[[]byte](t)(os.ReadFile(file))
		if err := keys.SealWith(&kms{NewMemoryKeys(), fault}); err == nil {
			t.Errorf("a sealer that %s is taken", fault)
		}
		if after := must[[]byte](t)(os.ReadFile(file)); !bytes.Equal(after, before) {
			t.Errorf("a sealer that %s changed the file", fault)
		}
		ok(t, keys.Advance()) // and the keys go on, open
		if _, err := OpenFileKeys(file); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParseSealed(f *testing.F) {
	f.Add(formatSealed([]byte("sealed")))
	f.Add([]byte(sealedHeader))
	f.Fuzz(func(t *testing.T, text []byte) {
		sealed, err := parseSealed(text)
		if err == nil && !bytes.Equal(formatSealed(sealed), text) {
			t.Errorf("%q is read and not written so", text)
		}
	})
}

// A copy that ends well is not yet whole: with its keys gone or bent, nobody has them.
func TestTheSumOfACopyIsThatOfAWholeOne(t *testing.T) {
	by, dir := &kms{keys: NewMemoryKeys()}, t.TempDir()
	open := must[*FileKeys](t)(CreateFileKeys(filepath.Join(dir, "open")))
	sealed := must[*FileKeys](t)(CreateSealedKeys(filepath.Join(dir, "sealed"), by))
	for name, keys := range map[string]*FileKeys{"open": open, "sealed": sealed} {
		text := must[[]byte](t)(os.ReadFile(filepath.Join(dir, name)))
		if got, err := SumOfCopy(text); err != nil || got != keys.Sum() {
			t.Errorf("%s: %s %v, want %s", name, got, err, keys.Sum())
		}
		bent := bytes.Clone(text)
		bent[len(bent)/2] ^= 1
		for what, copied := range map[string][]byte{"a byte is another": bent, "only its end is there": []byte(keys.Sum() + "\n"), "it is empty": nil} {
			if got, err := SumOfCopy(copied); err == nil {
				t.Errorf("%s: %s, and its sum is %s", name, what, got)
			}
		}
	}
}
