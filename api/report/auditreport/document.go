package auditreport

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"consentledger/api/audit/bundle"
	"consentledger/api/report"
	"consentledger/domain/policy"
	"consentledger/domain/published"
)

// A Document is a report as people read it, in one language.
type Document struct {
	Lang     string
	Title    string
	About    []string
	Front    []Paragraphs // the first page: plain words
	Sections []Section
	None     string // what stands for a table without rows
	Contents string // the heading over the list of sections

	Signature *Paragraphs // what is filled in by hand at the end; nil: nothing
}

// Paragraphs are a heading and what stands under it.
type Paragraphs struct {
	Title string
	Text  []string
}

// A Section is one table.
type Section struct {
	ID      string // the same in every language
	Title   string
	Note    string
	Columns []string
	Rows    [][]string
	Text    string // preformatted, under the table
}

// A speaker says things in one language.
type speaker struct {
	lang     string
	words    map[string]string
	versions []published.Policy // see [versionsOf]
}

func speak(lang string, versions ...published.Policy) speaker {
	if strings.HasPrefix(lang, "zh") {
		return speaker{"zh", chinese, versions}
	}
	return speaker{"en", english, versions}
}

// say returns the words of a key, filled in. A key that is missing is a mistake
// in this program, which a test finds.
func (s speaker) say(key string, args ...any) string {
	text, ok := s.words[key]
	if !ok {
		panic("auditreport: no words for " + key)
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// name returns what a code is called, with the code; one without a name is
// itself.
func (s speaker) name(code string) string {
	if text, ok := s.words["v."+code]; ok {
		return text
	}
	return code
}

func (s speaker) yes(b bool) string {
	if b {
		return s.say("yes")
	}
	return s.say("no")
}

// section makes a section; the words of its title, note and columns are found
// by its id.
func (s speaker) section(id string, columns string, rows [][]string) Section {
	x := Section{ID: id, Title: s.say("s." + id), Rows: rows}
	if note, ok := s.words["n."+id]; ok {
		x.Note = note
	}
	for _, c := range strings.Fields(columns) {
		x.Columns = append(x.Columns, s.say("c."+c))
	}
	return x
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func (s speaker) counts(list []Count, name func(string) string) [][]string {
	var rows [][]string
	for _, c := range list {
		text := name(c.Name)
		if c.Name == "" {
			text = s.say("unknown")
		}
		rows = append(rows, []string{text, number(c.Count)})
	}
	return rows
}

// Document returns the report in a language: en, zh.
func (r Report) Document(lang string) Document {
	s := speak(lang, r.versions...)
	d := Document{Lang: s.lang, Title: s.say("title", r.App.Name), None: s.say("none"), Contents: s.say("contents")}
	d.About = []string{s.say("about.span", orText(r.From, s.say("beginning")), r.To),
		s.say("about.handler", s.handler(r.App), s.name(r.App.Environment)), s.say("about.made", r.Outside.Made,
			r.Outside.Software)}
	d.Front = []Paragraphs{
		{s.say("front.promised"), s.promised(r)}, {s.say("front.kept"), s.kept(r)},
		{s.say("front.broken"), s.broken(r)}, {s.say("front.know"), s.know(r)},
	}
	d.Signature = s.signature()
	kind := func(k string) string { return bundle.KindName(s.lang, k) }
	d.Sections = slices.Concat(
		s.processing(r.Promises.Purposes),
		[]Section{s.section("events", "kind count", s.counts(r.Events, kind))},
		s.consents(r), s.owed(r), s.exempt(r),
		[]Section{s.section("minors", "what count", s.counts(r.Minors, s.name))},
		s.happened(r),
		s.basis(r),
	)
	return d
}

// signature is what is filled in by hand.
func (s speaker) signature() *Paragraphs {
	return &Paragraphs{s.say("signature"),
		[]string{s.say("signature.made"), s.say("signature.reviewed"), s.say("signature.function"),
			s.say("signature.place"), s.say("signature.hand")}}
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func (s speaker) processing(list []Purpose) []Section {
	var rows [][]string
	for _, p := range list {
		rows = append(rows, []string{p.ID, p.Title, p.Section, s.name(p.Basis),
			orText(s.list(each(p.Categories, s.category)), s.say("unsaid")),
			orText(s.list(each(p.Recipients, s.recipient)), s.say("nobody")),
			orText(p.Retention, s.say("unsaid")), s.yes(p.Sensitive), s.yes(p.Separate)})
	}
	return []Section{s.section("purposes",
		"purpose title section basis categories recipients retention sensitive separate", rows)}
}

func (s speaker) consents(r Report) []Section {
	var purposes, quality, changes [][]string
	for _, a := range r.Consents.ByPurpose {
		name := s.purpose(a.Purpose)
		if a.Purpose == everything {
			name = s.say("everything")
		}
		purposes = append(purposes, []string{name, number(a.Counted), number(a.Short), number(a.Refused),
			number(a.Withdrawn)})
	}

	for _, q := range r.Consents.Evidence {
		quality = append(quality, []string{s.name(q.Name), number(q.Count), q.Percent + " %"})
	}

	for _, c := range r.Changes {
		percent := s.say("nothing-touched")
		if c.Percent != "" {
			percent = c.Percent + " %"
		}
		own := s.of(c.Version)
		changes = append(changes, []string{own.policy(c.Policy), c.Version, c.Effective,
			s.list(each(c.Material, s.material)), orText(s.list(each(c.Purposes, own.purpose)), s.say("none.")),
			number(c.Touched), number(c.Again), number(c.No), number(c.RanOut), number(c.Waiting), percent})
	}

	code := func(c string) string { return c }
	return []Section{
		s.section("consents", "purpose counted short refused withdrawn", purposes),
		s.section("short", "why count", s.counts(r.Consents.Short, s.name)),
		s.section("versions", "version count", s.counts(r.Consents.ByVersion, code)),
		s.section("acts", "act count", s.counts(r.Consents.ByAct, s.act)),
		s.section("surfaces", "surface count", s.counts(r.Consents.BySurface, code)),
		s.section("locales", "locale count", s.counts(r.Consents.ByLocale, s.locale)),
		s.section("evidence", "quality count percent", quality),
		s.section("changes", "policy version effective material purposes touched again answered-no ran-out waiting "+
			"percent", changes),
		s.section("answers", "why count", s.counts(r.Answers.Why, s.name)),
	}
}

func (s speaker) owed(r Report) []Section {
	var groups, grounds, fees [][]string
	for _, g := range r.Requests.Groups {
		groups = append(groups, []string{g.Month,
			orText(bundle.ValueName(s.lang, "types", g.Type), s.say("no-request")), number(g.Obligations),
			number(g.Met), number(g.Late), number(g.Overdue), rest(g.Tally),
			percentOr(g.OnTime, s.say("nothing-due")), orText(g.Median, s.say("none"))})
	}

	for _, g := range r.Requests.Grounds {
		grounds = append(grounds, []string{s.ground(g.Code), number(g.Rejected)})
	}

	for _, f := range r.Requests.Fees {
		none := s.say("none")
		fees = append(fees, []string{f.Currency, orText(f.Quoted, none), orText(f.Paid, none), orText(f.Waived, none)})
	}

	return []Section{
		s.section("requests", "month type owed met late overdue rest on-time median", groups),
		s.section("rejections", "ground count", grounds),
		s.section("fees", "currency quoted paid waived", fees),
	}
}

// rest counts what is neither met nor overdue: the columns beside it add up to
// what was owed.
func rest(t report.Tally) string { return number(t.Obligations - t.Met - t.Late - t.Overdue) }

func percentOr(percent, otherwise string) string {
	if percent == "" {
		return otherwise
	}
	return percent + " %"
}

func (s speaker) exempt(r Report) []Section {
	var rows [][]string
	for _, x := range r.Exemptions {
		rows = append(rows, []string{x.Recorded, s.name("list-" + x.List), s.ground(x.Code), s.yes(x.Doubtful),
			s.list(each(x.Purposes, s.purpose)), x.Reason, x.Approver, x.Until, s.yes(x.Ended), x.Event})
	}
	return []Section{s.section("exemptions", "recorded list ground doubtful purposes reason approver until ended event",
		rows), s.notes("sharing", r.Sharing)}
}

func (s speaker) notes(id string, list []Note) Section {
	var rows [][]string
	for _, n := range list {
		var fields []policy.Field
		for _, f := range n.Fields {
			fields = append(fields, policy.Field{Name: f.Name, Value: s.field(f)})
		}
		rows = append(rows, []string{n.Recorded, bundle.KindName(s.lang, n.Kind), bundle.FieldWords(s.lang, fields),
			n.Event})
	}
	return s.section(id, "recorded kind what event", rows)
}

func (s speaker) happened(r Report) []Section {
	var incidents, voids, access, gaps [][]string
	for _, i := range r.Incidents {
		never := s.say("never")
		incidents = append(incidents,
			[]string{bundle.ValueName(s.lang, "kind", i.Kind),
				orText(bundle.ValueName(s.lang, "level", i.Level), s.say("unsaid")), i.Known, s.minutes(i.Authority,
					i.AuthorityMins), s.minutes(i.Persons, i.PersonsMins), orText(i.Closed, never), i.Stream})
	}

	for _, v := range r.Voids {
		what := s.say("void.records", v.Records)
		if v.What != "records" {
			what = s.say("void.build", v.What, v.Records)
		}
		voids = append(voids, []string{what, s.name(v.Reason), v.By, v.Event})
	}

	for _, a := range r.Access {
		way, reason := bundle.KindName(s.lang, a.Kind), s.say("unsaid")
		if a.Way != "" {
			way, reason = s.name("way-"+a.Way), s.name("reason-"+a.Reason)
		}
		access = append(access, []string{way, strings.TrimPrefix(reason, "reason-"), s.who(a.Who), number(a.Count),
			number(a.Records), number(a.Parts)})
	}

	for _, g := range r.Gaps {
		gaps = append(gaps, []string{s.policy(g.Policy), orText(g.Section, s.say("unsaid")), s.say("gap." + g.Code),
			s.about(g)})
	}

	kind := func(k string) string { return bundle.KindName(s.lang, k) }
	other := [][]string{{s.say("other.soon"), s.none(r.TooSoon)}, {s.say("other.disputed"), s.none(r.Disputed)},
		{s.say("other.rejected"), s.rejected(r)},
		{s.say("other.test-persons"), s.none(r.Tests.Persons)}, {s.say("other.test-records"), s.none(r.Tests.Records)}}
	return []Section{
		s.section("incidents", "kind level known authority persons closed stream", incidents),
		s.section("erasures", "kind count", s.counts(r.Erasures, kind)),
		s.imports(r),
		s.section("voids", "what reason by event", voids),
		s.section("access", "kind why who count records parts", access),
		s.section("gaps", "policy section what about", gaps),
		s.section("other", "what count", other),
	}
}

func (s speaker) rejected(r Report) string {
	if r.Outside.Rejected == nil {
		return s.say("unknown")
	}
	return s.none(int64(*r.Outside.Rejected))
}

// none says a number, and zero as none.
func (s speaker) none(n int64) string {
	if n == 0 {
		return s.say("none")
	}
	return number(n)
}

// minutes says when somebody was told, and how long after it was known.
func (s speaker) minutes(at, after string) string {
	if at == "" {
		return s.say("never")
	}
	return s.say("minutes", at, after)
}

// verified says when the log was verified for the report.
func (r Report) verified(s speaker) string {
	if !r.Outside.Integrity.Derived {
		return s.say("never")
	}
	return r.Outside.Made
}

// length says how long somebody has.
func (s speaker) length(x Rule) string {
	switch x.Length {
	case 0:
		return s.say("no-days")
	case 1:
		return s.say("one." + x.Unit)
	}
	return strconv.Itoa(x.Length) + " " + s.name(x.Unit)
}

// basis says on what the report rests.
func (s speaker) basis(r Report) []Section {
	var calendars, rules, tree [][]string
	for _, c := range r.Calendars {
		calendars = append(calendars, []string{s.calendar(c.ID), orText(c.Notice, s.say("unsaid")), s.yes(c.Projected)})
	}

	for _, x := range r.Rules {
		kind := s.say("promise")
		if x.Law {
			kind = s.say("law")
		}
		percent := percentOr(x.Kept.OnTime, s.say("nothing-due"))
		if x.Kept.Obligations == 0 {
			percent = s.say("nothing-owed")
		}
		rules = append(rules, []string{x.ID, s.source(x.Source), kind, s.length(x), number(x.Kept.Obligations),
			number(x.Kept.Met), number(x.Kept.Late), number(x.Kept.Overdue), rest(x.Kept), percent,
			orText(s.of(x.Version).policy(x.Policy), s.say("unsaid")), orText(x.Version, s.say("unsaid")), orText(x.Set,
				s.say("unsaid"))})
	}

	i := r.Outside.Integrity
	tree = append(tree, []string{s.say("tree.origin"), orText(i.Origin, s.say("unknown"))},
		[]string{s.say("tree.size"), s.none(i.Size)}, []string{s.say("tree.root"), orText(i.Root, s.say("unknown"))},
		[]string{s.say("tree.key"), orText(i.Key, s.say("unknown"))}, []string{s.say("tree.derived"),
			s.yes(i.Derived)}, []string{s.say("tree.verified"), r.verified(s)},
		[]string{s.say("tree.fault"), orText(i.Fault, s.say("none"))})
	if len(i.Witnesses) == 0 {
		tree = append(tree, []string{s.say("tree.witnesses"), s.say("none")})
	}

	for _, w := range i.Witnesses {
		tree = append(tree, []string{s.say("tree.witness"),
			fmt.Sprintf("%s: %d, %s", w.Name, w.Size, orText(w.At, s.say("never")))})
	}

	if i.GapFrom != "" {
		tree = append(tree, []string{s.say("tree.gap"), i.GapFrom + " – " + i.GapTo})
	}

	tree = append(tree, []string{s.say("tree.software"),
		strings.TrimSpace(r.Outside.Software + " " + r.Outside.SHA256)}, []string{s.say("tree.position"), r.Position})
	integrity := s.section("integrity", "what value", tree)
	integrity.Text = i.Checkpoint
	return []Section{
		s.section("calendars", "calendar notice projected", calendars),
		s.section("rules", "rule source kind length owed met late overdue rest on-time policy version ruleset",
			rules),
		s.section("clock", "what count", s.counts(r.Clock, s.name)), integrity,
	}
}
