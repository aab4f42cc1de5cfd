// Package upload verifies what somebody was given and brings back: a receipt, a bundle of
// evidence or a certificate of erasure. It is held against the key and the origin of one
// app's log by the same code as the verb verify, and the answer says point by point what
// was found. Nothing of it is kept.
//
// The key is this ledger's own. So the answer is that of whoever runs the ledger: who does
// not trust them verifies with a key that they had before, offline.
package upload

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"consentledger/api/audit/bundle"
	"consentledger/api/audit/erasure"
	"consentledger/api/audit/receipt"
	"consentledger/domain"
	"consentledger/projections/transparency/merkle"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/note"
)

// Max is the largest file that is verified here, and maxInside how much a bundle may hold
// once it is unpacked. What is larger is verified by the verb, which reads from the disk.
const (
	Max       = 32 << 20
	maxInside = 256 << 20
)

// An Answer is what was found of a file.
type Answer struct {
	Kind      string           `json:"kind" doc:"bundle, receipt, erasure or unknown"`
	Authentic bool             `json:"authentic"`
	Why       string           `json:"why,omitzero" enum:"neither,unreadable,too-large,other-log,other-key,changed" doc:"if it is not authentic: it is no such file; it was cut off, or another program changed it; it holds more than is unpacked here; it names another log; this log's key has not signed it; or something in it changed"`
	Wrong     string           `json:"wrong,omitzero" doc:"what is wrong first, if it is not authentic"`
	Log       string           `json:"log,omitzero" doc:"the other log that it names; nobody has verified that"`
	Points    []Point          `json:"points" doc:"what was checked and holds"`
	Pictures  []BundledPicture `json:"pictures,omitempty" doc:"of a bundle: the pictures of screens that are in it"`
	Claims    []string         `json:"claims" doc:"what it says and does not show: it must be believed, or asked of the ledger"`
	Origin    string           `json:"origin" doc:"of the log that it was held against"`
	Key       string           `json:"key" doc:"of that log, by which anybody verifies"`
}

// A BundledPicture is the picture of a screen that is in a bundle, and what binds it to the records.
type BundledPicture struct {
	Hash   string  `json:"hash" doc:"sha256:..., as the record says"`
	Type   string  `json:"type,omitzero" doc:"left out: it is no picture that is known here"`
	Width  int     `json:"width,omitzero" doc:"in pixels"`
	Height int     `json:"height,omitzero" doc:"in pixels"`
	Screen string  `json:"screen"`
	Build  string  `json:"build"`
	Locale string  `json:"locale"`
	Record int64   `json:"record" doc:"the index of the record that published the screen with this hash"`
	Shown  []int64 `json:"shown,omitempty" doc:"the indexes of the first records that say that the screen was shown or answered"`
	More   int     `json:"more,omitzero" doc:"how many others say so"`
}

// A Point is one thing that was checked, by a code, and what it was checked of.
type Point struct {
	Point string `json:"point" doc:"person, whole, from, to, container, signed, records, texts, derived; record, given, refused, withdrawn, all, counts, short; person, ordered, erased, proof-kept, proof-destroyed"`
	Of    string `json:"of,omitzero"`
}

// Verify says what a file is, and what holds of it.
func Verify(file []byte, key string, origin string) (Answer, error) {
	a := Answer{Kind: "unknown", Points: []Point{}, Claims: []string{}, Origin: origin, Key: key}
	v, err := note.NewVerifier(key)
	if err != nil {
		return a, fmt.Errorf("the key of the log %s: %w", origin, err)
	}

	switch {
	case bytes.HasPrefix(file, []byte("PK")):
		a.Kind, err = "bundle", a.bundle(file, v)
	case isErasure(file):
		a.Kind, err = "erasure", a.erasure(file, v)
	case bytes.HasPrefix(bytes.TrimLeft(file, " \t\r\n"), []byte("{")):
		a.Kind, err = "receipt", a.receipt(file, v)
	default:
		err = errNeither
	}
	if err != nil {
		a.failed(err)
		return a, nil
	}
	a.Authentic = true
	return a, nil
}

// What a file is in which there is nothing to verify.
var (
	errNeither  = errors.New("it is neither a receipt nor a bundle nor a certificate of erasure")
	errTooLarge = fmt.Errorf("it holds more than %d MiB once it is unpacked: verify it with consentledger verify bundle",
		maxInside>>20)
	errUnreadable = errors.New("it is cut off, or another program changed it")
)

// failed says why a file is not authentic.
func (a *Answer) failed(err error) {
	a.Wrong, a.Points, a.Claims = err.Error(), []Point{}, []string{}
	other, byOther := errors.AsType[*merkle.OtherKeyError](err)
	switch {
	case errors.Is(err, errNeither):
		a.Kind, a.Why = "unknown", "neither"
	case errors.Is(err, errUnreadable):
		a.Why = "unreadable"
	case errors.Is(err, errTooLarge):
		a.Why = "too-large"
	case byOther && other.Log != "" && other.Log != a.Origin:
		a.Why, a.Log = "other-log", other.Log
	case byOther:
		a.Why = "other-key"
	default:
		a.Why = "changed"
	}
}

// isErasure reports whether a file has the members of a certificate.
func isErasure(file []byte) bool {
	var shape struct {
		Ordered string `json:"ordered"`
		Erased  string `json:"erased"`
	}
	return len(file) <= erasure.Max && json.Unmarshal(file, &shape) == nil && shape.Ordered != "" && shape.Erased != ""
}

func (a *Answer) holds(point string, of string) { a.Points = append(a.Points, Point{point, of}) }

func (a *Answer) bundle(file []byte, v note.Verifier) error {
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if !slices.ContainsFunc(z.File, func(f *zip.File) bool { return f.Name == bundle.ManifestFile }) {
		return errNeither
	}
	inside := uint64(0)
	for _, f := range z.File {
		if inside += min(f.UncompressedSize64, maxInside+1); inside > maxInside {
			return errTooLarge
		}
	}

	b, err := bundle.Verify(bytes.NewReader(file), int64(len(file)), v, a.Origin)
	if err != nil {
		return err
	}
	a.selected(b.Manifest.Selection)
	a.holds("container", strconv.Itoa(len(z.File)))
	a.holds("signed", strconv.FormatInt(b.Checkpoint.Size, 10))
	a.holds("records", strconv.Itoa(b.Selected))
	a.holds("texts", strconv.Itoa(b.Parts))
	a.holds("derived", "")
	for _, s := range b.Screens {
		if s.There {
			a.Pictures = append(a.Pictures, BundledPicture{Hash: s.Hash, Type: s.Is.Type, Width: s.Is.Width, Height: s.Is.Height,
				Screen: s.Screen, Build: s.Build, Locale: s.Locale, Record: s.Record, Shown: s.Shown, More: s.More})
		}
	}
	a.Claims = append(a.Claims, b.Claims...)
	return nil
}

// selected says what a bundle is about.
func (a *Answer) selected(s bundle.Selection) {
	if s.Subject == "" {
		a.holds("whole", string(s.App))
	} else {
		a.holds("person", s.Subject)
	}
	for _, linked := range s.Linked {
		a.holds("person", linked)
	}
	if s.From != 0 {
		a.holds("from", s.From.String())
	}
	if s.To != 0 {
		a.holds("to", s.To.String())
	}
}

func (a *Answer) receipt(file []byte, v note.Verifier) error {
	if !jsontext.Value(file).IsValid() {
		return errUnreadable
	}
	if !receipt.Is(file) {
		return errNeither
	}
	r, err := receipt.Verify(file, v, a.Origin)
	if err != nil {
		return err
	}

	a.holds("signed", strconv.FormatInt(r.Checkpoint.Size, 10))
	a.holds("record", r.ID)
	a.holds(r.Answer.String(), r.Recorded.String())
	if r.All {
		a.holds("all", "")
	}

	for _, p := range r.Purposes {
		a.holds("counts", p)
	}

	for _, short := range r.Short {
		a.holds("short", short)
	}

	a.holds("derived", "")
	a.Claims = append(a.Claims, r.Claims...)
	return nil
}

func (a *Answer) erasure(file []byte, v note.Verifier) error {
	c, err := erasure.Parse(file)
	if err != nil {
		return err
	}
	s, err := c.Verify(v, a.Origin)
	if err != nil {
		return err
	}
	a.holds("signed", strconv.FormatInt(s.Log.Size, 10))
	a.holds("person", s.Person)
	a.holds("ordered", s.Ordered.String())
	a.holds("erased", s.Erased.String())
	if s.Kept != (domain.KeptProof{}) {
		a.holds("proof-kept", s.Kept.Until.String())
	}
	if s.Destroyed != 0 {
		a.holds("proof-destroyed", s.Destroyed.String())
	}
	return nil
}
