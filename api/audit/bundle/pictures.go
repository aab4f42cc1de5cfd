package bundle

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"consentledger/api/picture"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/surface"
	"consentledger/eventstore/codec"
)

// A Screen is one screen of an app in one language, of which the record that published it
// names a picture by its hash. Its picture belongs into the bundle if that record was asked
// for, or one that says that the screen was shown or answered. The pictures of the others
// are left out: an app has many screens, and a person saw few of them.
type Screen struct {
	Record  int64  // the record that published it
	Surface string // its id, by which other records name it
	Screen  string
	Build   string
	Locale  string
	Hash    string  // of the picture, as the record says
	Shown   []int64 // records in the bundle that say that it was shown or answered: the first
	More    int     // and how many others

	// The picture in the bundle. It is zero if none is there, and Is.Type alone is empty if the
	// bytes of the hash are there and are no picture that a browser shows.
	There bool
	Is    picture.Picture

	asked bool // the picture belongs into the bundle
}

// shownRecords bounds how many records a screen remembers.
const shownRecords = 3

// screens are those of a bundle, in the order in which they were published.
type screens struct {
	all    []*Screen
	of     map[content.Hash][]*Screen // by surface
	byHash map[string][]*Screen       // of their pictures: two builds may show the same one
}

// publish takes a surface that a record publishes.
func (p *screens) publish(index int64, asked bool, e domain.SurfacePublished) {
	if p.of == nil {
		p.of, p.byHash = map[content.Hash][]*Screen{}, map[string][]*Screen{}
	}
	for _, l := range e.Surface.Locales {
		if l.Screenshot == (content.Hash{}) {
			continue
		}
		s := &Screen{Record: index, Surface: e.ID.String(), Screen: e.Surface.Screen, Build: e.Surface.Build,
			Locale: l.Locale, Hash: l.Screenshot.String(), asked: asked}
		p.all = append(p.all, s)
		p.of[e.ID] = append(p.of[e.ID], s)
		p.byHash[s.Hash] = append(p.byHash[s.Hash], s)
	}
}

// show takes a record that may say that a screen was shown or answered. Only in a log with
// pictures is it read for that.
func (p *screens) show(index int64, asked bool, s stored, record []byte, surfaces map[content.Hash]surface.Surface) {
	switch codec.KindOf(s.Type) {
	case "notice.presented", "consent.given", "consent.refused":
	default:
		return
	}
	if len(p.all) == 0 {
		return
	}

	var id content.Hash
	var locale string
	e, _ := decode(s, record)
	switch x := e.Event.(type) {
	case domain.NoticePresented:
		id, locale = x.Surface, x.Locale
	case domain.ConsentGiven:
		id, locale = x.Surface, x.Locale
	case domain.ConsentRefused:
		id, locale = x.Surface, x.Locale
	}

	shown, known := surfaces[id].Locale(locale)
	for _, s := range p.of[id] {
		// Which language was on the screen is not always said.
		if known && s.Locale != shown.Locale || !known && locale != "" {
			continue
		}
		s.asked = s.asked || asked
		if len(s.Shown) < shownRecords {
			s.Shown = append(s.Shown, index)
		} else {
			s.More++
		}
	}
}

// leavesOut reports whether a hash is that of a picture which does not belong into the bundle.
func (p *screens) leavesOut(hash string) bool {
	of := p.byHash[hash]
	return len(of) > 0 && !slices.ContainsFunc(of, func(s *Screen) bool { return s.asked })
}

// have takes the bytes of a hash that are in the bundle.
func (p *screens) have(hash string, b []byte) {
	for _, s := range p.byHash[hash] {
		if !s.asked {
			continue
		}
		s.There = true
		if is, err := picture.Of(b); err == nil {
			s.Is = is
		}
	}
}

// find returns a screen of a surface in a language; nil: it names no picture, or its picture
// does not belong into the bundle.
func (p *screens) find(id content.Hash, locale string) *Screen {
	for _, s := range p.of[id] {
		if s.Locale == locale && s.asked {
			return s
		}
	}
	return nil
}

// String says which screen it is.
func (s *Screen) String() string {
	return fmt.Sprintf("the screen %s of build %s in %s, which record %d published", s.Screen, s.Build, s.Locale, s.Record)
}

// A fileFault is a file of a text or a picture that is missing, or is another one.
type fileFault struct {
	hash string
	err  error
}

// Error implements error.
func (f *fileFault) Error() string { return f.err.Error() }

// faultOf is the error of a file: of a text or a picture a [fileFault].
func faultOf(name string, err error) error {
	if hash, blob := strings.CutPrefix(name, blobDir); blob {
		return &fileFault{"sha256:" + hash, err}
	}
	return err
}

// explain says of a file that is missing or another one which picture it is. The records
// are read for it: they are proved one by one, whatever the other files are.
func (b *opening) explain(err error) error {
	fault, ok := errors.AsType[*fileFault](err)
	if !ok || b.records() != nil {
		return err
	}
	if of := b.reading.screens.byHash[fault.hash]; len(of) > 0 {
		return fmt.Errorf("%w: it is the picture of %s", err, of[0])
	}
	return err
}

// pictures reads the pictures of the screens. Those that are there have the hash that the
// record names, since it is the name of their file.
func (b *opening) pictures() error {
	for hash := range b.reading.screens.byHash {
		f := b.find(blobFile(hash))
		if f == nil {
			continue
		}
		var bytes []byte // of what is too large for a picture: none
		if f.UncompressedSize64 <= picture.MaxSize {
			var err error
			if bytes, err = b.whole(f.Name); err != nil {
				return err
			}
		}
		b.reading.screens.have(hash, bytes)
	}

	for _, s := range b.reading.screens.all {
		if s.asked {
			b.Screens = append(b.Screens, *s)
		}
	}
	return nil
}

// blobFile is the name of the file with the bytes of a hash.
func blobFile(hash string) string { return blobDir + strings.TrimPrefix(hash, "sha256:") }
