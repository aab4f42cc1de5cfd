package upload_test

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/api/audit/upload"

	"golang.org/x/mod/sumdb/note"
)

// read returns a file of the packages whose files are verified.
func read(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWhyAFileIsNotAuthenticIsSaid: that it is of another log, or no evidence at all, is
// something else than that somebody changed it.
func TestWhyAFileIsNotAuthenticIsSaid(t *testing.T) {
	bundle, bundleKey := read(t, "bundle", "testdata", "form5-person.zip"), strings.TrimSpace(string(read(t, "bundle", "testdata", "form5.vkey")))
	receipt, receiptKey := read(t, "receipt", "testdata", "edition1-explicit.kantara.json"), strings.TrimSpace(string(read(t, "receipt", "testdata", "edition1.vkey")))
	v, err := note.NewVerifier(bundleKey)
	if err != nil {
		t.Fatal(err)
	}
	_, sameName, err := note.GenerateKey(rand.Reader, v.Name())
	if err != nil {
		t.Fatal(err)
	}
	_, elsewhere, err := note.GenerateKey(rand.Reader, "elsewhere.example.com/shop")
	if err != nil {
		t.Fatal(err)
	}
	var empty bytes.Buffer
	if err := zip.NewWriter(&empty).Close(); err != nil {
		t.Fatal(err)
	}
	const picture = "blobs/48c87ab83fe63550445bfd9692bd29e95643dd333ab89e7008b3d888b905b5ae"
	changed := bytes.Clone(bundle)
	changed[bytes.Index(changed, []byte(picture))+len(picture)+30] ^= 1

	for _, tt := range []struct {
		name           string
		file           []byte
		key            string
		kind, why, log string
		says           string // of what is wrong, or the first points
	}{
		{"a bundle", bundle, bundleKey, "bundle", "", "", "person container signed records texts derived"},
		{"a receipt", receipt, receiptKey, "receipt", "", "", "signed record given"},
		{"a changed bundle", changed, bundleKey, "bundle", "changed", "", "it is the picture of the screen pop-up"},
		{"a changed receipt", bytes.Replace(receipt, []byte("EXPLICIT"), []byte("EXPRESSED"), 1), receiptKey, "receipt", "changed", "", "says something else"},
		{"a bundle of another log", bundle, elsewhere, "bundle", "other-log", v.Name(), "no signature by the key"},
		{"one that was made under its name", bundle, sameName, "bundle", "other-key", "", "no signature by the key"},
		{"a bundle that is cut off", bundle[:len(bundle)-100], bundleKey, "bundle", "unreadable", "", "cut off"},
		{"a receipt that is cut off", receipt[:len(receipt)/2], receiptKey, "receipt", "unreadable", "", "cut off"},
		{"another archive", empty.Bytes(), bundleKey, "unknown", "neither", "", "neither"},
		{"other JSON", []byte(`{"other":1}`), bundleKey, "unknown", "neither", "", "neither"},
		{"text", []byte("milk, eggs"), bundleKey, "unknown", "neither", "", "neither"},
	} {
		v, err := note.NewVerifier(tt.key)
		if err != nil {
			t.Fatal(err)
		}
		a, err := upload.Verify(tt.file, tt.key, v.Name())
		if err != nil {
			t.Fatal(err)
		}
		var points []string
		for _, p := range a.Points {
			points = append(points, p.Point)
		}
		says := a.Wrong
		if a.Authentic {
			says = strings.Join(points, " ")
		}
		if a.Kind != tt.kind || a.Why != tt.why || a.Log != tt.log || a.Authentic != (tt.why == "") || !strings.Contains(says, tt.says) {
			t.Errorf("%s: %+v", tt.name, a)
		}
	}
}
