package bundle

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// Report writes a bundle for reading, as Markdown, in English or, for "zh", in
// Chinese. It says nothing that the bundle's other files do not show.
func Report(lang string) func(w io.Writer, m Manifest, records [][]byte, parts []Part) error {
	words := english
	if strings.HasPrefix(lang, "zh") {
		words = chinese
	}
	return func(w io.Writer, m Manifest, records [][]byte, parts []Part) error {
		r := report{w: w, words: words, parts: map[string][]Part{}}
		for _, p := range parts {
			r.parts[p.Event] = append(r.parts[p.Event], p)
		}
		r.head(m)
		r.line("## " + words.timeline + "\n\n" + words.columns + "\n|---|---|---|---|---|")
		for _, record := range records {
			if err := r.row(record); err != nil {
				return err
			}
		}
		r.line("\n## " + words.proof + "\n")
		r.line(fmt.Sprintf(words.statement, m.Tree.Size, m.Tree.Root, m.Origin, m.Software.Version))
		r.line("\n```\nconsentledger verify bundle FILE --key KEY --origin " + m.Origin + "\n```")
		return r.err
	}
}

// A report is being written. It keeps the first error.
type report struct {
	w     io.Writer
	words wording
	parts map[string][]Part
	err   error
}

func (r *report) line(text string) {
	if r.err == nil {
		_, r.err = io.WriteString(r.w, text+"\n")
	}
}

func (r *report) head(m Manifest) {
	w := r.words
	r.line("# " + w.title + "\n")
	about := w.wholeLog
	if m.Selection.Subject != "" {
		about = w.person + " `" + m.Selection.Subject + "`"
	}
	r.line(fmt.Sprintf("- %s: %s, %s\n- %s: %s\n- %s: %d\n- %s: %d", w.about, m.Selection.App, about, w.made, m.Made, w.voids, m.Voids, w.gaps, len(m.Gaps)))
	if m.Selection.From != 0 || m.Selection.To != 0 {
		r.line(fmt.Sprintf("- %s: %s – %s", w.span, moment(m.Selection.From), moment(m.Selection.To)))
	}
	rejected := w.unknown
	if m.Rejected != nil {
		rejected = fmt.Sprint(*m.Rejected)
	}
	r.line("- " + w.rejected + ": " + rejected)
	for _, s := range m.Linked {
		r.line("- " + w.linked + ": `" + s + "`")
	}
	for _, s := range m.Streams {
		if s.Records < s.LastRevision {
			r.line(fmt.Sprintf("- %s: `%s`, %d/%d", w.partly, s.Stream, s.Records, s.LastRevision))
		}
	}
	r.line("")
}

func moment(i domain.Instant) string {
	if i == 0 {
		return "…"
	}
	return i.String()
}

// row writes a record as a row of the timeline.
func (r *report) row(record []byte) error {
	s, err := parse(record)
	if err != nil {
		return err
	}
	id, err := eventstore.ParseEventID(s.ID)
	if err != nil {
		return err
	}
	kind, what := codec.KindOf(s.Type), ""
	if e, err := codec.Decode(eventstore.Recorded{Record: eventstore.Record{ID: id, Type: s.Type, Data: record}, Stream: eventstore.Stream(s.Stream)}); err == nil {
		kind, what = e.Kind(), r.words.describe(e.Event)
	}
	for _, p := range r.parts[s.ID] {
		what += fmt.Sprintf("; %s: “%s”", p.Role, p.Text)
	}
	r.line(fmt.Sprintf("| %s | %s | %s | %s | `%s` |", s.At, s.Recorded, cell(r.words.kind(kind)), cell(strings.TrimPrefix(what, "; ")), s.ID))
	return nil
}

// cell makes a text fit into a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ", "<", "&lt;").Replace(text)
}

// describe says what of an event a reader needs first.
func (w wording) describe(e domain.Event) string {
	switch e := e.(type) {
	case domain.ConsentGiven:
		text := w.purposes + ": " + items(e.Items) + "; " + w.act + ": " + string(e.Act) + " (" + w.consent(e.Kind) + "); " + w.locale + ": " + e.Locale +
			"; " + w.evidence + ": " + w.quality(e.Evidence)
		if e.Surface != (domain.Hash{}) {
			text += "; " + w.shown + ": `" + e.Surface.String() + "`, " + string(e.Control)
		}
		return text
	case domain.ConsentRefused:
		return w.purposes + ": " + w.scope(e.Scope)
	case domain.ConsentWithdrawn:
		return w.purposes + ": " + w.scope(e.Scope)
	case domain.NoticePresented:
		return w.shown + ": `" + e.Text.String() + "`, " + e.Locale
	case domain.PolicyPublished:
		return e.Document.Name + " `" + e.Version.String() + "`"
	case domain.PolicyAcknowledged:
		return "`" + e.Version.String() + "`"
	case domain.CheckAnswered:
		return fmt.Sprintf("%s, %s: %s (%s)", e.Purpose, e.Action, map[bool]string{true: w.allowed, false: w.denied}[e.Allowed], e.Why)
	case domain.RequestReceived:
		return fmt.Sprint(e.Types)
	case domain.ObligationOpened:
		return e.Obligation.ID + ": " + w.due + " " + e.Due.Date.String()
	case domain.ObligationMet:
		return e.ID
	case domain.Noted:
		return fields(e.Fields)
	case domain.Stepped:
		return fields(e.Fields)
	}
	return ""
}

func fields(list []domain.Field) string {
	var all []string
	for _, f := range list {
		all = append(all, f.Name+"="+f.Value)
	}
	return strings.Join(all, ", ")
}

func items(list []domain.Item) string {
	var all []string
	for _, i := range list {
		text := string(i.Purpose)
		if i.Short != "" {
			text += " (✗ " + string(i.Short) + ")"
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (w wording) scope(s domain.Scope) string {
	if s.All {
		return w.all
	}
	var all []string
	for _, p := range s.Purposes {
		all = append(all, string(p))
	}
	return strings.Join(all, ", ")
}

func (w wording) quality(e domain.Evidence) string {
	text := e.Quality.String()
	if name := w.qualities[text]; name != "" {
		text = name
	}
	for _, lack := range e.Missing {
		text += " − " + string(lack)
	}
	return text
}

func (w wording) consent(k domain.ConsentKind) string {
	if name := w.consents[k.String()]; name != "" {
		return name
	}
	return k.String()
}

func (w wording) kind(kind string) string {
	if name := w.kinds[kind]; name != "" {
		return name + " (" + kind + ")"
	}
	return kind
}
