package bundle

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"consentledger/projections/transparency/merkle"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The largest files that are read, whatever a bundle says.
const (
	maxFile = 8 << 30
	maxLine = 1 << 20
	maxHead = 64 << 20 // of files that are read whole
)

// An Opened is a bundle that verified.
type Opened struct {
	Manifest   Manifest
	Checkpoint merkle.Checkpoint
	Signed     []byte  // the note of the checkpoint, with whatever signatures it carries
	Indexes    []int64 // of its records
	Selected   int     // of these, those that were asked for: what the app published before them comes along
	Streams    map[string]int64
	Parts      int
	Screens    []Screen // whose pictures belong into it, in the order in which they were published
	Claims     []string // what it says that its records do not show

	last  map[string]int64 // the revisions that it says its streams end at
	bound map[string]string
}

// Verify reads a bundle and checks everything in it that can be checked
// without the log: every byte of the container, every file by its hash, the checkpoint by a key and origin
// that the verifier knew before, every record by its audit path, every personal
// part by its commitment, every text and picture that a record names by its hash, and that what the
// manifest and the report say is what the records give. The error says what is
// wrong first. What is left is in Claims.
func Verify(r io.ReaderAt, size int64, v note.Verifier, origin string) (*Opened, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("is no bundle: %w", err)
	}

	b := opening{zip: z, texts: map[string]bool{}, policyTexts: map[string]bool{}, documents: map[string]bool{},
		named: map[string]bool{}, tally: newTally()}
	if err := b.head(v, origin); err != nil {
		return nil, err
	}

	for _, step := range []struct {
		file string
		do   func() error
	}{
		{"", b.files}, {recordsFile, b.records}, {"", b.members}, {streamsFile, b.streams}, {partsFile, b.parts},
		{ManifestFile, b.derived}, {"", b.blobs}, {"", b.pictures}, {"", b.reports},
	} {
		err := step.do()
		if err != nil && step.file != "" {
			err = fmt.Errorf("%s: %w", step.file, err)
		}
		if err != nil {
			return nil, b.explain(err)
		}
	}
	if err := b.container(r, size); err != nil {
		return nil, err
	}

	b.claims()
	return &b.Opened, nil
}

// ReadManifest returns what a bundle says of itself. Nothing of it is verified.
func ReadManifest(r io.ReaderAt, size int64) (Manifest, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return Manifest{}, fmt.Errorf("is no bundle: %w", err)
	}
	b := opening{zip: z}
	text, err := b.whole(ManifestFile)
	if err == nil {
		err = json.Unmarshal(text, &b.Manifest, json.RejectUnknownMembers(true))
	}
	return b.Manifest, err
}

// An opening is a bundle that is being verified.
type opening struct {
	Opened
	zip         *zip.Reader
	byName      map[string]*zip.File
	commitments map[string]string // by event, role and ref
	tally       tally
	reading     reading
	texts       map[string]bool // that records name
	policyTexts map[string]bool
	documents   map[string]bool // of policies, which the records hold too
	named       map[string]bool // hashes that records name, of whatever
	unread      []string        // records whose texts are not known here: index and type
	report      bool            // it is as the records give it
}

// head reads the manifest and the checkpoint.
func (b *opening) head(v note.Verifier, origin string) error {
	text, err := b.whole(ManifestFile)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &b.Manifest, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("%s: %w", ManifestFile, err)
	}
	if b.Manifest.Format != Format {
		return fmt.Errorf("%s: the format is not %s; another version of this program may read it", ManifestFile, Format)
	}
	if text, err = b.whole(checkpointFile); err != nil {
		return err
	}
	if b.Checkpoint, err = merkle.Open(text, v, origin); err != nil {
		return fmt.Errorf("%s: %w", checkpointFile, err)
	}

	b.Signed = text
	if err := b.key(v); err != nil {
		return fmt.Errorf("%s: %w", keyFile, err)
	}

	if t := b.Manifest.Tree; t.Size != b.Checkpoint.Size || t.Root != b.Checkpoint.Root.String() ||
		b.Manifest.Origin != origin {
		return fmt.Errorf("%s: the tree is not the one of the checkpoint", ManifestFile)
	}

	b.reading.Manifest = b.Manifest
	return nil
}

// key holds the key that the bundle names against the verifier's own.
func (b *opening) key(v note.Verifier) error {
	text, err := b.whole(keyFile)
	if err != nil {
		return err
	}
	k, err := note.NewVerifier(strings.TrimSuffix(string(text), "\n"))
	if err != nil || !SameLogKey(k, v, b.Signed) {
		return errors.New("it is another key than the one that verifies the checkpoint")
	}
	return nil
}

// SameLogKey reports whether a key that evidence names is as good as the one that has verified
// its checkpoint: the same, or one that has signed it too, as while two keys sign a log.
func SameLogKey(named, verified note.Verifier, signed []byte) bool {
	if named.Name() != verified.Name() {
		return false
	}
	if named.KeyHash() == verified.KeyHash() {
		return true
	}
	text, _, _ := strings.Cut(string(signed), "\n\n")
	c, err := merkle.ParseCheckpoint(text + "\n")
	if err == nil {
		_, err = merkle.Open(signed, named, c.Origin)
	}
	return err == nil
}

// whole returns what a file holds.
func (b *opening) whole(name string) ([]byte, error) {
	f := b.find(name)
	if f == nil {
		return nil, fmt.Errorf("%s is missing", name)
	}
	var text bytes.Buffer
	if _, err := inflate(&text, f, maxHead); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text.Bytes(), nil
}

// find returns a file of the bundle; nil: there is none.
func (b *opening) find(name string) *zip.File {
	if b.byName == nil {
		b.byName = make(map[string]*zip.File, len(b.zip.File))
		for _, f := range b.zip.File {
			b.byName[f.Name] = f
		}
	}
	return b.byName[name]
}

// files holds every file against the manifest, which names all but itself.
func (b *opening) files() error {
	named := make(map[string]File, len(b.Manifest.Files))
	for _, f := range b.Manifest.Files {
		named[f.Name] = f
	}

	seen := map[string]bool{}
	for _, f := range b.zip.File {
		if seen[f.Name] {
			return fmt.Errorf("%s stands twice", f.Name)
		}
		seen[f.Name] = true
		if f.Name == ManifestFile {
			continue
		}
		want, ok := named[f.Name]
		if !ok {
			return fmt.Errorf("%s is not in the manifest", f.Name)
		}
		if err := b.file(f, want); err != nil {
			return faultOf(f.Name, fmt.Errorf("%s: %w", f.Name, err))
		}
	}

	for _, f := range b.Manifest.Files {
		if !seen[f.Name] {
			return faultOf(f.Name, fmt.Errorf("%s is missing", f.Name))
		}
	}

	if len(b.Manifest.Files) != len(seen)-1 {
		return fmt.Errorf("%s names a file twice", ManifestFile)
	}
	return nil
}

// members wants that every file is one that a bundle has: what no record names is
// none, and nobody looks at it here.
func (b *opening) members() error {
	known := map[string]bool{ManifestFile: true, checkpointFile: true, keyFile: true, recordsFile: true,
		streamsFile: true, partsFile: true}
	if b.Manifest.Report.Lang != "" {
		known[reportFile], known[printFile] = true, true
	}
	for _, f := range b.zip.File {
		hash, blob := strings.CutPrefix(f.Name, blobDir)
		if !known[f.Name] && !(blob && b.named["sha256:"+hash]) {
			return fmt.Errorf("%s is no file of a bundle, and no record names it", f.Name)
		}
	}
	return nil
}

func (b *opening) file(f *zip.File, want File) error {
	h := sha256.New()
	n, err := inflate(h, f, maxFile)
	if err != nil {
		return err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if n != want.Size || sum != want.SHA256 {
		return errors.New("is not the file that the manifest names")
	}
	if hash, blob := strings.CutPrefix(f.Name, blobDir); blob && hash != sum {
		return errors.New("is not the text or the picture of its hash")
	}
	return nil
}

// lines calls do with every line of a file.
func (b *opening) lines(name string, do func(line []byte) error) error {
	file := b.find(name)
	if file == nil {
		return errors.New("is missing")
	}

	f, err := file.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxLine)
	for n := 1; s.Scan(); n++ {
		if err := do(s.Bytes()); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return s.Err()
}

// records checks every record's audit path.
func (b *opening) records() error {
	b.commitments, b.Streams = map[string]string{}, map[string]int64{}
	last := int64(-1)
	c := newChooser(b.Manifest.Selection)
	return b.lines(recordsFile, func(text []byte) error {
		var l recordLine
		if err := json.Unmarshal(text, &l, json.RejectUnknownMembers(true)); err != nil {
			return err
		}
		path := make(tlog.RecordProof, len(l.Path))
		for i, h := range l.Path {
			if len(h) != merkle.HashSize {
				return errors.New("the audit path has something that is no hash")
			}
			path[i] = tlog.Hash(h)
		}
		if l.Index <= last || l.Index >= b.Checkpoint.Size {
			return fmt.Errorf("the index %d is out of order", l.Index)
		}
		last = l.Index
		record := []byte(l.Record)
		if err := tlog.CheckRecord(path, b.Checkpoint.Size, b.Checkpoint.Root, l.Index,
			tlog.RecordHash(record)); err != nil {
			return fmt.Errorf("record %d is not in the tree", l.Index)
		}
		s, err := parse(record)
		if err != nil {
			return fmt.Errorf("record %d %w", l.Index, err)
		}
		if !c.wants(s) {
			return fmt.Errorf("record %d is not of what the manifest says was selected", l.Index)
		}
		asked := c.asked(s)
		b.reading.count(asked)
		if asked {
			b.Selected++
		}
		b.keep(l.Index, asked, s, record)
		return nil
	})
}

func (b *opening) keep(index int64, asked bool, s stored, record []byte) {
	b.Indexes = append(b.Indexes, index)
	b.Streams[s.Stream]++
	if b.Manifest.Parts > 0 {
		s.commitments(b.commitments)
	}

	b.tally.add(s, true)
	b.reading.add(index, asked, s, record)
	texts, ok := textsOf(s, record)
	if !ok {
		b.unread = append(b.unread, fmt.Sprintf("%d (%s)", index, s.Type))
	}

	for _, hash := range blobsOf(record) {
		b.named[hash] = true
	}

	for _, hash := range texts {
		b.texts[hash] = true
		if strings.HasPrefix(s.Type, "policy.published.") {
			b.policyTexts[hash] = true
		}
	}

	if hash := documentOf(s, record); hash != "" {
		b.documents[hash] = true
	}
}

// streams holds how far streams go against the records.
func (b *opening) streams() error {
	b.last = map[string]int64{}
	before := ""
	err := b.lines(streamsFile, func(text []byte) error {
		var c StreamCount
		if err := json.Unmarshal(text, &c, json.RejectUnknownMembers(true)); err != nil {
			return err
		}
		if c.Stream <= before {
			return errors.New("the streams are not in order")
		}
		before = c.Stream
		if b.Streams[c.Stream] != c.Records {
			return fmt.Errorf("it says %d records of %s, the bundle has %d", c.Records, c.Stream, b.Streams[c.Stream])
		}
		if c.Records > c.LastRevision || b.Manifest.Selection.whole() && c.Records != c.LastRevision {
			return fmt.Errorf("%s ends at revision %d, and the bundle has %d records of it", c.Stream, c.LastRevision,
				c.Records)
		}
		b.last[c.Stream] = c.LastRevision
		b.reading.stream(c)
		return nil
	})
	if err == nil && len(b.last) != len(b.Streams) {
		err = errors.New("it does not name every stream that has records here")
	}
	return err
}

// parts checks that every part that is shown is the one that was recorded.
func (b *opening) parts() error {
	return b.lines(partsFile, func(text []byte) error {
		var p Part
		if err := json.Unmarshal(text, &p, json.RejectUnknownMembers(true)); err != nil {
			return err
		}
		if err := p.check(b.commitments); err != nil {
			return err
		}
		b.Parts++
		b.reading.show(p)
		b.bind(p)
		return nil
	})
}

// bind keeps who a person is outside, if the bundle shows it.
func (b *opening) bind(p Part) {
	var who struct{ App, ID, Kind, Pseudonym string }
	if p.Role != "binding" || json.Unmarshal(p.Text, &who, json.MatchCaseInsensitiveNames(true)) != nil ||
		who.Pseudonym != p.Ref {
		return
	}
	if b.bound == nil {
		b.bound = map[string]string{}
	}
	b.bound[who.Kind+":"+who.ID] = p.Ref
}

// Pseudonym returns who is meant by an outside id such as account:ID, if the
// bundle shows to whom the log has bound it.
func (o *Opened) Pseudonym(who string) (string, bool) {
	p, ok := o.bound[who]
	return p, ok
}

// name is what a commitment is found by.
func (p Part) name() string { return p.Event + "\n" + p.Role + "\n" + p.Ref }

// check holds a part against the commitment that a record has to it.
func (p Part) check(commitments map[string]string) error {
	want, err := hex.DecodeString(commitments[p.name()])
	if err != nil || len(want) == 0 {
		return fmt.Errorf("no record has the part %s of %s", p.Role, p.Event)
	}
	mac := hmac.New(sha256.New, p.Opening)
	mac.Write(p.Text)
	if len(p.Opening) != sha256.Size || !bytes.Equal(mac.Sum(nil), want) {
		return fmt.Errorf("the part %s of %s is not what was recorded", p.Role, p.Event)
	}
	return nil
}

// CheckParts holds the parts that are shown of one record against it.
func CheckParts(record []byte, parts []Part) error {
	s, err := parse(record)
	if err != nil {
		return err
	}
	commitments := map[string]string{}
	s.commitments(commitments)
	for _, p := range parts {
		if err := p.check(commitments); err != nil {
			return err
		}
	}
	return nil
}

// commitments adds what a record commits to.
func (s stored) commitments(all map[string]string) {
	for _, p := range s.Parts {
		all[Part{Event: s.ID, Role: p.Role, Ref: p.Ref}.name()] = p.Commitment
	}
}
