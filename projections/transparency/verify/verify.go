// Package verify checks a log that somebody else keeps: from its files alone,
// with a key and an origin that the verifier knew before. It believes nothing
// that it can compute.
package verify

import (
	"context"
	"fmt"

	"consentledger/domain/ident"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/note"
)

// A Source is a log's files, wherever they are.
type Source interface {
	// Read returns the files at paths such as "checkpoint" or "tile/0/000", as
	// many as it was asked for, in their order. A file that is not there is
	// nil.
	Read(ctx context.Context, paths ...string) ([][]byte, error)
}

// A Log is a log that is to be verified.
type Log struct {
	Source   Source
	Verifier note.Verifier
	Origin   string
	App      ident.AppName       // whose records it holds; empty: whose the first is
	Seen     []merkle.Checkpoint // what was seen of it before, smallest first
	Progress func(done, all int64)

	// Beside says what is wrong with what is kept beside the log of a record,
	// each record once and in their order. Nil: nothing is looked at.
	Beside func(record []byte) []string
}

// A Finding is one thing that is wrong.
type Finding struct {
	Path  string // the file
	Index int64  // the record; -1: none in particular
	Text  string

	tile string // the file that is wrong if the records are not
}

func (f Finding) String() string {
	if f.Index < 0 {
		return fmt.Sprintf("%s: %s", f.Path, f.Text)
	}
	return fmt.Sprintf("record %d (%s): %s", f.Index, f.Path, f.Text)
}

// A Report is what was found. A log that is well has no findings.
type Report struct {
	Checkpoint merkle.Checkpoint
	Signed     []byte // the note
	Records    int64  // how many were read
	Findings   []Finding
	More       int    // how many findings are not told
	Verdict    string // what the findings come to; empty: the log is well
}

// maxFindings is how many findings are told.
const maxFindings = 20

func (r *Report) add(path string, index int64, format string, args ...any) {
	if len(r.Findings) == maxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, Finding{Path: path, Index: index, Text: fmt.Sprintf(format, args...)})
}

// Verify reads the whole log, derives every tile and the root again and holds
// them against what the log has. What is wrong with the log is in the report;
// an error says that it could not be read.
func (l *Log) Verify(ctx context.Context) (*Report, error) {
	files, err := l.Source.Read(ctx, "checkpoint")
	if err != nil {
		return nil, err
	}

	w := &walk{Log: l, report: &Report{Signed: files[0]}, order: order{app: l.App}}
	r := w.report
	if files[0] == nil {
		return nil, fmt.Errorf("there is no log: it has no checkpoint")
	}

	if r.Checkpoint, err = merkle.Open(files[0], l.Verifier, l.Origin); err != nil {
		r.add("checkpoint", -1, "%v", err)
		r.Verdict = "what the log says of itself is not signed as it should be; its records were not looked at"
		return r, nil
	}

	if w.behind() {
		return r, nil
	}
	if err := w.all(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// behind compares the checkpoint with those seen before, and reports whether
// that is the end.
func (w *walk) behind() bool {
	c := w.report.Checkpoint
	for _, s := range w.Seen {
		switch {
		case s.Size > c.Size:
			w.report.add("checkpoint", -1, "it is of %d records, and one of %d records was seen before", c.Size, s.Size)
			w.report.Verdict = "the log was rolled back: records that it had are gone"
		case s.Size == c.Size && s.Root != c.Root:
			w.report.add("checkpoint", -1, "two roots were signed for %d records: %s now, %s before", c.Size, c.Root,
				s.Root)
			w.report.Verdict = "the log was forked: it shows different histories; the two signed checkpoints are the " +
				"evidence"
		}
	}
	return w.report.Verdict != ""
}

// batch is how many bundles are asked for at once.
const batch = 8

// all reads the bundles in order, each with the tile of its hashes.
func (w *walk) all(ctx context.Context) error {
	size := w.report.Checkpoint.Size
	bundles := size / merkle.Width
	if size%merkle.Width > 0 {
		bundles++
	}

	for n := int64(0); n < bundles && !w.ended; n += batch {
		var paths []string
		some := int(min(batch, bundles-n))
		for i := range some {
			paths = append(paths, merkle.Path(merkle.At(-1, n+int64(i), size)),
				merkle.Path(merkle.At(0, n+int64(i), size)))
		}
		files, err := w.Source.Read(ctx, paths...)
		if err != nil {
			return err
		}
		for i := range some {
			if w.ended = files[2*i] == nil && files[2*i+1] == nil; w.ended {
				w.report.add(merkle.Path(merkle.At(-1, n+int64(i), size)), w.derived.Size,
					"the log ends here, and %d records were signed", size)
				break
			}
			w.bundle(merkle.At(-1, n+int64(i), size), files[2*i], files[2*i+1])
		}
		if err := w.compare(ctx); err != nil {
			return err
		}
		if w.Progress != nil {
			w.Progress(w.derived.Size, size)
		}
	}

	if w.ended {
		w.report.Verdict = "records that were signed are not there"
		return nil
	}

	w.derived.Partials(w.keep)
	if err := w.compare(ctx); err != nil {
		return err
	}

	w.judge()
	return nil
}

// judge says what the findings come to.
func (w *walk) judge() {
	r := w.report
	root, told := w.derived.Root(), w.derived.Root()
	if w.told != nil {
		told = w.told.Root()
	}

	switch {
	case w.forked && root == r.Checkpoint.Root:
		r.Verdict = "the log was forked: it shows another history than before; the two signed checkpoints are the " +
			"evidence"
	case w.lost > 0 && told == r.Checkpoint.Root:
		r.Verdict = "records cannot be read; the tiles are those that were signed"
	case root == r.Checkpoint.Root && len(r.Findings) == 0:
	case root == r.Checkpoint.Root && w.wrong == 0 && w.beside == len(r.Findings)+r.More:
		r.Verdict = "the records are those that were signed; what is kept beside them is not what they say"
	case root == r.Checkpoint.Root && w.wrong == 0:
		r.Verdict = "the records are those that were signed, and something was wrong already then, as the findings say"
	case root == r.Checkpoint.Root:
		for i, f := range r.Findings {
			if f.tile != "" {
				r.Findings[i].Path = f.tile
			}
		}
		r.Verdict = "the records are those that were signed; it is the tiles that were changed"
	case told == r.Checkpoint.Root:
		r.Verdict = "the tiles are those that were signed; it is the records that were changed"
	default:
		r.add("checkpoint", -1, "the %d records give the root %s, and %s was signed%s", r.Checkpoint.Size, root,
			r.Checkpoint.Root, w.between())
		r.Verdict = "the records are not those that were signed, and the tiles were changed with them"
	}
}

// between says where a change lies that the tiles do not tell, if checkpoints
// of before do.
func (w *walk) between() string {
	if len(w.Seen) == 0 || w.wrong > 0 {
		return ""
	}
	if w.passed == len(w.Seen) {
		return fmt.Sprintf("; the first %d are those seen before", w.Seen[w.passed-1].Size)
	}
	return ""
}
