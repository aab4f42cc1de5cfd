package auditreport_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"io"
	"iter"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"consentledger/api/report/auditreport"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/projectiontest"
	"consentledger/projections/readmodel"
	"consentledger/projections/requests"

	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the golden files anew")

// viewOf is the projection that was given all that a teller told.
func viewOf(t *testing.T, w *projectiontest.Teller) *requests.View {
	t.Helper()
	v, err := requests.Open(t.Context(), readmodel.Dir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	if err := v.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	return v
}

var outside = auditreport.Outside{Made: "2026-06-01T00:00:00.000Z", Software: "v1", Integrity: auditreport.Integrity{Origin: "logs.example.com/smartkey", Size: 7, Root: "cm9vdA==", Derived: true, Checkpoint: "logs.example.com/smartkey\n7\ncm9vdA==\n"}}

func made(t *testing.T, w *projectiontest.Teller, from, to deadline.Instant) auditreport.Report {
	t.Helper()
	r, err := auditreport.Make(t.Context(), w.Ledger, viewOf(t, w), projectiontest.App, from, to, outside)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func written(t *testing.T, p auditreport.Documenter, f auditreport.Form, lang string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := auditreport.Write(&b, p, f, lang); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// told is a teller that told a bit of everything.
func told(t *testing.T) *projectiontest.Teller {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	return w
}

// random are the ids, pseudonyms and keyed names that differ from run to run.
var random = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|-smartkey-[0-9a-f]{20,32}`)

func TestTheReportOfABitOfEverythingIsGolden(t *testing.T) {
	w := told(t)
	got := random.ReplaceAll(written(t, made(t, w, 0, w.Time()+1), auditreport.JSON, ""), []byte("RANDOM"))
	const name = "testdata/audit.report.json"
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the report is not as %s has it; look at the difference, and run with -update if it is meant:\n%s", name, got)
	}
}

func TestTheSameHistoryMakesTheSameBytes(t *testing.T) {
	w := told(t)
	for _, f := range []auditreport.Form{auditreport.JSON, auditreport.CSV, auditreport.Markdown, auditreport.HTML} {
		one, two := written(t, made(t, w, 0, w.Time()+1), f, "zh"), written(t, made(t, w, 0, w.Time()+1), f, "zh")
		if !bytes.Equal(one, two) {
			t.Errorf("%s: two reports of one history differ", f)
		}
	}
}

func TestWhatComesLaterChangesNoReport(t *testing.T) {
	w := told(t)
	to := w.Time() + 1
	before := made(t, w, 0, to)
	w.Rest(deadline.Hour)
	w.Tell("ada0", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	w.Publish(projectiontest.Document("three"))
	if after := made(t, w, 0, to); !bytes.Equal(written(t, before, auditreport.JSON, ""), written(t, after, auditreport.JSON, "")) {
		t.Error("a report of the past changed")
	}
}

func TestSpansThatMeetLeaveNothingOutAndCountNothingTwice(t *testing.T) {
	w := told(t)
	middle := projectiontest.Start.Add(20 * deadline.Second)
	sum := func(r auditreport.Report) (n int64) {
		for _, c := range r.Events {
			n += c.Count
		}
		return n + r.Tests.Records
	}
	one, two := made(t, w, 0, middle), made(t, w, middle, w.Time()+1)
	if got, want := sum(one)+sum(two), int64(len(w.Entries())); got != want || sum(one) == 0 || sum(two) == 0 {
		t.Errorf("%d and %d events, want %d", sum(one), sum(two), want)
	}
}

// TestWhatIsOwedIsOfTheSpan: a duty that was done before the span, a rejection and
// a fee of before are not of it; what is still owed is.
func TestWhatIsOwedIsOfTheSpan(t *testing.T) {
	w := told(t)
	end := w.Time() + 1
	whole, last := made(t, w, 0, end), made(t, w, end, end+1)
	if whole.Requests.Met == 0 || len(whole.Requests.Grounds) == 0 || len(whole.Requests.Fees) == 0 {
		t.Fatalf("nothing was done: the test tests nothing: %+v", whole.Requests)
	}
	settled := int64(0)
	for _, s := range whole.Requests.States {
		if s.State == "met" || s.State == "met-late" || s.State == "void" {
			settled += s.Obligations
		}
	}
	if got, want := last.Requests.Obligations, whole.Requests.Obligations-settled; got != want || last.Requests.Met != 0 || last.Requests.Overdue != whole.Requests.Overdue {
		t.Errorf("in the last moment %d are owed, want %d: %+v", got, want, last.Requests)
	}
	if len(last.Requests.Grounds) != 0 || len(last.Requests.Fees) != 0 {
		t.Errorf("rejections and fees of before: %+v", last.Requests)
	}
	owed, kept := int64(0), int64(0)
	for i, r := range last.Rules {
		owed, kept = owed+whole.Rules[i].Kept.Obligations, kept+whole.Rules[i].Kept.Met
		if r.Kept.Met != 0 || r.Kept.Obligations > whole.Rules[i].Kept.Obligations {
			t.Errorf("of the rule %s: %+v", r.ID, r.Kept)
		}
	}
	if owed == 0 || kept == 0 || owed > whole.Requests.Obligations {
		t.Errorf("by their rules %d are owed and %d kept, of %d", owed, kept, whole.Requests.Obligations)
	}
}

// TestWhoWasShownWhatAndWhy: every way of reading is told apart, with its reason.
func TestWhoWasShownWhatAndWhy(t *testing.T) {
	r := auditreport.Report{Access: []auditreport.Reader{
		{Kind: "data.accessed", Way: "replay", Reason: domain.Unstated, Who: "unauthenticated", Count: 3, Records: 70},
		{Kind: "data.accessed", Way: "export", Reason: "dispute", Who: "desk", Count: 1, Records: 9, Parts: 4},
		{Kind: "data.accessed", Way: "receipt", Reason: "own-code", Who: "desk", Count: 1, Records: 1, Parts: 1},
	}}
	for lang, want := range map[string][]string{
		"en": {"history or a report, no personal texts|not said|unauthenticated|3|70|0", "an evidence bundle|a dispute|desk|1|9|4", "a receipt of a consent|own-code|desk|1|1|1"},
		"zh": {"历史或报告，不含个人信息文本|未说明|未经认证者|3|70|0", "存证包|争议|desk|1|9|4", "同意回执|own-code|desk|1|1|1"},
	} {
		var got []string
		for _, s := range r.Document(lang).Sections {
			for _, row := range s.Rows {
				if s.ID == "access" {
					got = append(got, strings.Join(row, "|"))
				}
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: %q, want %q", lang, got, want)
		}
	}
}

func TestChangesAreFollowedUntilEverybodyAnswered(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	for _, who := range []string{"ada", "bob", "cem"} {
		w.Tell(who, domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}})
	}
	w.Publish(projectiontest.Document("two"), "marketing")
	w.Tell("ada", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}})
	w.Tell("bob", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	w.Tell("dee", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}})
	r := made(t, w, 0, w.Time()+1)
	c := r.Changes[len(r.Changes)-1]
	if c.Touched != 3 || c.Again != 1 || c.No != 1 || c.Waiting != 1 || c.Percent != "66.7" {
		t.Errorf("%+v", c)
	}
	front := strings.Join(r.Document("en").Front[2].Text, "\n")
	if !strings.Contains(front, "nobody has given again, refused or withdrawn yet: 1.") {
		t.Errorf("the first page does not say who waits:\n%s", front)
	}
}

// A consent that ran out before a version was published is not touched by it; one
// that ran out since, with no answer, waits for nobody.
func TestAConsentThatRanOutWaitsForNobody(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	yes := func(who string, until deadline.Instant) {
		w.Tell(who, domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}, Until: until})
	}
	yes("ada", 0)
	yes("bob", w.Time().Add(deadline.Hour))
	soon := w.Time().Add(3 * deadline.Hour)
	yes("cem", soon)
	w.Rest(2 * deadline.Hour)
	w.Publish(projectiontest.Document("two"), "marketing")
	for to, want := range map[deadline.Instant][3]int64{w.Time() + 1: {2, 0, 2}, soon: {2, 0, 2}, soon + 1: {2, 1, 1}} {
		r := made(t, w, 0, to)
		if c := r.Changes[len(r.Changes)-1]; c.Touched != want[0] || c.RanOut != want[1] || c.Waiting != want[2] || c.Touched != c.Again+c.No+c.RanOut+c.Waiting {
			t.Errorf("up to %s: %+v, want touched, ran out and waiting %v", to, c, want)
		}
	}
}

// The columns beside what was owed add up to it, in both tables.
func TestWhatWasOwedAddsUp(t *testing.T) {
	w := told(t)
	d := made(t, w, 0, w.Time()+1).Document("en")
	checked := 0
	for _, s := range d.Sections {
		owed := slices.Index(s.Columns, "owed")
		if owed < 0 {
			continue
		}
		for _, row := range s.Rows {
			var n [5]int
			for i := range n {
				var err error
				if n[i], err = strconv.Atoi(row[owed+i]); err != nil {
					t.Fatal(err)
				}
			}
			if checked++; n[0] != n[1]+n[2]+n[3]+n[4] {
				t.Errorf("%s: %v do not add up", s.Title, row)
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d rows say what was owed", checked)
	}
}

func TestTestsAreLeftOutAndCounted(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	w.Tell("robot", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}})
	mark := w.Tell("robot", domain.Say{Event: domain.SubjectMarkedTest{Reason: "monkey"}})
	r := made(t, w, 0, w.Time()+1)
	if r.Consents.Given != 0 || r.Tests.Persons != 1 || r.Tests.Records != 2 {
		t.Errorf("%d given, tests %+v", r.Consents.Given, r.Tests)
	}
	w.Tell("robot", domain.VoidRecords{Records: []ident.EventID{ident.EventID(mark.Event)}, Reason: "mistake", Evidence: content.Hash{9}, By: [2]string{"eve", "bob"}})
	if r := made(t, w, 0, w.Time()+1); r.Consents.Given != 1 || r.Tests != (auditreport.Tests{}) {
		t.Errorf("of a voided mark: %d given, tests %+v", r.Consents.Given, r.Tests)
	}
}

func TestAnEmptySpanSaysNone(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	r := made(t, w, 0, 1)
	for lang, none := range map[string]string{"en": "None.", "zh": "无"} {
		d := r.Document(lang)
		for _, f := range d.Front {
			if len(f.Text) == 0 {
				t.Errorf("%s: nothing stands under %s", lang, f.Title)
			}
		}
		if text := string(written(t, r, auditreport.Markdown, lang)); strings.Count(text, "\n"+none+"\n") < 15 {
			t.Errorf("%s: tables are empty and do not say so:\n%s", lang, text)
		}
	}
}

// A hostile paper holds what spreadsheets and browsers may stumble over.
type hostile struct{}

func (hostile) Document(string) auditreport.Document {
	return auditreport.Document{Lang: "en", Title: "<script>1</script>", None: "None.", Sections: []auditreport.Section{{ID: "x", Title: "a|b", Columns: []string{"c"},
		Rows: [][]string{{"=HYPERLINK(1)"}, {"<img src=http://evil>"}, {"a|b\nc"}}}}}
}

func TestFilesAreSafe(t *testing.T) {
	page := string(written(t, hostile{}, auditreport.HTML, "en"))
	if strings.Contains(page, "<script") || strings.Contains(page, "<img") {
		t.Errorf("a cell became part of the page:\n%s", page)
	}
	if md := string(written(t, hostile{}, auditreport.Markdown, "en")); !strings.Contains(md, `| a\|b c |`) || strings.Contains(md, "<img") {
		t.Errorf("a cell broke its table:\n%s", md)
	}
	z := written(t, hostile{}, auditreport.CSV, "en")
	r, err := zip.NewReader(bytes.NewReader(z), int64(len(z)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) != 4 || rows[1][0] != "'=HYPERLINK(1)" {
		t.Errorf("%q, %v", rows, err)
	}
}

func TestThePageLoadsNothingAndHasEveryRow(t *testing.T) {
	w := told(t)
	r := made(t, w, 0, w.Time()+1)
	for _, lang := range []string{"en", "zh"} {
		d := r.Document(lang)
		tree, err := html.Parse(bytes.NewReader(written(t, r, auditreport.HTML, lang)))
		if err != nil {
			t.Fatal(err)
		}
		rows, cells, links, ids := 0, map[string]bool{}, []string{}, map[string]bool{}
		for n := range tree.Descendants() {
			switch {
			case n.Type == html.ElementNode && n.Data == "tr":
				rows++
			case n.Type == html.TextNode:
				cells[n.Data] = true
			}
			for _, a := range n.Attr {
				if link, within := strings.CutPrefix(a.Val, "#"); within && a.Key == "href" {
					links = append(links, link)
				}
				if a.Key == "id" {
					ids[a.Val] = true
				}
				if a.Key == "src" || a.Key == "href" && !strings.HasPrefix(a.Val, "#") {
					t.Errorf("%s: the page loads %s", lang, a.Val)
				}
			}
		}
		// The contents lead to every section, and to the signature.
		if len(links) != len(d.Sections)+1 {
			t.Errorf("%s: the contents have %d links, want %d", lang, len(links), len(d.Sections)+1)
		}
		for _, l := range links {
			if !ids[l] {
				t.Errorf("%s: the contents lead to %s, which is not there", lang, l)
			}
		}
		want := 0
		for _, s := range d.Sections {
			if len(s.Rows) > 0 {
				want += 1 + len(s.Rows)
			}
			for _, row := range s.Rows {
				if len(row) != len(s.Columns) {
					t.Errorf("%s %s: %d cells under %d columns", lang, s.ID, len(row), len(s.Columns))
				}
				for _, c := range row {
					if c != "" && !cells[c] {
						t.Errorf("%s %s: the page lacks %q", lang, s.ID, c)
					}
				}
			}
		}
		if rows != want {
			t.Errorf("%s: the page has %d rows, want %d", lang, rows, want)
		}
	}
}

func TestRegisters(t *testing.T) {
	w := told(t)
	w.Tell("", domain.Say{Event: domain.Noted{Kind: "recipient.added", Fields: policy.Fields(map[string]string{"recipient": "mailer", "categories": "position", "purposes": "marketing"})}})
	w.Tell("", domain.Say{Event: domain.Noted{Kind: "assessment.started", Fields: policy.Fields(map[string]string{"assessment": "pia-1", "subject": "location"})}})
	w.Tell("", domain.Say{Event: domain.Noted{Kind: "assessment.final", Fields: policy.Fields(map[string]string{"assessment": "pia-1", "report": content.Hash{1}.String(), "high_risk": "yes"})}})
	v := viewOf(t, w)
	register := func(name string, at deadline.Instant) auditreport.Register {
		r, err := auditreport.MakeRegister(t.Context(), w.Ledger, v, projectiontest.App, name, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []auditreport.Form{auditreport.JSON, auditreport.CSV, auditreport.Markdown, auditreport.HTML} {
			if len(written(t, r, f, "zh")) == 0 {
				t.Errorf("%s as %s is empty", name, f)
			}
		}
		return r
	}
	now := w.Time()
	if p := register("processing", now).Purposes; len(p) != 3 || p[0].Basis != "consent" || p[0].Retention != "a year" {
		t.Errorf("processing: %+v", p)
	}
	if r := register("recipients", now); len(r.Notes) != 1 || r.Notes[0].Kind != "recipient.added" {
		t.Errorf("recipients: %+v", r.Notes)
	}
	if a := register("assessments", now).Assessments; len(a) != 1 || a[0].State != "kept" || a[0].HighRisk != "yes" || a[0].Keep <= now.String()[:10] {
		t.Errorf("assessments: %+v", a)
	}
	if a := register("assessments", now.Add(4*365*deadline.Day)).Assessments; a[0].State != "may-go" {
		t.Errorf("four years later: %+v", a)
	}
	register("retention", now)
	if _, err := auditreport.MakeRegister(t.Context(), w.Ledger, v, projectiontest.App, "nosuch", now); err == nil {
		t.Error("a register that is not there")
	}
}

// A shortSighted ledger cannot read the whole log: only the streams of an app as a whole.
type shortSighted struct{ auditreport.Ledger }

var errWhole = errors.New("the whole log was read")

func (shortSighted) Of(context.Context, ident.AppName, eventstore.Position) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) { yield(codec.Entry{}, errWhole) }
}

func TestARegisterReadsNoMoreThanItNeeds(t *testing.T) {
	w := told(t)
	w.Tell("", domain.Say{Event: domain.Noted{Kind: "recipient.added", Fields: policy.Fields(map[string]string{"recipient": "mailer", "categories": "position", "purposes": "marketing"})}})
	deleted := domain.Say{Event: domain.Noted{Kind: "data.deleted", Fields: policy.Fields(map[string]string{"system": "crm", "method": "erased", "category": "position"})}}
	w.Tell("ann", deleted)
	w.Tell("tester", domain.Say{Event: domain.SubjectMarkedTest{Reason: "qa"}})
	w.Tell("tester", deleted)
	v := viewOf(t, w)

	for _, name := range auditreport.Registers {
		r, err := auditreport.MakeRegister(t.Context(), shortSighted{w.Ledger}, v, projectiontest.App, name, w.Time())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "retention" && (len(r.Notes) != 1 || r.Notes[0].Kind != "data.deleted") {
			t.Errorf("retention: %+v; want one note, that of ann", r.Notes)
		}
	}
}

// A counted ledger says how many entries of the log were read.
type counted struct {
	auditreport.Ledger
	read int
}

func (c *counted) Of(ctx context.Context, app ident.AppName, after eventstore.Position) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) {
		for e, err := range c.Ledger.Of(ctx, app, after) {
			if c.read++; !yield(e, err) {
				return
			}
		}
	}
}

func TestAReportReadsTheLogOnce(t *testing.T) {
	w := told(t)
	l := &counted{Ledger: w.Ledger}
	if _, err := auditreport.Make(t.Context(), l, viewOf(t, w), projectiontest.App, 0, w.Time()+1, outside); err != nil {
		t.Fatal(err)
	}
	if n := len(w.Entries()); l.read != n {
		t.Errorf("%d entries were read of %d", l.read, n)
	}
}

// A stuck projection is not as far as the span.
type stuck struct{}

func (stuck) Tests(context.Context, ident.AppName, requests.Known) ([]string, eventstore.Position, error) {
	return nil, 0, nil
}

func (stuck) Report(context.Context, requests.Query) ([]requests.Obligation, requests.Place, requests.Summary, eventstore.Position, error) {
	return nil, requests.Place{}, requests.Summary{}, 0, requests.ErrAhead
}

func TestAReportIsWholeOrNone(t *testing.T) {
	w := told(t)
	if _, err := auditreport.Make(t.Context(), w.Ledger, stuck{}, projectiontest.App, 0, w.Time()+1, outside); err == nil {
		t.Error("what is owed is left out, and nobody is told")
	}
}

// A version is called by its own title, and its purposes as it calls them; what is in no
// version in particular by the title of the newest that has begun to bind.
func TestAVersionIsCalledByItsOwnTitle(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	version := func(title, marketing string) policy.Document {
		d := projectiontest.Document(title)
		d.Purposes[1].Title = marketing
		return d
	}
	w.Publish(version("Title one", "Send letters"))
	w.Tell("ada", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}})
	w.Publish(version("Title two", "Send e-mail"))
	w.Tell("ada", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"marketing"}})
	w.Publish(version("Title three", "Call by telephone"))
	w.PublishAt(w.Time().Add(90*deadline.Day), version("Title four", "Knock at the door"))

	d := made(t, w, 0, w.Time()+1).Document("en")
	rows := map[string][][]string{}
	for _, s := range d.Sections {
		rows[s.ID] = s.Rows
	}
	for i, want := range [][2]string{
		{"Title one (privacy)", "none"}, {"Title two (privacy)", "Send e-mail (marketing)"},
		{"Title three (privacy)", "Call by telephone (marketing)"}, {"Title four (privacy)", "Knock at the door (marketing)"},
	} {
		if row := rows["changes"][i]; row[0] != want[0] || row[4] != want[1] {
			t.Errorf("a change of %q is about %q, want %q", row[0], row[4], want)
		}
	}
	if name := rows["consents"][0][0]; name != "Call by telephone (marketing)" {
		t.Errorf("the purpose is called %q", name)
	}
	if front := strings.Join(d.Front[0].Text, "\n"); !strings.Contains(front, "Title three (privacy)") {
		t.Errorf("the version in force has another's title:\n%s", front)
	}
}
