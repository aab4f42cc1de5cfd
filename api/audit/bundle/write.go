package bundle

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
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
	Software   Software
	Rejected   *int
	Now        time.Time
	Lang       string // of the report: en, zh; empty: there is none

	// Show says which personal parts are shown. Open is asked once all is
	// known that is about to leave: it records the access and returns what
	// opens the parts of a record. When it fails, there is no bundle. Nil:
	// nobody is asked, and nothing is shown.
	Show Show
	Open func(ctx context.Context, records, parts int) (Opener, error)
}

// An Opener returns the personal parts of a record that may be shown.
type Opener func(ctx context.Context, record []byte) ([]Part, error)

// Write writes the bundle of a selection. What was written before an error is
// no bundle, and must not leave the organisation.
func (m Maker) Write(ctx context.Context, w io.Writer, s Selection) (Manifest, error) {
	p := packer{Maker: m, zip: zip.NewWriter(w), tally: newTally(), named: map[string]bool{}, texts: map[string]bool{}}
	p.reading.Manifest = Manifest{
		Format: Format, Origin: m.Tree.Origin, Made: m.Now.UTC().Format(time.RFC3339), Software: m.Software,
		Selection: s, Report: Reporting{reportForm, m.Lang},
		Tree: Tree{m.Tree.Size, m.Tree.Root.String()}, Rejected: m.Rejected, Linked: []string{}, Gaps: []Gap{},
		Missing: []string{}, Files: []File{},
	}
	for _, step := range []func(context.Context) error{p.records, p.parts, p.rest, p.report} {
		if err := step(ctx); err != nil {
			return Manifest{}, err
		}
	}

	text, err := json.Marshal(p.reading.Manifest, json.Deterministic(true))
	if err == nil {
		err = p.file(ManifestFile, func(w io.Writer) error { _, err := w.Write(text); return err })
	}
	if err != nil {
		return Manifest{}, err
	}
	return p.reading.Manifest, p.zip.Close()
}

// A packer is a bundle in the making.
type packer struct {
	Maker
	zip     *zip.Writer
	tally   tally
	reading reading
	opens   int             // how many parts are to be shown
	named   map[string]bool // hashes that may name blobs
	texts   map[string]bool // hashes that name texts
}

func (p *packer) selection() Selection { return p.reading.Manifest.Selection }

// chosen yields the records that are selected, and their indexes. All is told
// every record of the log.
func (p *packer) chosen(ctx context.Context, all func(s stored, wanted bool),
	do func(index int64, record []byte, s stored, c *chooser) error) error {
	c, index := newChooser(p.selection()), int64(-1)
	for record, err := range entries(p.Tiles, p.Tree.Size) {
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
		all(s, wanted)
		if !wanted {
			continue
		}
		if err := do(index, record, s, c); err != nil {
			return err
		}
	}
	return nil
}

// records writes what is selected, each with its audit path.
func (p *packer) records(ctx context.Context) error {
	tree := tlog.Tree{N: p.Tree.Size, Hash: p.Tree.Root}
	nodes := hashes(p.Tiles, tree)
	return p.file(recordsFile, func(w io.Writer) error {
		return p.chosen(ctx, p.tally.add, func(index int64, record []byte, s stored, c *chooser) error {
			path, err := tlog.ProveRecord(tree.N, index, nodes)
			if err != nil {
				return fmt.Errorf("the proof of record %d: %w", index, err)
			}
			line := recordLine{Index: index, Record: string(record), Path: make([][]byte, len(path))}
			for i := range path {
				line.Path[i] = path[i][:]
			}
			asked := c.asked(s)
			p.reading.count(asked)
			p.opens += len(c.parts(s, p.Show))
			p.reading.add(index, asked, s, record)
			for _, hash := range blobsOf(record) {
				p.named[hash] = true
			}
			texts, _ := textsOf(s, record) // whoever verifies says which it does not read
			if document := documentOf(s, record); document != "" {
				texts = append(texts, document)
			}
			for _, hash := range texts {
				p.texts[hash] = true
			}
			return writeLine(w, line)
		})
	})
}

// parts asks to open what is to be shown, and writes it.
func (p *packer) parts(ctx context.Context) error {
	if p.Open == nil && p.opens > 0 {
		return errors.New("personal parts are to be shown, and nobody opens them")
	}

	var open Opener
	if p.Open != nil {
		var err error
		if open, err = p.Open(ctx, p.reading.asked, p.opens); err != nil {
			return err
		}
	}

	return p.file(partsFile, func(w io.Writer) error {
		if p.opens == 0 {
			return nil
		}
		return p.chosen(ctx, func(stored, bool) {}, func(index int64, record []byte, s stored, c *chooser) error {
			want := c.parts(s, p.Show)
			if len(want) == 0 {
				return nil
			}
			parts, err := open(ctx, record)
			if err != nil {
				return fmt.Errorf("the personal parts of record %d: %w", index, err)
			}
			for _, part := range parts {
				if !slices.ContainsFunc(want,
					func(x storedPart) bool { return x.Role == part.Role && x.Ref == part.Ref }) {
					continue
				}
				if err := writeLine(w, part); err != nil {
					return err
				}
				p.reading.Manifest.Parts++
				p.reading.show(part)
			}
			return nil
		})
	})
}

func writeLine(w io.Writer, v any) error {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	return err
}

// rest writes the other files that are evidence.
func (p *packer) rest(ctx context.Context) error {
	m := &p.reading.Manifest
	m.Linked, m.Voids, m.Gaps = p.tally.links(m.Selection), p.tally.voids, p.tally.gaps()
	files := []struct {
		name  string
		write func(io.Writer) error
	}{
		{checkpointFile, func(w io.Writer) error { _, err := w.Write(p.Checkpoint); return err }},
		{keyFile, func(w io.Writer) error { _, err := io.WriteString(w, p.Key+"\n"); return err }},
		{streamsFile, p.writeStreams},
	}
	for _, f := range files {
		if err := p.file(f.name, f.write); err != nil {
			return err
		}
	}

	for _, hash := range slices.Sorted(maps.Keys(p.named)) {
		if p.reading.screens.leavesOut(hash) && !p.texts[hash] {
			continue
		}
		if err := p.blob(ctx, hash); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) writeStreams(w io.Writer) error {
	for c := range p.tally.streams() {
		p.reading.stream(c)
		if err := writeLine(w, c); err != nil {
			return err
		}
	}
	return nil
}

// blob adds a text or a picture, if there is one of that hash: not every hash names a blob.
// A policy's text that is not there is an error of the ledger's own, and told.
func (p *packer) blob(ctx context.Context, hash string) error {
	var text []byte
	found := false
	if p.Blob != nil {
		var err error
		if text, found, err = p.Blob(ctx, hash); err != nil {
			return err
		}
	}

	if !found {
		if p.texts[hash] {
			p.reading.Manifest.Missing = append(p.reading.Manifest.Missing, hash)
		}
		return nil
	}

	p.reading.screens.have(hash, text)
	return p.file(blobFile(hash), func(w io.Writer) error { _, err := w.Write(text); return err })
}

// report writes the bundle for reading.
func (p *packer) report(ctx context.Context) error {
	if p.Lang == "" {
		return nil
	}

	p.reading.text = func(hash string) ([]byte, bool, error) {
		if p.Blob == nil {
			return nil, false, nil
		}
		return p.Blob(ctx, hash)
	}
	for _, form := range forms {
		if err := p.file(form.file, func(w io.Writer) error { return p.reading.write(w, form.sheet) }); err != nil {
			return err
		}
	}
	return nil
}

// file adds a file and takes it into the manifest. The bundle of the same
// records at the same time is the same, byte for byte.
func (p *packer) file(name string, write func(io.Writer) error) error {
	f, err := p.zip.CreateHeader(header(name, p.Now))
	if err != nil {
		return err
	}
	h, n := sha256.New(), counter(0)
	if err := write(io.MultiWriter(f, h, &n)); err != nil {
		return err
	}
	if name != ManifestFile {
		p.reading.Manifest.Files = append(p.reading.Manifest.Files,
			File{name, int64(n), hex.EncodeToString(h.Sum(nil))})
	}
	return nil
}

// A counter counts the bytes that are written to it.
type counter int64

// Write implements [io.Writer].
func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
