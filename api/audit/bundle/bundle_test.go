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
	"slices"
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
	lang     string            // of the report
	blobs    map[string]string // by hash
}

func newBook(t *testing.T) *book {
	t.Helper()
	secret, key, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	b := &book{t: t, key: key, lang: "zh", tiles: map[string][]byte{}}
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
	record := fmt.Appendf(nil, `{"actor":"person","at":%d,"data":%s,"id":"%08x-0000-8000-8000-000000000000",%s"recorded":%d,"recorded_by":"desk","request":{"digest":"00000000000000000000000000000000","id":"00000000000000000000000000000000","sequence":%d,"source":"0600000000000000"},"stream":%q,"type":%q,"v":1}`,
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
	m := bundle.Maker{Checkpoint: signed, Tree: tree, Key: b.key, Tiles: b.tile, Now: time.Unix(1, 0), Lang: b.lang,
		Blob: func(_ context.Context, hash string) ([]byte, bool, error) {
			text, ok := b.blobs[hash]
			return []byte(text), ok, nil
		}}
	if disclose {
		m.Show.All = true
		opener := func(_ context.Context, record []byte) ([]bundle.Part, error) {
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
		m.Open = func(_ context.Context, records, parts int) (bundle.Opener, error) {
			if parts != 300 || records < parts {
				b.t.Errorf("asked to open %d parts of %d records", parts, records)
			}
			return opener, nil
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
		{"a span", bundle.Selection{App: "demo", From: 1010, To: 1020}, false, 11, 0},
		{"a person", bundle.Selection{App: "demo", Subject: "aa"}, true, 306, 300},
		{"a person, as far as it began before", bundle.Selection{App: "demo", Subject: "aa", From: 1602}, false, 6, 0},
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
		if err := o.Against(b.tile, tt.s); err != nil {
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
	if err != nil || len(o.Manifest.Gaps) != 1 || o.Manifest.Gaps[0] != (bundle.Gap{Source: "0600000000000000", After: 2, Before: 4}) {
		t.Errorf("%+v, %v", o, err)
	}
}

// A change rewrites a file of a bundle; nil removes it.
type change = func([]byte) []byte

// rewrite packs a bundle anew with files changed, and a manifest that fits.
func rewrite(t *testing.T, packed []byte, changes map[string]change, manifest func(*bundle.Manifest)) []byte {
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
		for name, change := range changes {
			if strings.HasPrefix(f.Name, name) {
				text = change(text)
			}
		}
		if text == nil {
			continue
		}
		sum := sha256.Sum256(text)
		sums[f.Name] = bundle.File{Name: f.Name, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:])}
		if f.Name == "manifest.json" {
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatal(err)
			}
			m.Files = nil
			for _, file := range sums {
				if file.Name != "manifest.json" {
					m.Files = append(m.Files, file)
				}
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

func replace(old, new string) change {
	return func(text []byte) []byte { return bytes.Replace(text, []byte(old), []byte(new), 1) }
}

func gone([]byte) []byte { return nil }

func TestWhatWasChangedIsFound(t *testing.T) {
	b := newBook(t)
	b.fill()
	packed := b.pack(bundle.Selection{App: "demo", Subject: "aa"}, true)
	for _, tt := range []struct {
		name     string
		changes  map[string]change
		manifest func(*bundle.Manifest)
		want     string
	}{
		{"a record", map[string]change{"records.jsonl": replace("consent.given.v2", "consent.lost.v2")}, nil, "is not in the tree"},
		{"a record's index", map[string]change{"records.jsonl": replace(`"index":1,`, `"index":2,`)}, nil, "is not in the tree"},
		{"a personal text", map[string]change{"parts.jsonl": replace("dGV4dCAw", "dGV4dCAx")}, nil, "is not what was recorded"},
		{"a part of another record", map[string]change{"parts.jsonl": replace("00000001-", "00000002-")}, nil, "no record has the part"},
		{"the checkpoint", map[string]change{"checkpoint": replace("607", "608")}, nil, "checkpoint"},
		{"the report", map[string]change{"report.md": replace("aa", "bb")}, nil, "report.md: it does not say"},
		{"the report for printing", map[string]change{"report.html": replace("aa", "bb")}, nil, "report.html: it does not say"},
		{"a report that is gone", map[string]change{"report.md": gone}, nil, "report.md is missing"},
		{"the manifest's tree", nil, func(m *bundle.Manifest) { m.Tree.Size = 1 }, "not the one of the checkpoint"},
		{"the manifest's person", nil, func(m *bundle.Manifest) { m.Selection.Subject = "bb" }, "not of what the manifest says"},
		{"a linked stream that is hidden", nil, func(m *bundle.Manifest) { m.Linked = nil }, "linked streams"},
		{"a linked stream that is made up", nil, func(m *bundle.Manifest) { m.Linked = append(m.Linked, "subject-demo-dd") }, "linked streams"},
		{"a linked history that is made up", nil, func(m *bundle.Manifest) { m.Selection.Linked = []string{"dd"} }, "no record links it"},
		{"the software, which the report names", nil, func(m *bundle.Manifest) { m.Software.Version = "v9" }, "report.md: it does not say"},
		{"the rejected messages, which the report names", nil, func(m *bundle.Manifest) { m.Rejected = new(int) }, "report.md: it does not say"},
		{"a text that is missed and that nothing names", nil, func(m *bundle.Manifest) { m.Missing = []string{"sha256:" + strings.Repeat("ab", 32)} }, "which no record names"},
		{"a count", nil, func(m *bundle.Manifest) { m.Voids = 0 }, "counts"},
		{"a file that is missing", nil, func(m *bundle.Manifest) { m.Files = append(m.Files, bundle.File{Name: "x"}) }, "x is missing"},
		{"a record that is left out, its count not", map[string]change{"records.jsonl": dropLine(302)}, nil, "the bundle has"},
		{"how far a stream goes", map[string]change{"streams.jsonl": replace(`"request-demo-r1","last_revision":2`, `"request-demo-r1","last_revision":1`)}, nil, "ends at revision 1"},
		{"a stream that is not told of", map[string]change{"streams.jsonl": dropLine(0)}, nil, "does not name every stream"},
	} {
		_, err := b.verify(rewrite(t, packed, tt.changes, tt.manifest))
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

// TestARecordThatWasLeftOutIsFoundAgainstTheLog: whoever leaves a record out
// makes all the rest fit.
func TestARecordThatWasLeftOutIsFoundAgainstTheLog(t *testing.T) {
	b := newBook(t)
	b.fill()
	b.lang = ""
	asked := bundle.Selection{App: "demo", Subject: "aa"}
	packed := b.pack(asked, false)
	for line, stream := range map[int]change{
		0:   dropLine(1),
		1:   replace(`"records":302`, `"records":301`),
		150: replace(`"records":302`, `"records":301`),
		305: replace(`"records":302`, `"records":301`),
	} {
		cut := rewrite(t, packed, map[string]change{"records.jsonl": dropLine(line), "streams.jsonl": stream}, func(m *bundle.Manifest) {
			if line == 305 {
				m.Voids = 0
			}
		})
		o, err := b.verify(cut)
		if err != nil {
			t.Errorf("line %d: what is there does not verify: %v", line, err)
			continue
		}
		if err := o.Against(b.tile, asked); err == nil || !strings.Contains(err.Error(), "was left out") {
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
	if err := o.Against(other.tile, asked); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("against another history: %v", err)
	}
}

// TestCompleteIsWhatWasAskedFor: whoever makes a bundle of less than was asked
// for, and says so in its manifest, does not pass for complete.
func TestCompleteIsWhatWasAskedFor(t *testing.T) {
	b := newBook(t)
	b.fill()
	whole, person := bundle.Selection{App: "demo"}, bundle.Selection{App: "demo", Subject: "aa"}
	for _, tt := range []struct{ made, asked bundle.Selection }{
		{bundle.Selection{App: "demo", To: 1500}, whole},
		{bundle.Selection{App: "demo", From: 1500}, whole},
		{person, whole},
		{whole, person},
		{bundle.Selection{App: "demo", Subject: "aa", To: 1500}, person},
		{bundle.Selection{App: "demo", Subject: "bb"}, person},
	} {
		o, err := b.verify(b.pack(tt.made, false))
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Against(b.tile, tt.asked); err == nil || !strings.Contains(err.Error(), "what was asked for is "+tt.asked.String()) {
			t.Errorf("made of %s, asked for %s: %v", tt.made, tt.asked, err)
		}
	}
	// The narrowed manifest, its records cut to fit.
	b.lang = ""
	narrow := rewrite(t, b.pack(whole, false), map[string]change{"records.jsonl": func(text []byte) []byte {
		return bytes.Join(bytes.SplitAfter(text, []byte("\n"))[:100], nil)
	}, "streams.jsonl": func([]byte) []byte {
		return []byte(`{"last_revision":1,"records":1,"stream":"policy-demo-main"}` + "\n" + `{"last_revision":300,"records":50,"stream":"subject-demo-aa"}` + "\n" + `{"last_revision":300,"records":49,"stream":"subject-demo-bb"}` + "\n")
	}}, func(m *bundle.Manifest) { m.Selection.To, m.Linked, m.Voids = 1100, nil, 0 })
	o, err := b.verify(narrow)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Against(b.tile, whole); err == nil {
		t.Error("a part passed for all")
	}
}

// TestLinkedHistoriesAreInThePersonsBundle: and what they say of themselves.
func TestLinkedHistoriesAreInThePersonsBundle(t *testing.T) {
	b := newBook(t)
	b.fill()
	b.add("subject-demo-cc", "subject.linked.v1", `{"other":"aa"}`, "")
	b.add("request-demo-r3", "request.received.v1", `{"subject":"cc"}`, "")
	o, err := b.verify(b.pack(bundle.Selection{App: "demo", Subject: "aa", Linked: []string{"cc"}}, false))
	if err != nil || len(o.Indexes) != 308 || len(o.Manifest.Linked) != 0 {
		t.Fatalf("%+v, %v", o, err)
	}
	if err := o.Against(b.tile, bundle.Selection{App: "demo", Subject: "aa"}); err != nil {
		t.Error(err)
	}
}

// TestNothingIsOpenedWhenTheAccessIsNotRecorded: then there is no bundle.
func TestNothingIsOpenedWhenTheAccessIsNotRecorded(t *testing.T) {
	b := newBook(t)
	b.fill()
	tree := merkle.Checkpoint{Origin: origin, Size: int64(len(b.records)), Root: b.edge.Root()}
	broken := errors.New("the disk is full")
	m := bundle.Maker{Tree: tree, Tiles: b.tile, Show: bundle.Show{All: true}, Open: func(context.Context, int, int) (bundle.Opener, error) { return nil, broken }}
	if _, err := m.Write(t.Context(), io.Discard, bundle.Selection{App: "demo"}); !errors.Is(err, broken) {
		t.Error(err)
	}
	m.Open = nil
	if _, err := m.Write(t.Context(), io.Discard, bundle.Selection{App: "demo"}); err == nil {
		t.Error("opened without an access")
	}
}

// TestOnlyWhatIsChosenIsShown: of some records, in some roles.
func TestOnlyWhatIsChosenIsShown(t *testing.T) {
	b := newBook(t)
	b.fill()
	tree := merkle.Checkpoint{Origin: origin, Size: int64(len(b.records)), Root: b.edge.Root()}
	for _, tt := range []struct {
		show bundle.Show
		want int
	}{
		{bundle.Show{}, 0}, {bundle.Show{All: true}, 300}, {bundle.Show{All: true, Roles: []string{"details"}}, 300}, {bundle.Show{All: true, Roles: []string{"binding"}}, 0},
		{bundle.Show{All: true, Events: []string{"00000001-0000-8000-8000-000000000000"}}, 1},
	} {
		asked := -1
		m := bundle.Maker{Tree: tree, Tiles: b.tile, Show: tt.show, Open: func(_ context.Context, _, parts int) (bundle.Opener, error) {
			asked = parts
			return nil, errors.New("enough")
		}}
		if _, err := m.Write(t.Context(), io.Discard, bundle.Selection{App: "demo", Subject: "aa"}); err == nil || asked != tt.want {
			t.Errorf("%+v: asked for %d, want %d (%v)", tt.show, asked, tt.want, err)
		}
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

// TestAPolicysTextMayNotBeMissing: a bundle that lacks a text which a published
// policy names fails, also if its manifest says that the ledger never had it.
func TestAPolicysTextMayNotBeMissing(t *testing.T) {
	b := newBook(t)
	b.lang = ""
	sum := sha256.Sum256([]byte("the terms"))
	hash := hex.EncodeToString(sum[:])
	b.blobs = map[string]string{"sha256:" + hash: "the terms"}
	b.add("policy-demo-main", "policy.published.v2", `{"document":{"jurisdiction":"CN","name":"main","schema":"policy/1","texts":[{"hash":"sha256:`+hash+`","locale":"en"}],"timezone":"Asia/Shanghai"},"effective":1,"version":"sha256:`+strings.Repeat("01", 32)+`"}`, "")
	packed := b.pack(bundle.Selection{App: "demo"}, false)
	if _, err := b.verify(packed); err != nil {
		t.Fatalf("with its text: %v", err)
	}
	without := map[string]change{"blobs/" + hash: gone}
	for name, manifest := range map[string]func(*bundle.Manifest){
		"not told of": nil,
		"told of":     func(m *bundle.Manifest) { m.Missing = []string{"sha256:" + hash} },
	} {
		_, err := b.verify(rewrite(t, packed, without, manifest))
		if want := "the policy text sha256:" + hash + ", which a record names, is missing"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// TestWhatIsNotReadIsClaimed: a record of a later form names texts that nobody here
// can look for, and that is said.
func TestWhatIsNotReadIsClaimed(t *testing.T) {
	b := newBook(t)
	b.lang = ""
	b.add("policy-demo-main", "policy.effective.v1", `{"version":"sha256:`+strings.Repeat("ab", 32)+`"}`, "")
	b.add("policy-demo-main", "policy.published.v99", `{"texts":["sha256:`+strings.Repeat("cd", 32)+`"]}`, "")
	b.add("subject-demo-aa", "consent.given.v99", `{}`, "")
	o, err := b.verify(b.pack(bundle.Selection{App: "demo"}, false))
	want := "that the texts which 2 records name are there: this program does not read these records, the first of them is 1 (policy.published.v99)"
	if err != nil || !slices.Contains(o.Claims, want) {
		t.Errorf("claimed is %q, %v; want %q", o.Claims, err, want)
	}
	o, err = b.verify(b.pack(bundle.Selection{App: "demo", To: 1000}, false))
	if err != nil || slices.ContainsFunc(o.Claims, func(c string) bool { return strings.Contains(c, "does not read") }) {
		t.Errorf("of what is all read: %q, %v", o.Claims, err)
	}
}
