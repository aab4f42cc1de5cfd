package bundle

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/surface"
	"consentledger/eventstore/codec"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// reportForm is the form of report that this program writes. One of the same
// form is the same for the same bundle, byte for byte.
const reportForm = 5

// picturesForm is the form from which on a report shows the pictures of screens. One of the
// form before it is otherwise the same, and is derived as well.
const picturesForm = 5

// The bounds of what a report shows: the rest is in the bundle's other files.
const (
	reportRows  = 5000
	reportPart  = 100     // streams of which only a part is in the bundle
	reportText  = 1 << 16 // bytes of one text
	reportTexts = 100
)

// A reading is what a report says of a bundle: nothing that its other files do
// not show.
type reading struct {
	Manifest Manifest
	text     func(hash string) ([]byte, bool, error)

	asked    int      // records that were asked for
	beside   int      // records that came along
	records  [][]byte // the first
	ids      map[string]bool
	more     int
	shown    map[string][]Part // of records, by event
	partly   []StreamCount
	alsoPart int

	policies map[content.Hash]policy.Document
	surfaces map[content.Hash]surface.Surface
	screens  screens
}

// add takes the next record, which was asked for or comes along.
func (r *reading) add(index int64, asked bool, s stored, record []byte) {
	switch codec.KindOf(s.Type) {
	case "policy.published", "surface.published":
		r.learn(index, asked, s, record)
	}
	r.screens.show(index, asked, s, record, r.surfaces)

	if len(r.records) == reportRows {
		r.more++
		return
	}
	if r.ids == nil {
		r.ids = map[string]bool{}
	}
	r.ids[s.ID] = true
	r.records = append(r.records, slices.Clone(record))
}

// count counts a record, which was asked for or comes along.
func (r *reading) count(asked bool) {
	if asked {
		r.asked++
	} else {
		r.beside++
	}
}

// learn keeps the words of what was published.
func (r *reading) learn(index int64, asked bool, s stored, record []byte) {
	if r.policies == nil {
		r.policies, r.surfaces = map[content.Hash]policy.Document{}, map[content.Hash]surface.Surface{}
	}
	e, _ := decode(s, record)
	switch x := e.Event.(type) {
	case domain.PolicyPublished:
		r.policies[x.Version] = x.Document
	case domain.SurfacePublished:
		r.surfaces[x.ID] = x.Surface
		r.screens.publish(index, asked, x)
	}
}

// show takes a part that is shown.
func (r *reading) show(p Part) {
	if r.shown == nil {
		r.shown = map[string][]Part{}
	}
	if r.ids[p.Event] {
		r.shown[p.Event] = append(r.shown[p.Event], p)
	}
}

// stream takes how far a stream goes.
func (r *reading) stream(c StreamCount) {
	if c.Records == c.LastRevision {
		return
	}
	if len(r.partly) == reportPart {
		r.alsoPart++
		return
	}
	r.partly = append(r.partly, c)
}

// write writes the report in a form.
func (r *reading) write(w io.Writer, form func(io.Writer) sheet) error {
	words := wordingOf(r.Manifest.Report.Lang)
	report := report{sheet: form(w), wording: words, of: r}
	report.head()
	if err := report.timeline(); err != nil {
		return err
	}
	if err := report.seen(); err != nil {
		return err
	}

	m := r.Manifest
	report.heading(words.proof)
	report.paragraph(fmt.Sprintf(words.statement, m.Tree.Size, m.Tree.Root, m.Origin, m.Software.Version))
	report.verbatim("consentledger verify bundle FILE --key KEY --origin "+m.Origin, "en")
	return report.end()
}

// A report is being written.
type report struct {
	sheet
	wording
	of    *reading
	views []view // what was shown, in the order in which it is named
}

// A view is a screen in a language, or a text alone.
type view struct {
	surface content.Hash
	locale  string
	text    content.Hash
	version bool // the text is of the version that an answer is about: nobody recorded what was shown
}

func (r *report) head() {
	w, m := r.wording, r.of.Manifest
	r.begin(w.title, w.lang)
	about := w.wholeLog
	if m.Selection.Subject != "" {
		about = w.person + " " + m.Selection.Subject
	}

	r.heading(w.overview)
	r.item(fmt.Sprintf("%s: %s, %s", w.about, m.Selection.App, about))
	for _, l := range m.Selection.Linked {
		r.item(w.included + ": " + l)
	}

	r.item(w.made + ": " + m.Made)
	if m.Selection.From != 0 || m.Selection.To != 0 {
		r.item(fmt.Sprintf("%s: %s – %s", w.span, moment(m.Selection.From), moment(m.Selection.To)))
	}

	r.item(fmt.Sprintf("%s: %d", w.asked, r.of.asked))
	if r.of.beside > 0 {
		r.item(fmt.Sprintf("%s: %d", w.beside, r.of.beside))
	}

	r.item(fmt.Sprintf("%s: %d", w.voids, m.Voids))
	r.item(fmt.Sprintf("%s: %d", w.gaps, len(m.Gaps)))
	rejected := w.unknown
	if m.Rejected != nil {
		rejected = fmt.Sprint(*m.Rejected)
	}

	r.item(w.rejected + ": " + rejected)
	for _, s := range m.Linked {
		r.item(w.linked + ": " + s)
	}

	for _, h := range m.Missing {
		r.item(w.missing + ": " + h)
	}

	for _, s := range r.of.partly {
		r.item(fmt.Sprintf("%s: %s, %d/%d", w.partly, s.Stream, s.Records, s.LastRevision))
	}
	if r.of.alsoPart > 0 {
		r.item(fmt.Sprintf("%s: +%d", w.partly, r.of.alsoPart))
	}
}

func moment(i deadline.Instant) string {
	if i == 0 {
		return "…"
	}
	return i.String()
}

func (r *report) timeline() error {
	r.heading(r.wording.timeline)
	r.table(r.columns, 2)
	for _, record := range r.of.records {
		s, err := parse(record)
		if err != nil {
			return err
		}
		kind, what := codec.KindOf(s.Type), ""
		if e, ok := decode(s, record); ok {
			kind, what = cmp.Or(e.Kind(), kind), r.describe(e.Event)
			for _, o := range e.Owed() {
				what += "; " + r.kind(o.Kind()) + ": " + r.describe(o.Event)
			}
		}
		for _, p := range r.of.shown[s.ID] {
			what += fmt.Sprintf("; %s: “%s”", r.name(r.roles, p.Role), inWords(p.Text))
		}
		r.row([]string{s.At.String(), s.Recorded.String(), r.kind(kind), strings.TrimPrefix(what, "; "), s.ID})
	}

	r.rowsEnd()
	if r.of.more > 0 {
		r.paragraph(fmt.Sprintf(r.andMore, r.of.more, recordsFile))
	}
	return nil
}

// Shown returns text as it may be shown to anybody: characters that would steer a
// terminal, or turn the order in which it is read, are replaced.
func Shown(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// asText returns bytes that may be shown.
func asText(b []byte) string {
	if !utf8.Valid(b) {
		return fmt.Sprintf("%x", b)
	}
	return Shown(string(b))
}

// inWords returns a personal text for reading: of a JSON object its members, each
// with its name, and of anything else the text.
func inWords(b []byte) string {
	v := jsontext.Value(b)
	if v.Kind() != '{' || !v.IsValid() {
		return asText(b)
	}
	var all []string
	told(&all, "", v)
	return strings.Join(all, ", ")
}

// told adds what a JSON value says, by the way to it.
func told(all *[]string, path string, v jsontext.Value) {
	var members map[string]jsontext.Value
	var items []jsontext.Value
	var text string
	switch {
	case v.Kind() == '{' && json.Unmarshal(v, &members) == nil:
		for _, name := range slices.Sorted(maps.Keys(members)) {
			told(all, strings.TrimPrefix(path+"."+name, "."), members[name])
		}
		return
	case v.Kind() == '[' && json.Unmarshal(v, &items) == nil:
		for i, item := range items {
			told(all, fmt.Sprintf("%s[%d]", path, i), item)
		}
		return
	case v.Kind() == '"' && json.Unmarshal(v, &text) == nil:
	default:
		text = string(v)
	}

	*all = append(*all, asText([]byte(path))+": "+asText([]byte(text)))
}

// see takes note of what was on the screen.
func (r *report) see(v view) {
	if (v.surface != content.Hash{} || v.text != content.Hash{}) && !slices.Contains(r.views, v) &&
		len(r.views) < reportTexts {
		r.views = append(r.views, v)
	}
}

// answered takes note of what an answer was given to: the text that was shown,
// or, if nobody recorded which, the version's own.
func (r *report) answered(surface content.Hash, locale string, text, version content.Hash) {
	r.see(view{surface: surface, locale: locale, text: text})
	if text != (content.Hash{}) {
		return
	}
	for _, t := range r.of.policies[version].Texts {
		if t.Locale == locale || locale == "" && t.Force == policy.Authoritative {
			r.see(view{locale: t.Locale, text: t.Hash, version: true})
		}
	}
}

// seen shows what was on the screens that the records name, and the texts.
func (r *report) seen() error {
	r.heading(r.whatWasShown)
	if len(r.views) == 0 {
		r.paragraph(r.nothingNamed)
	}

	var told []content.Hash
	for _, v := range r.views {
		if s, ok := r.of.surfaces[v.surface]; ok {
			r.screen(v.surface, s, v.locale)
		}
		if v.text == (content.Hash{}) || slices.Contains(told, v.text) {
			continue
		}
		told = append(told, v.text)
		name := r.theText
		if v.version {
			name = r.versionText
		}
		r.item(name + " (" + v.locale + "): " + v.text.String())
		text, found, err := r.of.text(v.text.String())
		if err != nil {
			return err
		}
		if !found {
			r.item(r.missing)
			continue
		}
		if len(text) > reportText {
			text = append(slices.Clip(text[:reportText]), "…"...)
		}
		r.verbatim(asText([]byte(strings.ToValidUTF8(string(text), "�"))), v.locale)
	}
	return nil
}

// screen shows a screen's strings and what could be touched.
func (r *report) screen(id content.Hash, s surface.Surface, locale string) {
	r.item(fmt.Sprintf("%s: %s, %s %s (%s), %s", r.theScreen, s.Screen, r.build, s.Build, locale, id))
	l, ok := s.Locale(locale)
	if !ok && len(s.Locales) > 0 {
		l = s.Locales[0]
	}

	label := map[string]string{}
	var lines []string
	for _, x := range l.Strings {
		label[x.Key] = x.Text
		lines = append(lines, x.Text)
	}

	for _, c := range s.Controls {
		lines = append(lines, fmt.Sprintf("[%s] %s: %s (%s)", c.ID, label[c.Label], r.act(s.Version, c.Act),
			r.state(c.Initial)))
	}

	r.verbatim(asText([]byte(strings.Join(lines, "\n"))), l.Locale)
	r.picture(id, s, l)
}

// picture shows the picture of a screen, or says that it is not there.
func (r *report) picture(id content.Hash, s surface.Surface, l surface.Locale) {
	if r.of.Manifest.Report.Form < picturesForm {
		return
	}
	of := r.of.screens.find(id, l.Locale)
	switch {
	case of == nil:
	case !of.There:
		r.item(r.noPicture + ": " + of.Hash)
	case of.Is.Type == "":
		r.item(r.thePicture + ": " + blobFile(of.Hash))
	default:
		r.item(r.thePicture + ": " + blobFile(of.Hash))
		r.image(blobFile(of.Hash), fmt.Sprintf("%s: %s, %s %s, %s", r.thePicture, s.Screen, r.build, s.Build, l.Locale), of.Is)
	}
}
