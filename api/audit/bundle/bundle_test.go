package bundle_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"consentledger/api/audit/bundle"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/note"
)

const origin = "logs.example.com/demo"

// A book is a log in memory, and who signs it.
type book struct {
	t        *testing.T
	signer   note.Signer
	verifier note.Verifier
	key      string
	records  [][]byte
	tiles    map[string][]byte
	edge     merkle.Edge
}

func newBook(t *testing.T) *book {
	t.Helper()
	secret, key, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	b := &book{t: t, key: key, tiles: map[string][]byte{}}
	if b.signer, err = note.NewSigner(secret); err != nil {
		t.Fatal(err)
	}
	if b.verifier, err = note.NewVerifier(key); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *book) add(stream, kind, data, parts string) {
	n := len(b.records)
	record := fmt.Appendf(nil, `{"actor":"person","at":%d,"data":%s,"id":"%08x-0000-8000-8000-000000000000",%s"recorded":%d,"recorded_by":"desk","request":{"digest":"00","id":"00","sequence":%d,"source":"s"},"stream":%q,"type":%q,"v":1}`,
		1000+n, data, n, parts, 1000+n, n+1, stream, kind)
	b.records = append(b.records, record)
	b.edge.Append(record, func(t merkle.Tile, hashes []byte) { b.tiles[merkle.Path(t)] = bytes.Clone(hashes) })
}

// fill adds a small life: two persons, a link, a void, a request, a policy.
func (b *book) fill() {
	b.add("policy-demo-main", "policy.effective.v1", `{"version":"sha256:`+strings.Repeat("ab", 32)+`"}`, "")
	for i := range 300 {
		b.add("subject-demo-aa", "consent.given.v2", `{}`, part(i, "aa"))
		b.add("subject-demo-bb", "consent.given.v2", `{}`, "")
	}
	b.add("request-demo-r1", "request.received.v1", `{"cause":"x","subject":"aa"}`, "")
	b.add("request-demo-r1", "stepped.v1", `{}`, "")
	b.add("request-demo-r2", "request.received.v1", `{"subject":"bb"}`, "")
	b.add("obligation-demo-o1", "obligation.opened.v1", `{"cause":{"subject":"aa"}}`, "")
	b.add("subject-demo-aa", "subject.linked.v1", `{"other":"cc"}`, "")
	b.add("subject-demo-aa", "record.voided.v1", `{}`, "")
}

var opening = bytes.Repeat([]byte{7}, 32)

func part(i int, ref string) string {
	mac := hmac.New(sha256.New, opening)
	fmt.Fprintf(mac, "text %d", i)
	return fmt.Sprintf(`"parts":[{"commitment":%q,"ref":%q,"role":"details"}],`, hex.EncodeToString(mac.Sum(nil)), ref)
}

func (b *book) tile(t merkle.Tile) ([]byte, error) {
	if t.L < 0 {
		var bundle []byte
		for _, r := range b.records[t.N*merkle.Width:][:t.W] {
			bundle = merkle.AppendEntry(bundle, r)
		}
		return bundle, nil
	}
	data, ok := b.tiles[merkle.Path(merkle.At(t.L, t.N, (t.N+1)*merkle.Width<<(8*t.L)))]
	if !ok {
		data = b.edge.Last(t.L)
	}
	if len(data) < t.W*merkle.HashSize {
		return nil, errors.New("no such tile")
	}
	return data[:t.W*merkle.HashSize], nil
}

// pack makes a bundle.
func (b *book) pack(s bundle.Selection, disclose bool) []byte {
	b.t.Helper()
	tree := merkle.Checkpoint{Origin: origin, Size: int64(len(b.records)), Root: b.edge.Root()}
	signed, err := merkle.Sign(tree, b.signer)
	if err != nil {
		b.t.Fatal(err)
	}
	m := bundle.Maker{Checkpoint: signed, Tree: tree, Key: b.key, Tiles: b.tile, Now: time.Unix(1, 0), Report: bundle.Report("zh"),
		Blob: func(context.Context, string) ([]byte, bool, error) { return nil, false, nil }}
	if disclose {
		m.Parts = func(_ context.Context, record []byte) ([]bundle.Part, error) {
			var r struct {
				ID, Stream string
				At         int
				Parts      []struct{ Ref, Role string }
			}
			if err := json.Unmarshal(record, &r); err != nil || len(r.Parts) == 0 {
				return nil, err
			}
			return []bundle.Part{{Event: r.ID, Role: "details", Ref: "aa", Text: fmt.Appendf(nil, "text %d", (r.At-1001)/2), Opening: opening}}, nil
		}
	}
	var out bytes.Buffer
	if _, err := m.Write(b.t.Context(), &out, s); err != nil {
		b.t.Fatal(err)
	}
	return out.Bytes()
}

func (b *book) verify(packed []byte) (*bundle.Opened, error) {
	return bundle.Verify(bytes.NewReader(packed), int64(len(packed)), b.verifier, origin)
}

func TestABundleVerifiesAndIsComplete(t *testing.T) {
	b := newBook(t)
	b.fill()
	for _, tt := range []struct {
		name     string
		s        bundle.Selection
		disclose bool
		records  int
		parts    int
	}{
		{"the whole log", bundle.Selection{App: "demo"}, false, 607, 0},
		{"the whole log, opened", bundle.Selection{App: "demo"}, true, 607, 300},
		{"a span", bundle.Selection{App: "demo", From: 1010, To: 1020}, false, 10, 0},
		{"a person", bundle.Selection{App: "demo", Subject: "aa"}, true, 306, 300},
		{"a person of whom there is little", bundle.Selection{App: "demo", Subject: "zz"}, false, 1, 0},
	} {
		packed := b.pack(tt.s, tt.disclose)
		o, err := b.verify(packed)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if len(o.Indexes) != tt.records || o.Parts != tt.parts {
			t.Errorf("%s: %d records, %d parts", tt.name, len(o.Indexes), o.Parts)
		}
		if err := o.Against(b.tile); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if again := b.pack(tt.s, tt.disclose); !bytes.Equal(packed, again) {
			t.Errorf("%s: made twice, it is two files", tt.name)
		}
	}
}

func TestAPersonsBundleSaysWhatItLeavesOut(t *testing.T) {
	b := newBook(t)
	b.fill()
	o, err := b.verify(b.pack(bundle.Selection{App: "demo", Subject: "aa"}, false))
	if err != nil {
		t.Fatal(err)
	}
	if m := o.Manifest; fmt.Sprint(m.Linked) != "[subject-demo-cc]" || m.Voids != 1 || len(m.Gaps) != 0 || m.Rejected != nil {
		t.Errorf("%+v", m)
	}
}

func TestAGapInAProducersNumbersShows(t *testing.T) {
	b := newBook(t)
	b.fill()
	b.records = b.records[:5]
	whole := b.records
	b.records, b.tiles, b.edge = nil, map[string][]byte{}, merkle.Edge{}
	for i, r := range whole {
		if i != 2 {
			b.records = append(b.records, r)
			b.edge.Append(r, func(merkle.Tile, []byte) {})
		}
	}
	o, err := b.verify(b.pack(bundle.Selection{App: "demo"}, false))
	if err != nil || len(o.Manifest.Gaps) != 1 || o.Manifest.Gaps[0] != (bundle.Gap{Source: "s", After: 2, Before: 4}) {
		t.Errorf("%+v, %v", o, err)
	}
}

// rewrite packs a bundle anew with one file changed, and a manifest that fits.
func rewrite(t *testing.T, packed []byte, name string, change func([]byte) []byte, manifest func(*bundle.Manifest)) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	var m bundle.Manifest
	sums := map[string]bundle.File{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == name {
			text = change(text)
		}
		sum := sha256.Sum256(text)
		sums[f.Name] = bundle.File{Name: f.Name, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:])}
		if f.Name == "manifest.json" {
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatal(err)
			}
			for i := range m.Files {
				m.Files[i] = sums[m.Files[i].Name]
			}
			if manifest != nil {
				manifest(&m)
			}
			if text, err = json.Marshal(m); err != nil {
				t.Fatal(err)
			}
		}
		file, err := w.Create(f.Name)
		if err == nil {
			_, err = file.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func dropLine(n int) func([]byte) []byte {
	return func(text []byte) []byte {
		lines := bytes.SplitAfter(text, []byte("\n"))
		return bytes.Join(append(lines[:n:n], lines[n+1:]...), nil)
	}
}

func TestWhatWasChangedIsFound(t *testing.T) {
	b := newBook(t)
	b.fill()
	packed := b.pack(bundle.Selection{App: "demo", Subject: "aa"}, true)
	replace := func(old, new string) func([]byte) []byte {
		return func(text []byte) []byte { return bytes.Replace(text, []byte(old), []byte(new), 1) }
	}
	same := func(text []byte) []byte { return text }
	for _, tt := range []struct {
		name, file string
		change     func([]byte) []byte
		manifest   func(*bundle.Manifest)
		want       string
	}{
		{"a record", "records.jsonl", replace("consent.given.v2", "consent.lost.v2"), nil, "is not in the tree"},
		{"a record's index", "records.jsonl", replace(`"index":1,`, `"index":2,`), nil, "is not in the tree"},
		{"a personal text", "parts.jsonl", replace("dGV4dCAw", "dGV4dCAx"), nil, "is not what was recorded"},
		{"a part of another record", "parts.jsonl", replace("00000001-", "00000002-"), nil, "no record has the part"},
		{"the checkpoint", "checkpoint", replace("607", "608"), nil, "checkpoint"},
		{"the manifest's tree", "key", same, func(m *bundle.Manifest) { m.Tree.Size = 1 }, "not the one of the checkpoint"},
		{"the manifest's person", "key", same, func(m *bundle.Manifest) { m.Selection.Subject = "bb" }, "not of what the manifest says"},
		{"a count", "key", same, func(m *bundle.Manifest) { m.Voids = 0 }, "counts"},
		{"a file that is missing", "key", same, func(m *bundle.Manifest) { m.Files = append(m.Files, bundle.File{Name: "x"}) }, "x is missing"},
		{"a record that is left out, its count not", "records.jsonl", dropLine(302), nil, "the bundle has"},
	} {
		_, err := b.verify(rewrite(t, packed, tt.file, tt.change, tt.manifest))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	other := newBook(t)
	if _, err := bundle.Verify(bytes.NewReader(packed), int64(len(packed)), other.verifier, origin); err == nil {
		t.Error("another key verifies")
	}
	if _, err := bundle.Verify(bytes.NewReader(packed), int64(len(packed)), b.verifier, "logs.example.com/other"); err == nil {
		t.Error("another origin verifies")
	}
}

func TestARecordThatWasLeftOutIsFoundAgainstTheLog(t *testing.T) {
	b := newBook(t)
	b.fill()
	packed := b.pack(bundle.Selection{App: "demo", Subject: "aa"}, false)
	for _, line := range []int{0, 1, 150, 305} {
		cut := rewrite(t, packed, "records.jsonl", dropLine(line), func(m *bundle.Manifest) {
			index := []string{"policy-demo-main", "subject-demo-aa", "subject-demo-aa", "subject-demo-aa"}[map[int]int{0: 0, 1: 1, 150: 2, 305: 3}[line]]
			if line == 305 {
				m.Voids = 0
			}
			for i := range m.Streams {
				if m.Streams[i].Stream == index {
					m.Streams[i].Records--
				}
			}
			if line == 0 {
				m.Streams = m.Streams[:0:0]
				o, _ := b.verify(packed)
				for _, s := range o.Manifest.Streams {
					if s.Stream != index {
						m.Streams = append(m.Streams, s)
					}
				}
			}
		})
		o, err := b.verify(cut)
		if err != nil {
			t.Errorf("line %d: what is there does not verify: %v", line, err)
			continue
		}
		if err := o.Against(b.tile); err == nil || !strings.Contains(err.Error(), "was left out") {
			t.Errorf("line %d: %v", line, err)
		}
	}
	o, err := b.verify(packed)
	if err != nil {
		t.Fatal(err)
	}
	other := newBook(t)
	other.fill()
	other.records[3] = bytes.Replace(other.records[3], []byte("desk"), []byte("disk"), 1)
	if err := o.Against(other.tile); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("against another history: %v", err)
	}
}

// Every byte counts: none can be changed so that something else verifies.
func FuzzVerify(f *testing.F) {
	t := &testing.T{}
	b := newBook(t)
	b.add("policy-demo-main", "policy.effective.v1", `{}`, "")
	tree := merkle.Checkpoint{Origin: origin, Size: 1, Root: b.edge.Root()}
	signed, err := merkle.Sign(tree, b.signer)
	if err != nil {
		f.Fatal(err)
	}
	var out bytes.Buffer
	m := bundle.Maker{Checkpoint: signed, Tree: tree, Key: b.key, Tiles: b.tile, Now: time.Unix(1, 0)}
	if _, err := m.Write(context.Background(), &out, bundle.Selection{App: "demo"}); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, packed []byte) {
		o, err := bundle.Verify(bytes.NewReader(packed), int64(len(packed)), b.verifier, origin)
		if err == nil && (o.Checkpoint != tree || len(o.Indexes) > 1) {
			t.Errorf("%+v", o)
		}
	})
}
