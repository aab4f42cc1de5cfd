package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/projections/transparency/merkle"
	"consentledger/projections/transparency/publish"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// tool returns where one of the programs is that are nobody's code here. The
// first use of all installs it.
func tool(t *testing.T, name string) string {
	t.Helper()
	var log bytes.Buffer
	c := exec.Command("go", "run", "consentledger/cmd/internal/logtools", name)
	c.Stderr = io.MultiWriter(&log, os.Stderr)
	path, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	return strings.TrimSpace(string(path))
}

// An outsider is a program that is not ours. It returns nil if it accepts the
// log at a URL, http or file.
type outsider func(t *testing.T, at, vkey string) error

// fsck runs Tessera's. It exits with 0 whatever it finds, so that only its
// word of success counts, with the size.
func fsck(t *testing.T, at, vkey string) error {
	t.Helper()
	key := filepath.Join(t.TempDir(), "vkey")
	if err := os.WriteFile(key, []byte(vkey), 0o600); err != nil {
		t.Fatal(err)
	}
	// More workers than there are bad tiles: with fewer it waits for ever.
	c := exec.CommandContext(t.Context(), tool(t, "fsck"), "--storage_url="+at+"/", "--public_key="+key, "--ui=false", "-N", "64")
	out, err := c.CombinedOutput()
	if err == nil && !strings.Contains(string(out), "Successfully fsck'd log with size ") {
		err = errors.New("no word of success")
	}
	if err != nil {
		return fmt.Errorf("fsck: %w: %s", err, out)
	}
	return nil
}

// torch reads the log with Torchwood's client.
func torch(t *testing.T, at, vkey string) error {
	t.Helper()
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	var tr torchwood.TileReader
	if dir, is := strings.CutPrefix(at, "file://"); is {
		tr, err = torchwood.NewTileFS(os.DirFS(dir))
	} else {
		tr, err = torchwood.NewTileFetcher(at)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	signed, err := tr.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return err
	}
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(base+"/demo"), torchwood.SingleVerifierPolicy(v))
	c, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(tr)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for range client.AllEntries(ctx, c.Tree, 0) {
		n++
	}
	if err := client.Err(); err != nil {
		return err
	}
	if n != c.N {
		return fmt.Errorf("%d entries of %d", n, c.N)
	}
	return nil
}

var outsiders = map[string]outsider{"fsck": fsck, "torchwood": torch}

// Read implements [verify.Source].
func (h *testServer) Read(_ context.Context, paths ...string) (files [][]byte, err error) {
	for _, path := range paths {
		resp, body := h.get("/" + path)
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s", path, resp.Status)
		}
		files = append(files, body)
	}
	return files, nil
}

// TestOutsidersAccept: programs that are not ours accept our log, as it is
// served and as it is published in files, at sizes where tiles begin and end.
func TestOutsidersAccept(t *testing.T) {
	h := newTestServer(t)
	records := someRecords(66_000)
	done, dir := 0, t.TempDir()
	for _, size := range []int{1, 256, 257, 66_000} {
		h.add(records[done:size]...)
		done = size
		if _, err := publish.Write(t.Context(), h, dir); err != nil {
			t.Fatal(err)
		}
		for name, accept := range outsiders {
			for _, at := range []string{h.url, "file://" + dir} {
				if err := accept(t, at, h.vkey()); err != nil {
					t.Errorf("%s of %d records at %s: %v", name, size, at[:7], err)
				}
			}
		}
	}
}

// publishAs writes the files of a log of these records, as somebody would who
// has no key: under a checkpoint that was signed for other records.
func publishAs(t *testing.T, records [][]byte, checkpoint []byte) string {
	t.Helper()
	dir := t.TempDir()
	keep := func(tile merkle.Tile, data []byte) {
		name := filepath.Join(dir, merkle.Path(tile))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var e merkle.Edge
	var bundle []byte
	for i, r := range records {
		e.Append(r, keep)
		bundle = merkle.AppendEntry(bundle, r)
		if tile := merkle.At(-1, int64(i)/merkle.Width, int64(i)+1); tile.W == merkle.Width || i == len(records)-1 {
			keep(tile, bundle)
			bundle = nil
		}
	}
	e.Partials(keep)
	if err := os.WriteFile(filepath.Join(dir, "checkpoint"), checkpoint, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestOutsidersReject: what was tampered with is rejected by programs that are
// not ours, served and on disk, whether the tiles were made to fit or not.
func TestOutsidersReject(t *testing.T) {
	h := newTestServer(t)
	records := someRecords(700)
	h.add(records...)
	_, checkpoint := h.get("/checkpoint")
	vkey := h.vkey()
	otherKey := newTestServer(t)
	otherKey.add(records...)

	// What is published here untouched is accepted: so it is the tampering
	// that is rejected below, and not the publishing.
	for _, err := range judged(t, publishAs(t, records, checkpoint), vkey) {
		if err != nil {
			t.Error(err)
		}
	}
	changed := slices.Clone(records)
	changed[400] = []byte(`{"n":400,"text":"another"}`)
	swapped := slices.Clone(records)
	swapped[400], swapped[401] = swapped[401], swapped[400]
	for name, records := range map[string][][]byte{
		"changed":     changed,
		"removed":     slices.Delete(slices.Clone(records), 400, 401),
		"inserted":    slices.Insert(slices.Clone(records), 400, []byte(`{"n":"slipped in"}`)),
		"swapped":     swapped,
		"rolled back": records[:500],
	} {
		fits := publishAs(t, records, checkpoint)
		rejects(t, name+", tiles made to fit", fits, vkey)
	}
	// Only the entries are another; the tiles of hashes are the true ones.
	for name, records := range map[string][][]byte{"changed": changed, "swapped": swapped} {
		dir := publishAs(t, records, checkpoint)
		tiles := filepath.Join(h.dir, "tiles", "demo", "tile")
		for _, level := range []string{"0", "1"} {
			os.RemoveAll(filepath.Join(dir, "tile", level))
			if err := os.CopyFS(filepath.Join(dir, "tile", level), os.DirFS(filepath.Join(tiles, level))); err != nil {
				t.Fatal(err)
			}
		}
		rejects(t, name+", tiles left", dir, vkey)
	}
	rejects(t, "wrong key", publishAs(t, records, checkpoint), otherKey.vkey())
	_, foreign := otherKey.get("/checkpoint")
	rejects(t, "signed by another key", publishAs(t, records, foreign), vkey)
}

func rejects(t *testing.T, name, dir, vkey string) {
	t.Helper()
	for _, err := range judged(t, dir, vkey) {
		if err == nil {
			t.Errorf("a program accepts a log with: %s", name)
		}
	}
}

// judged asks every program about a log in a directory, there and served.
func judged(t *testing.T, dir, vkey string) (verdicts []error) {
	t.Helper()
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	for who, accept := range outsiders {
		for _, at := range []string{server.URL, "file://" + dir} {
			err := accept(t, at, vkey)
			t.Logf("%s of %.7s: %v", who, at, err)
			verdicts = append(verdicts, err)
		}
	}
	return verdicts
}

// TestOutsiderVerifiesProof: Torchwood accepts our proofs and no others.
func TestOutsiderVerifiesProof(t *testing.T) {
	h := newTestServer(t)
	records := someRecords(300)
	h.add(records...)
	v, err := note.NewVerifier(h.vkey())
	if err != nil {
		t.Fatal(err)
	}
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(base+"/demo"), torchwood.SingleVerifierPolicy(v))
	for _, i := range []int{0, 1, 255, 256, 299} {
		_, proof := h.get(fmt.Sprintf("/proof?index=%d", i))
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(records[i]), proof); err != nil {
			t.Errorf("the proof of %d: %v", i, err)
		}
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(records[(i+1)%300]), proof); err == nil {
			t.Errorf("the proof of %d proves another record", i)
		}
		if extra, err := torchwood.ProofExtraData(proof); err != nil || !bytes.Equal(extra, records[i]) {
			t.Errorf("the proof of %d holds %q: %v", i, extra, err)
		}
	}
}

// TestOutsidersVerifyByEitherKey: while two keys sign the log programs that are not ours
// accept it by either, a witness that knows one of them cosigns it, and once the older key is
// retired only the next one counts.
func TestOutsidersVerifyByEitherKey(t *testing.T) {
	h := newTestServer(t)
	records := someRecords(700)
	h.add(records[:300]...)
	old := h.vkey()
	early := startWitness(t, old)
	_, first := h.get("/checkpoint")
	if status, text := early.ask(0, nil, first); status != http.StatusOK {
		t.Fatalf("before the keys overlap: %d %s", status, text)
	}

	if err := h.logs.JoinKey(t.Context(), "demo", time.Now()); err != nil {
		t.Fatal(err)
	}
	keys, err := h.keep.Keys(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	accept := func(vkey string, want bool) {
		t.Helper()
		for name, accepts := range outsiders {
			if err := accepts(t, h.url, vkey); (err == nil) != want {
				t.Errorf("%s by the key %s: %v", name, vkey, err)
			}
		}
	}
	late := startWitness(t, keys.Next)
	_, both := h.get("/checkpoint")
	for i, w := range []*litewitness{early, late} {
		if status, text := w.ask([]int64{300, 0}[i], nil, both); status != http.StatusOK {
			t.Errorf("witness %d, the same tree signed by both keys: %d %s", i, status, text)
		}
	}
	h.add(records[300:500]...)
	accept(old, true)
	accept(keys.Next, true)
	_, both = h.get("/checkpoint")
	proof := h.consistency(300, both)
	for i, w := range []*litewitness{early, late} {
		if status, text := w.ask(300, proof, both); status != http.StatusOK {
			t.Errorf("witness %d, signed by both keys: %d %s", i, status, text)
		}
	}

	if err := h.logs.RetireKey(t.Context(), "demo", time.Now()); err != nil {
		t.Fatal(err)
	}
	h.add(records[500:]...)
	accept(old, false)
	accept(keys.Next, true)
	_, last := h.get("/checkpoint")
	proof = h.consistency(500, last)
	if status, text := early.ask(500, proof, last); status != http.StatusForbidden {
		t.Errorf("the witness that knows the older key alone: %d %s", status, text)
	}
	if status, text := late.ask(500, proof, last); status != http.StatusOK {
		t.Errorf("the witness that knows the next key: %d %s", status, text)
	}
}
