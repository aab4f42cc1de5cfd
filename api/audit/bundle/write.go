package bundle

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"consentledger/projections/transparency/merkle"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"
)

// A Maker makes bundles of one app's log.
type Maker struct {
	Checkpoint []byte // the signed note
	Tree       merkle.Checkpoint
	Key        string // the verifier key
	Tiles      Tiles
	Blob       func(ctx context.Context, hash string) ([]byte, bool, error)
	Parts      func(ctx context.Context, record []byte) ([]Part, error) // nil: none is shown
	Software   Software
	Rejected   *int
	Now        time.Time
	Report     func(w io.Writer, m Manifest, records [][]byte, parts []Part) error // nil: none
}

// Write writes the bundle of a selection.
func (m Maker) Write(ctx context.Context, w io.Writer, s Selection) (Manifest, error) {
	p := packer{Maker: m, zip: zip.NewWriter(w), tally: newTally()}
	p.manifest = Manifest{
		Format: Format, Origin: m.Tree.Origin, Made: m.Now.UTC().Format(time.RFC3339), Software: m.Software, Selection: s,
		Tree: Tree{m.Tree.Size, m.Tree.Root.String()}, Rejected: m.Rejected, Linked: []string{}, Gaps: []Gap{}, Streams: []StreamCount{}, Files: []File{},
	}
	err := p.records(ctx, newChooser(s))
	if err == nil {
		err = p.rest(ctx)
	}
	if err != nil {
		return Manifest{}, err
	}
	return p.manifest, p.zip.Close()
}

// A packer is a bundle in the making.
type packer struct {
	Maker
	zip      *zip.Writer
	manifest Manifest
	tally    tally
	parts    []Part
	chosen   [][]byte // the records, for the report
	named    []string // hashes of blobs
}

// records writes what is selected, each with its audit path.
func (p *packer) records(ctx context.Context, c *chooser) error {
	tree := tlog.Tree{N: p.Tree.Size, Hash: p.Tree.Root}
	nodes := hashes(p.Tiles, tree)
	return p.file(recordsFile, func(w io.Writer) error {
		index := int64(-1)
		for record, err := range entries(p.Tiles, tree.N) {
			index++
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			s, err := parse(record)
			if err != nil {
				return fmt.Errorf("record %d %w", index, err)
			}
			wanted := c.wants(s)
			p.tally.add(s, wanted)
			if !wanted {
				continue
			}
			path, err := tlog.ProveRecord(tree.N, index, nodes)
			if err != nil {
				return fmt.Errorf("the proof of record %d: %w", index, err)
			}
			if err := p.record(ctx, w, index, record, path); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *packer) record(ctx context.Context, w io.Writer, index int64, record []byte, path tlog.RecordProof) error {
	line := recordLine{Index: index, Record: string(record), Path: make([][]byte, len(path))}
	for i := range path {
		line.Path[i] = path[i][:]
	}
	if p.Parts != nil {
		parts, err := p.Parts(ctx, record)
		if err != nil {
			return fmt.Errorf("the personal parts of record %d: %w", index, err)
		}
		p.parts = append(p.parts, parts...)
	}
	p.chosen = append(p.chosen, slices.Clone(record))
	p.named = append(p.named, blobsOf(record)...)
	return writeLine(w, line)
}

func writeLine(w io.Writer, v any) error {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	return err
}

// blobsOf returns the hashes that a record names, of whatever.
func blobsOf(record []byte) []string {
	var named []string
	text := string(record)
	for {
		_, after, found := strings.Cut(text, `"sha256:`)
		if !found {
			return named
		}
		if len(after) > 64 && after[64] == '"' {
			named = append(named, "sha256:"+after[:64])
		}
		text = after
	}
}

// rest writes the other files, the manifest last.
func (p *packer) rest(ctx context.Context) error {
	p.manifest.Streams, p.manifest.Linked = p.tally.streams(), p.tally.links(p.manifest.Selection)
	p.manifest.Voids, p.manifest.Gaps, p.manifest.Parts = p.tally.voids, p.tally.gaps(), len(p.parts)
	files := []struct {
		name  string
		write func(io.Writer) error
	}{
		{checkpointFile, func(w io.Writer) error { _, err := w.Write(p.Checkpoint); return err }},
		{keyFile, func(w io.Writer) error { _, err := io.WriteString(w, p.Key+"\n"); return err }},
		{partsFile, p.writeParts},
	}
	for _, f := range files {
		if err := p.file(f.name, f.write); err != nil {
			return err
		}
	}
	slices.Sort(p.named)
	for _, hash := range slices.Compact(p.named) {
		if err := p.blob(ctx, hash); err != nil {
			return err
		}
	}
	if p.Report != nil {
		if err := p.file(reportFile, func(w io.Writer) error { return p.Report(w, p.manifest, p.chosen, p.parts) }); err != nil {
			return err
		}
	}
	text, err := json.Marshal(p.manifest, json.Deterministic(true))
	if err != nil {
		return err
	}
	return p.file(manifestFile, func(w io.Writer) error { _, err := w.Write(text); return err })
}

func (p *packer) writeParts(w io.Writer) error {
	for _, part := range p.parts {
		if err := writeLine(w, part); err != nil {
			return err
		}
	}
	return nil
}

// blob adds a text, if there is one of that hash: not every hash names a blob.
func (p *packer) blob(ctx context.Context, hash string) error {
	if p.Blob == nil {
		return nil
	}
	text, found, err := p.Blob(ctx, hash)
	if err != nil || !found {
		return err
	}
	return p.file(blobDir+strings.TrimPrefix(hash, "sha256:"), func(w io.Writer) error { _, err := w.Write(text); return err })
}

// file adds a file and takes it into the manifest. The bundle of the same
// records at the same time is the same, byte for byte.
func (p *packer) file(name string, write func(io.Writer) error) error {
	f, err := p.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: p.Now.UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	h, n := sha256.New(), counter(0)
	if err := write(io.MultiWriter(f, h, &n)); err != nil {
		return err
	}
	p.manifest.Files = append(p.manifest.Files, File{name, int64(n), hex.EncodeToString(h.Sum(nil))})
	return nil
}

// A counter counts the bytes that are written to it.
type counter int64

// Write implements [io.Writer].
func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
