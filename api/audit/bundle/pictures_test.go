package bundle_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/png"
	"slices"
	"strings"
	"testing"

	"consentledger/api/audit/bundle"
)

// shot is a picture of a screen, and its hash in hex.
func shot(t *testing.T, width int) (picture, hash string) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, 20))); err != nil {
		t.Fatal(err)
	}
	return b.String(), fmt.Sprintf("%x", sha256.Sum256(b.Bytes()))
}

// A gallery is a book with two screens, of which one has languages with and without
// pictures that are kept.
type gallery struct {
	*book
	english, other, settings string // hashes of pictures that are kept
	lost                     string // the hash of one that is not
}

func newGallery(t *testing.T) *gallery {
	g := &gallery{book: newBook(t), lost: strings.Repeat("09", 32)}
	g.lang, g.blobs = "en", map[string]string{}
	for width, hash := range map[int]*string{30: &g.english, 31: &g.other, 32: &g.settings} {
		var b string
		b, *hash = shot(t, width)
		g.blobs["sha256:"+*hash] = b
	}
	screen := func(id, name string, pictures ...string) {
		locales := ""
		for i, hash := range pictures {
			locales += fmt.Sprintf(`,{"locale":%q,"screenshot":"sha256:%s"}`, []string{"en", "zh-CN", "de"}[i], hash)
		}
		g.add("surface-demo-main", "surface.published.v1", `{"id":"sha256:`+strings.Repeat(id, 32)+`","publisher":"p","surface":{"approver":"x","build":"5.2","controls":[{"act":"agree","id":"ok","initial":"button","label":"ok"}],"locales":[`+locales[1:]+`],"policy":"main","schema":"surface/1","screen":"`+name+`","version":"sha256:`+strings.Repeat("01", 32)+`"}}`, "")
	}
	screen("aa", "welcome", g.english, g.other, g.lost)
	screen("bb", "settings", g.settings)
	g.shown("pp", "notice.presented.v2", `"locale":"en"`)
	g.shown("pp", "consent.given.v2", `"kind":"general","locale":"en","act":"agree","items":[]`)
	g.shown("pp", "consent.refused.v2", `"locale":"de","all":true`)
	g.shown("qq", "consent.given.v2", `"kind":"general","locale":"zh-CN","act":"agree","items":[]`)
	return g
}

// shown adds a record of a person who saw the screen welcome.
func (g *gallery) shown(who, kind, data string) {
	g.add("subject-demo-"+who, kind, `{"policy":"main","version":"sha256:`+strings.Repeat("01", 32)+`","surface":"sha256:`+strings.Repeat("aa", 32)+`",`+data+`}`, "")
}

// TestABundleHasThePicturesOfWhatWasShown: those of the screens that were asked about, each
// bound by its hash to the record that published it, and said of which records it is.
func TestABundleHasThePicturesOfWhatWasShown(t *testing.T) {
	g := newGallery(t)
	for _, tt := range []struct {
		s        bundle.Selection
		pictures []string // in the bundle
		screens  []string
	}{
		{bundle.Selection{App: "demo"}, []string{g.english, g.other, g.settings},
			[]string{"0 welcome en 30 [2 3]", "0 welcome zh-CN 31 [5]", "0 welcome de 0 [4]", "1 settings en 32 []"}},
		{bundle.Selection{App: "demo", Subject: "pp"}, []string{g.english}, []string{"0 welcome en 30 [2 3]", "0 welcome de 0 [4]"}},
		{bundle.Selection{App: "demo", Subject: "pp", From: 1004}, nil, []string{"0 welcome de 0 [4]"}},
		{bundle.Selection{App: "demo", Subject: "nobody"}, nil, nil},
	} {
		packed := g.pack(tt.s, false)
		o, err := g.verify(packed)
		if err != nil {
			t.Errorf("%v: %v", tt.s, err)
			continue
		}
		var pictures, screens []string
		for _, f := range o.Manifest.Files {
			if hash, blob := strings.CutPrefix(f.Name, "blobs/"); blob {
				pictures = append(pictures, hash)
			}
		}
		for _, s := range o.Screens {
			screens = append(screens, fmt.Sprintf("%d %s %s %d %v", s.Record, s.Screen, s.Locale, s.Is.Width, s.Shown))
		}
		slices.Sort(tt.pictures)
		if !slices.Equal(pictures, tt.pictures) || !slices.Equal(screens, tt.screens) {
			t.Errorf("%v has the pictures %v of %q", tt.s, pictures, screens)
		}
		claims := strings.Join(o.Claims, "\n")
		want := "that the ledger does not have the picture sha256:" + g.lost + " of the screen welcome of build 5.2 in de, which record 0 published"
		if lacks := strings.Contains(claims, want); lacks != (len(tt.screens) > 0) {
			t.Errorf("%v claims %s", tt.s, claims)
		}
		html := reportOf(t, packed, "report.html")
		if tt.s.Subject == "pp" && tt.s.From == 0 && !strings.Contains(html, `<img src="blobs/`+g.english+`" alt="Picture of the screen: welcome, build 5.2, en" width="30" height="20"`) {
			t.Errorf("the report does not show the picture: %s", html)
		}
		if strings.Contains(html, g.settings) {
			t.Error("the report shows a screen that nobody answered")
		}
	}
}

// TestAnotherPictureIsNamed, or one that is gone: with the screen and the record that it is of.
func TestAnotherPictureIsNamed(t *testing.T) {
	g := newGallery(t)
	packed := g.pack(bundle.Selection{App: "demo", Subject: "pp"}, false)
	is := "it is the picture of the screen welcome of build 5.2 in en, which record 0 published"
	file := map[string]change{"blobs/" + g.english: replace("PNG", "PNg")}
	kept := func(m *bundle.Manifest) {
		m.Files = append(m.Files, bundle.File{Name: "blobs/" + g.english, Size: 1, SHA256: g.english})
	}
	for name, tt := range map[string]struct {
		changes  map[string]change
		manifest func(*bundle.Manifest)
		want     string
	}{
		"changed, and the manifest with it": {file, nil, "is not the text or the picture of its hash: " + is},
		"changed": {file, func(m *bundle.Manifest) {
			for i := range m.Files {
				if m.Files[i].Name == "blobs/"+g.english {
					m.Files[i].SHA256 = g.english
				}
			}
		}, "is not the file that the manifest names: " + is},
		"gone":                              {map[string]change{"blobs/": gone}, kept, "blobs/" + g.english + " is missing: " + is},
		"gone, and the manifest with it":    {map[string]change{"blobs/": gone}, nil, "report.md: it does not say"},
		"gone, and all that one may change": {map[string]change{"blobs/": gone, "report": gone}, func(m *bundle.Manifest) { m.Report.Lang = "" }, ""},
	} {
		o, err := g.verify(rewrite(t, packed, tt.changes, tt.manifest))
		switch {
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		case tt.want == "" && (err != nil || !strings.Contains(strings.Join(o.Claims, "\n"), "does not have the picture sha256:"+g.english)):
			t.Errorf("%s: %v, and it is not said", name, err)
		}
	}
}

// TestBytesThatAreNoPictureAreNotShown: a surface may name any hash as its screenshot.
func TestBytesThatAreNoPictureAreNotShown(t *testing.T) {
	g := newGallery(t)
	g.blobs["sha256:"+g.english] = "<script>1</script>"
	m := bundle.Selection{App: "demo", Subject: "pp"}
	packed := g.pack(m, false)
	if html := reportOf(t, packed, "report.html"); strings.Contains(html, "<img") {
		t.Error("it is shown as a picture")
	}
	if _, err := g.verify(packed); err == nil || !strings.Contains(err.Error(), "is not the text or the picture") {
		t.Errorf("it has another hash: %v", err)
	}

	text := "the terms"
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	b := newBook(t)
	b.lang, b.blobs = "en", map[string]string{"sha256:" + hash: text}
	b.add("surface-demo-main", "surface.published.v1", `{"id":"sha256:`+strings.Repeat("aa", 32)+`","publisher":"p","surface":{"approver":"x","build":"5.2","controls":[],"locales":[{"locale":"en","screenshot":"sha256:`+hash+`","text":"sha256:`+hash+`"}],"policy":"main","schema":"surface/1","screen":"welcome","version":"sha256:`+strings.Repeat("01", 32)+`"}}`, "")
	o, err := b.verify(b.pack(bundle.Selection{App: "demo"}, false))
	if err != nil || len(o.Screens) != 1 || !o.Screens[0].There || o.Screens[0].Is.Type != "" {
		t.Errorf("%+v, %v", o, err)
	}
}
