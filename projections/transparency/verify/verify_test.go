package verify

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"consentledger/domain/rounds"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/note"
)

const origin = "example.com/logs/demo"

// files are a log in memory.
type files map[string][]byte

func (f files) Read(_ context.Context, paths ...string) ([][]byte, error) {
	var all [][]byte
	for _, p := range paths {
		all = append(all, f[p])
	}
	return all, nil
}

// A keeper makes logs.
type keeper struct {
	signer   note.Signer
	verifier note.Verifier
	vkey     string
}

func newKeeper(t testing.TB) keeper {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return keeper{signer, verifier, vkey}
}

// publish makes the files of a log.
func (k keeper) publish(t testing.TB, records [][]byte) files {
	t.Helper()
	f := files{}
	keep := func(tile merkle.Tile, hashes []byte) { f[merkle.Path(tile)] = bytes.Clone(hashes) }
	var e merkle.Edge
	var bundle []byte
	for i, r := range records {
		e.Append(r, keep)
		bundle = merkle.AppendEntry(bundle, r)
		if t := merkle.At(-1, int64(i)/merkle.Width, int64(i)+1); t.W == merkle.Width || i == len(records)-1 {
			f[merkle.Path(t)], bundle = bundle, nil
		}
	}
	e.Partials(keep)
	signed, err := merkle.Sign(merkle.Checkpoint{Origin: origin, Size: e.Size, Root: e.Root()}, k.signer)
	if err != nil {
		t.Fatal(err)
	}
	f["checkpoint"] = signed
	return f
}

// record returns the i'th record of a made-up log of 20 persons.
func record(i int) []byte {
	person := i % 20
	parts := ""
	if i < 20 {
		parts = fmt.Sprintf(`"parts":[{"commitment":"%064x","ref":"%032x","role":"binding"}],`, i, person)
	}
	return fmt.Appendf(nil, `{"actor":"person","at":%d,"data":{"act":"agree-popup","items":[{"purpose":"ads"},{"purpose":"personalisation"}],"kind":"explicit","locale":"zh-CN","policy":"privacy","version":"sha256:%064x"},`+
		`"id":"%08x-0000-0000-0000-000000000000",%s"recorded":%d,"recorded_by":"unauthenticated","request":{"digest":"%032x","id":"%032x","source":"0600000000000000"},`+
		`"stream":"subject-demo-%032x","type":"consent.given.v2","v":1}`, 1767225600000+i, i, i, parts, 1767225600000+i, i, i, person)
}

func someRecords(n int) (all [][]byte) {
	for i := range n {
		all = append(all, record(i))
	}
	return all
}

func (k keeper) verify(t testing.TB, f files, seen ...merkle.Checkpoint) *Report {
	t.Helper()
	r, err := (&Log{Source: f, Verifier: k.verifier, Origin: origin, App: "demo", Seen: seen}).Verify(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if (r.Verdict == "") != (len(r.Findings) == 0) {
		t.Errorf("verdict %q on %d findings", r.Verdict, len(r.Findings))
	}
	return r
}

func TestWell(t *testing.T) {
	k := newKeeper(t)
	for _, n := range []int{0, 1, 2, 255, 256, 257, 511, 512, 700, 2100} {
		r := k.verify(t, k.publish(t, someRecords(n)))
		if r.Verdict != "" || r.Checkpoint.Size != int64(n) || r.Records != int64(n) {
			t.Errorf("a log of %d: %q %v", n, r.Verdict, r.Findings)
		}
	}
	r := k.verify(t, k.publish(t, someRecords(66_000)))
	if r.Verdict != "" {
		t.Errorf("a log of 66000: %q %v", r.Verdict, r.Findings)
	}
}

// TestMutations changes single bytes of small logs, anywhere: every change is
// found, and the place is named. 1,000 changes in all, or of each log as many as
// CONSENTLEDGER_ROUNDS says.
func TestMutations(t *testing.T) {
	k := newKeeper(t)
	found := map[string]int{}
	for size, changes := range map[int]int{30: rounds.Of(t, 900), 300: rounds.Of(t, 100)} {
		records := someRecords(size)
		log := k.publish(t, records)
		kinds := map[string][]string{}
		for path := range log {
			kind, _, _ := strings.Cut(strings.TrimPrefix(path, "tile/"), "/")
			kinds[kind] = append(kinds[kind], path)
		}
		names := slices.Sorted(maps.Keys(kinds)) // checkpoint, entries, the levels
		for range changes {
			paths := kinds[names[rand.IntN(len(names))]]
			path := paths[rand.IntN(len(paths))]
			at, change := rand.IntN(len(log[path])), byte(1+rand.IntN(255))
			log[path][at] ^= change
			checkMutation(t, k.verify(t, log), path, at, records)
			log[path][at] ^= change
			if found[path]++; t.Failed() {
				t.Fatalf("byte %d of %s changed by %02x", at, path, change)
			}
		}
		if r := k.verify(t, log); r.Verdict != "" {
			t.Errorf("changed back: %q", r.Verdict)
		}
	}
	t.Log(found)
}

// checkMutation wants the first finding to name the place.
func checkMutation(t *testing.T, r *Report, path string, at int, records [][]byte) {
	t.Helper()
	if len(r.Findings) == 0 {
		t.Error("nothing was found")
		return
	}
	f := r.Findings[0]
	want := int64(-1)
	tile, err := merkle.ParsePath(path)
	switch {
	case err != nil: // the checkpoint
	case tile.L == 0:
		want = tile.N*merkle.Width + int64(at/merkle.HashSize)
	case tile.L < 0:
		want = tile.N * merkle.Width
		for rest := at; rest >= 2+len(records[want]); want++ {
			rest -= 2 + len(records[want])
		}
	}
	if f.Path != path || f.Index != want {
		t.Errorf("found %v in %s, want record %d of %s", f, f.Path, want, path)
	}
}

// TestTampering: what somebody does who makes all tiles anew but has not the
// key, and what somebody does who has.
func TestTampering(t *testing.T) {
	k := newKeeper(t)
	records := someRecords(700)
	was := k.publish(t, records)
	before := k.verify(t, was)
	early := k.verify(t, k.publish(t, records[:300])).Checkpoint
	for name, tamper := range map[string]func() [][]byte{
		"changed": func() [][]byte {
			r := slices.Clone(records)
			r[400] = bytes.Replace(r[400], []byte("agree-popup"), []byte("agree-panel"), 1)
			return r
		},
		"removed":  func() [][]byte { return slices.Delete(slices.Clone(records), 400, 401) },
		"inserted": func() [][]byte { return slices.Insert(slices.Clone(records), 400, record(9999)) },
		"swapped": func() [][]byte {
			r := slices.Clone(records)
			r[400], r[401] = r[401], r[400]
			return r
		},
		"rolled back": func() [][]byte { return records[:500] },
	} {
		t.Run(name, func(t *testing.T) {
			other := k.publish(t, tamper())
			// Without the key: the signed checkpoint is the old one.
			stolen := maps.Clone(other)
			stolen["checkpoint"] = was["checkpoint"]
			if r := k.verify(t, stolen); r.Verdict == "" {
				t.Error("without the key, nothing was found")
			}
			// With the key: whoever remembers an older checkpoint finds it.
			r := k.verify(t, other, early, before.Checkpoint)
			if r.Verdict == "" {
				t.Error("with the key, nothing was found")
			}
			t.Log(r.Verdict, r.Findings)
		})
	}
	// A longer fork: the records of before are not all there, and between
	// which sizes the difference lies is told.
	other := someRecords(800)
	other[450] = record(9450)
	r := k.verify(t, k.publish(t, other), early, before.Checkpoint)
	if len(r.Findings) == 0 || !strings.Contains(fmt.Sprint(r.Findings), "the first that differs is from 300 to 699") {
		t.Errorf("a longer fork: %q %v", r.Verdict, r.Findings)
	}
}

func TestWrongKeyAndOrigin(t *testing.T) {
	k, other := newKeeper(t), newKeeper(t)
	f := k.publish(t, someRecords(10))
	if r := other.verify(t, f); r.Verdict == "" || r.Findings[0].Path != "checkpoint" {
		t.Errorf("another key: %v", r.Findings)
	}
	r, err := (&Log{Source: f, Verifier: k.verifier, Origin: "example.com/logs/other"}).Verify(t.Context())
	if err != nil || r.Verdict == "" {
		t.Errorf("another origin: %v", err)
	}
	if _, err := (&Log{Source: files{}, Verifier: k.verifier, Origin: origin}).Verify(t.Context()); err == nil {
		t.Error("no log at all was verified")
	}
}

// TestEndless: a size that no log has is no reason to read for ever.
func TestEndless(t *testing.T) {
	k := newKeeper(t)
	f := k.publish(t, someRecords(300))
	signed, err := merkle.Sign(merkle.Checkpoint{Origin: origin, Size: 1<<63 - 1}, k.signer)
	if err != nil {
		t.Fatal(err)
	}
	f["checkpoint"] = signed
	r := k.verify(t, f)
	if r.Verdict == "" || r.Findings[len(r.Findings)-1].Path == "" {
		t.Errorf("%q %v", r.Verdict, r.Findings)
	}
}

// TestSignedButWrong: a log that is signed as it is can still be wrong.
func TestSignedButWrong(t *testing.T) {
	k := newKeeper(t)
	edit := func(i int, old, new string) [][]byte {
		r := someRecords(60)
		if !bytes.Contains(r[i], []byte(old)) {
			t.Fatalf("record %d has no %s", i, old)
		}
		r[i] = bytes.Replace(r[i], []byte(old), []byte(new), 1)
		return r
	}
	for want, records := range map[string][][]byte{
		"it does not have the form of a record":             edit(30, `"v":1}`, `"v":1} `),
		`want the member "actor"`:                           edit(30, `"actor":"person",`, ``),
		"version 2 is not known here":                       edit(30, `"v":1}`, `"v":2}`),
		"does not come after the one before":                edit(30, `"act":"agree-popup",`, `"zzz":"agree-popup",`),
		"it is of the app other, in the log of demo":        edit(30, "subject-demo-", "subject-other-"),
		"and is not the first":                              edit(30, `"recorded":`, `"parts":[{"commitment":"00","ref":"00","role":"binding"}],"recorded":`),
		"the first record is missing":                       edit(5, `"role":"binding"`, `"role":"details"`),
		"it was recorded 31 ms before the record before it": edit(30, `"recorded":1767225600030`, `"recorded":1767225599979`),
		"s before a record that stands before it":           edit(5, `"recorded":1767225600005`, `"recorded":1767225000000`),
		"its id has 4 characters":                           edit(30, `"id":"0000001e-0000-0000-0000-000000000000"`, `"id":"0000"`),
	} {
		r := k.verify(t, k.publish(t, records))
		if len(r.Findings) == 0 || !strings.Contains(r.Findings[0].Text, want) || !strings.Contains(r.Verdict, "wrong already then") {
			t.Errorf("want %q, found %v: %s", want, r.Findings, r.Verdict)
		}
	}
}

func TestMemory(t *testing.T) {
	m := Memory{Key: "k+1+2", Origin: origin, Note: []byte("a note\n")}
	var e merkle.Edge
	for size := int64(1); size < 3000; size++ {
		e.Append(record(int(size)), func(merkle.Tile, []byte) {})
		if size%7 == 0 {
			m.Remember(merkle.Checkpoint{Origin: origin, Size: size, Root: e.Root()}, []byte("a note\n"))
		}
	}
	n := len(m.Seen)
	if n != maxSeen || m.Seen[0].Size != 7 || m.Seen[n-1].Size != 2996 || m.Seen[n-2].Size != 2989 {
		t.Errorf("%d are remembered, from %d to %d", n, m.Seen[0].Size, m.Seen[n-1].Size)
	}
	for i := 1; i < n; i++ {
		if gap := m.Seen[i].Size - m.Seen[i-1].Size; gap <= 0 || gap > 600 {
			t.Errorf("from %d to %d nothing is remembered", m.Seen[i-1].Size, m.Seen[i].Size)
		}
	}
	back, err := ParseMemory(m.Format())
	if err != nil || !bytes.Equal(back.Format(), m.Format()) || len(back.Seen) != n || back.Seen[3] != m.Seen[3] {
		t.Errorf("it is read as another: %v", err)
	}
	for _, bad := range []string{"", memoryHeader, memoryHeader + "key a\norigin b\nseen 2 " + e.Root().String() + "\nseen 1 " + e.Root().String() + "\n\n"} {
		if _, err := ParseMemory([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// BenchmarkVerify is a pass over a log in memory, on one core.
func BenchmarkVerify(b *testing.B) {
	k := newKeeper(b)
	f := k.publish(b, someRecords(100_000))
	size := 0
	for _, data := range f {
		size += len(data)
	}
	n := 0
	for b.Loop() {
		if r := k.verify(b, f); r.Verdict != "" {
			b.Fatal(r.Verdict)
		}
		n += 100_000
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(size)/100_000, "B/record")
}

// TestTimesFitEachOther: what a record says of its two times is what a ledger
// writes.
func TestTimesFitEachOther(t *testing.T) {
	k := newKeeper(t)
	for _, c := range []struct {
		name, old, new, want string
	}{
		{"a yes of five minutes ahead", `"at":1767225600003`, `"at":1767225900003`, ""},
		{"a yes of more than that", `"at":1767225600003`, `"at":1767225900004`, "a yes of 300001 ms after"},
		{"a no of before", `"consent.given.v2"`, `"consent.withdrawn.v2"`, ""},
		{"a no from the future", `"at":1767225600003`, `"at":1767225600004`, "a no of 1 ms after"},
		{"a claim that was clamped", `"data"`, `"claimed":1767225600099,"data"`, ""},
		{"a claim beside a time that it is not clamped to", `"at":1767225600003,`, `"at":1767225600002,"claimed":1767225600099,`, "keeps a claim"},
		{"a claim of before", `"data"`, `"claimed":1767225600001,"data"`, "keeps a claim"},
		{"a claim of nothing", `"data"`, `"claimed":0,"data"`, "a claim is a time"},
	} {
		records := someRecords(10)
		changed := strings.Replace(string(records[3]), c.old, c.new, 1)
		if strings.HasPrefix(c.name, "a no") {
			changed = strings.Replace(changed, `"consent.given.v2"`, `"consent.withdrawn.v2"`, 1)
		}
		records[3] = []byte(changed)
		r := k.verify(t, k.publish(t, records))
		if found := fmt.Sprint(r.Findings); (c.want == "") != (len(r.Findings) == 0) || !strings.Contains(found, c.want) {
			t.Errorf("%s: %s", c.name, found)
		}
	}
}

// TestWhatIsBesideTheLog: what somebody else finds beside a record is told with
// the record, and is no fault of the log.
func TestWhatIsBesideTheLog(t *testing.T) {
	k, n := newKeeper(t), 0
	log := Log{Source: k.publish(t, someRecords(300)), Verifier: k.verifier, Origin: origin, Beside: func(record []byte) []string {
		if n++; n == 257 {
			return []string{"an entry was swapped"}
		}
		return nil
	}}
	r, err := log.Verify(t.Context())
	if err != nil || n != 300 || len(r.Findings) != 1 || r.Findings[0].Index != 256 || !strings.Contains(r.Verdict, "what is kept beside them") {
		t.Errorf("%d records: %+v, %v", n, r, err)
	}
}
