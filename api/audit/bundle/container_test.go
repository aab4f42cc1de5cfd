package bundle_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consentledger/api/audit/bundle"

	"golang.org/x/mod/sumdb/note"
)

// A layout is a ZIP file taken apart: what stands where, byte for byte.
type layout struct {
	before    []byte
	entries   []entry
	behind    []byte // between the last file and the directory
	directory []byte // more of it, after the entries'
	end       []byte
	after     []byte
}

// An entry is a file's bytes in a ZIP file, and its line in the directory.
type entry struct {
	local, data, descriptor, central []byte
	hidden                           bool // it has no line in the directory
}

// takeApart reads what [bundle.Maker.Write] wrote.
func takeApart(t *testing.T, packed []byte) *layout {
	t.Helper()
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16(packed[at:])) }
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(packed[at:])) }
	end := len(packed) - 22
	l := &layout{end: slices.Clone(packed[end:])}
	for at := u32(end + 16); at < end; {
		next := at + 46 + u16(at+28) + u16(at+30) + u16(at+32)
		local, size := u32(at+42), u32(at+20)
		data := local + 30 + u16(local+26) + u16(local+28)
		l.entries = append(l.entries, entry{
			local: slices.Clone(packed[local:data]), data: slices.Clone(packed[data : data+size]),
			descriptor: slices.Clone(packed[data+size : data+size+16]), central: slices.Clone(packed[at:next]),
		})
		at = next
	}
	return l
}

// bytes puts the file together, with every offset and count as it should be.
func (l *layout) bytes() []byte {
	out := slices.Clone(l.before)
	var directory []byte
	n := 0
	for _, e := range l.entries {
		if !e.hidden {
			central := slices.Clone(e.central)
			binary.LittleEndian.PutUint32(central[42:], uint32(len(out)))
			directory = append(directory, central...)
			n++
		}
		out = slices.Concat(out, e.local, e.data, e.descriptor)
	}
	out = append(out, l.behind...)
	start := len(out)
	out = slices.Concat(out, directory, l.directory)
	end := slices.Clone(l.end)
	binary.LittleEndian.PutUint16(end[8:], uint16(n))
	binary.LittleEndian.PutUint16(end[10:], uint16(n))
	binary.LittleEndian.PutUint32(end[12:], uint32(len(directory)+len(l.directory)))
	binary.LittleEndian.PutUint32(end[16:], uint32(start))
	return slices.Concat(out, end, l.after)
}

// of returns the entry of a name.
func (l *layout) of(t *testing.T, name string) *entry {
	t.Helper()
	for i := range l.entries {
		if string(l.entries[i].central[46:46+len(name)]) == name {
			return &l.entries[i]
		}
	}
	t.Fatalf("no entry %s", name)
	return nil
}

// extra gives a header a longer extra field; at is where its length stands.
func extra(header []byte, at int, field []byte) []byte {
	out := append(slices.Clone(header), field...)
	binary.LittleEndian.PutUint16(out[at:], binary.LittleEndian.Uint16(out[at:])+uint16(len(field)))
	return out
}

// packedAs returns an entry of other bytes under the same name.
func (e entry) packedAs(t *testing.T, text string) entry {
	t.Helper()
	var data bytes.Buffer
	w, err := flate.NewWriter(&data, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sizes := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text)))
	sizes = binary.LittleEndian.AppendUint32(sizes, uint32(data.Len()))
	sizes = binary.LittleEndian.AppendUint32(sizes, uint32(len(text)))
	other := entry{local: slices.Clone(e.local), data: data.Bytes(), descriptor: slices.Clone(e.descriptor), central: slices.Clone(e.central)}
	copy(other.descriptor[4:], sizes)
	copy(other.central[16:], sizes)
	return other
}

// TestEveryByteOfTheContainerIsCovered: what is no part of a bundle as it was
// written, or is read as something else by a program that goes through the file
// from its beginning, is found wherever it stands.
func TestEveryByteOfTheContainerIsCovered(t *testing.T) {
	b := newBook(t)
	b.fill()
	whole := bundle.Selection{App: "demo"}
	packed := b.pack(whole, false)
	if _, err := b.verify(takeApart(t, packed).bytes()); err != nil {
		t.Fatalf("what was only taken apart and put together: %v", err)
	}
	const records, parts = "records.jsonl", "parts.jsonl"
	for name, change := range map[string]func(l *layout){
		"bytes before the first file": func(l *layout) { l.before = []byte("MZ") },
		"bytes after the end":         func(l *layout) { l.after = []byte("\n") },
		"a comment of the archive":    func(l *layout) { binary.LittleEndian.PutUint16(l.end[20:], 2); l.after = []byte("hi") },
		"bytes before the directory":  func(l *layout) { l.behind = []byte("hidden") },
		"bytes behind the directory":  func(l *layout) { l.directory = []byte("hidden") },
		"bytes between two files":     func(l *layout) { e := l.of(t, parts); e.descriptor = append(e.descriptor, "hidden"...) },
		"a file that is not in the directory": func(l *layout) {
			e := l.of(t, records).packedAs(t, "{}\n")
			e.hidden = true
			l.entries = append([]entry{e}, l.entries...)
		},
		"a file of the same name before it": func(l *layout) {
			l.entries = append([]entry{l.of(t, records).packedAs(t, "{}\n")}, l.entries...)
		},
		"a file of the same name behind it": func(l *layout) {
			l.entries = append(l.entries, l.of(t, records).packedAs(t, "{}\n"))
		},
		"another name where the file stands":     func(l *layout) { copy(l.of(t, records).local[30:], "records.jsonk") },
		"another method where the file stands":   func(l *layout) { l.of(t, records).local[8] = 0 },
		"other flags where the file stands":      func(l *layout) { l.of(t, records).local[6] |= 2 },
		"another time where the file stands":     func(l *layout) { l.of(t, records).local[10]++ },
		"another time in the directory":          func(l *layout) { l.of(t, records).central[12]++ },
		"sizes where the file stands":            func(l *layout) { l.of(t, records).local[18] = 1 },
		"an extra field where the file stands":   func(l *layout) { e := l.of(t, records); e.local = extra(e.local, 28, []byte("xx\x02\x00hi")) },
		"an extra field in the directory":        func(l *layout) { e := l.of(t, records); e.central = extra(e.central, 30, []byte("xx\x02\x00hi")) },
		"another name in an extra field":         func(l *layout) { e := l.of(t, records); e.central = extra(e.central, 30, unicodePath("other.jsonl")) },
		"a comment of a file":                    func(l *layout) { e := l.of(t, records); e.central = extra(e.central, 32, []byte("hi")) },
		"a file that is a link":                  func(l *layout) { e := l.of(t, records); e.central[5] = 3; e.central[41] = 0xa1 },
		"an attribute of a file":                 func(l *layout) { l.of(t, records).central[38] = 1 },
		"a file that is text to whoever asks":    func(l *layout) { l.of(t, records).central[36] = 1 },
		"another volume":                         func(l *layout) { l.of(t, records).central[34] = 1 },
		"other sizes behind the file":            func(l *layout) { l.of(t, records).descriptor[8]++ },
		"no mark before the sizes behind a file": func(l *layout) { e := l.of(t, records); e.descriptor = e.descriptor[4:] },
		"compressed bytes behind a file's end": func(l *layout) {
			e := l.of(t, records)
			e.data = append(e.data, "hidden"...)
			for _, size := range [][]byte{e.central[20:], e.descriptor[8:]} {
				binary.LittleEndian.PutUint32(size, uint32(len(e.data)))
			}
		},
	} {
		l := takeApart(t, packed)
		change(l)
		other := l.bytes()
		if bytes.Equal(other, packed) {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := b.verify(other); err == nil {
			t.Errorf("%s: it verifies", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

// unicodePath is the extra field in which some programs look for a file's name.
func unicodePath(name string) []byte {
	field := append([]byte{1, 0, 0, 0, 0}, name...)
	return append(binary.LittleEndian.AppendUint16([]byte("up"), uint16(len(field))), field...)
}

// TestNoByteOfABundleIsFree: a bundle of which any single byte is another one does
// not verify.
func TestNoByteOfABundleIsFree(t *testing.T) {
	b := newBook(t)
	b.add("policy-demo-main", "policy.effective.v1", `{}`, "")
	b.add("subject-demo-aa", "consent.given.v2", `{}`, "")
	b.lang = ""
	packed := b.pack(bundle.Selection{App: "demo"}, false)

	// Of compressed bytes, which the files' own hashes cover, some will do.
	inside := make([]bool, len(packed))
	at := 0
	for _, e := range takeApart(t, packed).entries {
		at += len(e.local)
		for i := range len(e.data) - 1 {
			inside[at+i] = true
		}
		at += len(e.data) + len(e.descriptor)
	}
	for i := range packed {
		if inside[i] && i%16 != 0 {
			continue
		}
		other := slices.Clone(packed)
		other[i] ^= 0xff
		if _, err := b.verify(other); err == nil {
			t.Errorf("byte %d of %d is covered by nothing", i, len(packed))
		}
	}
}

// with packs a bundle anew with one file more, which the manifest names.
func with(t *testing.T, packed []byte, name, text string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create(name)
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	for _, old := range z.File {
		if err == nil {
			err = w.Copy(old)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	return rewrite(t, out.Bytes(), nil, func(m *bundle.Manifest) {
		m.Files = slices.DeleteFunc(m.Files, func(f bundle.File) bool { return f.Name == name })
		m.Files = append(m.Files, bundle.File{Name: name, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:])})
	})
}

// TestAFileThatNoRecordNames: the manifest is not signed, so that a name in it makes
// nothing evidence.
func TestAFileThatNoRecordNames(t *testing.T) {
	b := newBook(t)
	b.fill()
	packed := b.pack(bundle.Selection{App: "demo"}, false)
	text := "He agreed."
	sum := sha256.Sum256([]byte(text))
	for _, name := range []string{"verdict.md", "../verdict.md", "Records.jsonl", "blobs/x", "blobs/" + hex.EncodeToString(sum[:]), "META-INF/manifest.json"} {
		_, err := b.verify(with(t, packed, name, text))
		if err == nil || !strings.Contains(err.Error(), name+" is no file of a bundle") && !strings.Contains(err.Error(), "not the text or the picture of its hash") {
			t.Errorf("%s is in a bundle: %v", name, err)
		}
	}
}

// TestTheKeyInABundleIsTheVerifiers: who reads it believes that it was used.
func TestTheKeyInABundleIsTheVerifiers(t *testing.T) {
	b, other := newBook(t), newBook(t)
	b.fill()
	packed := rewrite(t, b.pack(bundle.Selection{App: "demo"}, false), map[string]change{"key": func([]byte) []byte { return []byte(other.key + "\n") }}, nil)
	if _, err := b.verify(packed); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("%v, want another key", err)
	}
}

// TestIssuedBundlesVerifyForEver: those that were handed out are evidence
// somewhere. That the report says what the records give is derived again from form 4 on.
func TestIssuedBundlesVerifyForEver(t *testing.T) {
	for name, want := range map[string]struct {
		asked, records, parts int
		pictures, lacks       int // of screens
		derived               bool
	}{
		"form3-whole.zip": {asked: 13, records: 13}, "form3-person.zip": {asked: 4, records: 13, parts: 3},
		"form3-empty-span.zip": {records: 9},
		"form4-whole.zip":      {asked: 18, records: 18, pictures: 3, lacks: 1, derived: true},
		"form4-person.zip":     {asked: 4, records: 16, parts: 2, pictures: 2, derived: true},
		"form5-whole.zip":      {asked: 18, records: 18, pictures: 3, lacks: 1, derived: true},
		"form5-person.zip":     {asked: 4, records: 16, parts: 2, pictures: 2, derived: true},
	} {
		form, _, _ := strings.Cut(name, "-")
		key, err := os.ReadFile(filepath.Join("testdata", form+".vkey"))
		if err != nil {
			t.Fatal(err)
		}
		v, err := note.NewVerifier(strings.TrimSpace(string(key)))
		if err != nil {
			t.Fatal(err)
		}
		packed, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		o, err := bundle.Verify(bytes.NewReader(packed), int64(len(packed)), v, v.Name())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		there := 0
		for _, s := range o.Screens {
			if s.There {
				there++
			}
		}
		if o.Selected != want.asked || len(o.Indexes) != want.records || o.Parts != want.parts || there != want.pictures || len(o.Screens)-there != want.lacks {
			t.Errorf("%s: %d asked for of %d records, %d parts, %d of %d pictures; want %+v", name, o.Selected, len(o.Indexes), o.Parts, there, len(o.Screens), want)
		}
		if claims := strings.Join(o.Claims, "\n"); strings.Contains(claims, "all that the report says") == want.derived || strings.Count(claims, "does not have the picture") != want.lacks {
			t.Errorf("%s claims %s", name, claims)
		}
		if _, err := bundle.Verify(bytes.NewReader(append(packed, 0)), int64(len(packed)+1), v, v.Name()); err == nil {
			t.Errorf("%s with a byte more verifies", name)
		}
	}
}
