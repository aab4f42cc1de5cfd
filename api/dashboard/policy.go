package dashboard

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// A policyPage is one version of a policy: what changed in it, who stands where with it, and
// the screens that show it.
type policyPage struct {
	Version policyVersion
	Older   []policy // versions of the same policy that it may be compared with, the newest first
	With    string   // the one that it is compared with; empty: there is none
	Locale  string
	Locales []string // of its texts

	Progress   consentCounts  // each status is one of the progress, see [progressOf]
	AskedAgain map[string]int // of those waiting, by purpose, how many were asked
	Diff       *policyDiff    // nil: there is nothing to compare with, or whoever looks may not
	Text       textDiff
	Screens    []screen
	AsOf       string
}

type policyVersion struct {
	policy
	Rights   bool `json:"rights_reduced"`
	Document struct {
		Texts []struct {
			Hash     string `json:"hash"`
			Locale   string `json:"locale"`
			Standing string `json:"standing"`
		} `json:"texts"`
	} `json:"document"`
}

// text returns the hash of the version's text in a locale; empty: it has none.
func (v policyVersion) text(locale string) string {
	for _, t := range v.Document.Texts {
		if t.Locale == locale {
			return t.Hash
		}
	}
	return ""
}

type policyDiff struct {
	Differences []struct {
		Section  string `json:"section"`
		Name     string `json:"name"`
		Old      string `json:"old"`
		New      string `json:"new"`
		Material string `json:"material"`
		Reduces  bool   `json:"reduces"`
	} `json:"differences"`
	Touched []struct {
		Purpose string `json:"purpose"`
		People  int64  `json:"people"`
	} `json:"touched"`
}

// A screen is one that a build of the app shows.
type screen struct {
	ID        string `json:"id"`
	Build     string `json:"build"`
	Screen    string `json:"screen"`
	Version   string `json:"version"`
	Publisher string `json:"publisher"`
	Signer    string `json:"signer"`
	Surface   struct {
		Locales []struct {
			Locale     string `json:"locale"`
			Screenshot string `json:"screenshot"`
		} `json:"locales"`
	} `json:"surface"`
	Pictures []picture `json:"pictures"`
}

// A picture is one of a screen that the ledger keeps.
type picture struct {
	Hash   string `json:"hash"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// Picture returns the picture of a hash; nil: it is not kept.
func (s screen) Picture(hash string) *picture {
	for i, p := range s.Pictures {
		if p.Hash == hash {
			return &s.Pictures[i]
		}
	}
	return nil
}

func readPolicy(a *ask) (any, error) {
	query := a.URL.Query()
	p := &policyPage{}
	var all policies
	if err := a.get(a.of("/policies"), nil, &all); err != nil {
		return nil, err
	}
	version := cmp.Or(query.Get("version"), all.newest())
	path := a.of("/policies/" + url.PathEscape(version))
	if err := a.get(path, nil, &p.Version); err != nil {
		return nil, err
	}

	for _, other := range all.Policies {
		if other.Version == p.Version.Version {
			break // those that follow are newer
		}
		if other.Policy == p.Version.Policy {
			p.Older = append([]policy{other}, p.Older...)
		}
	}
	if p.With = query.Get("with"); p.With == "" && len(p.Older) > 0 {
		p.With = p.Older[0].Version
	}

	if err := p.readProgress(a, path); err != nil {
		return nil, err
	}
	if err := p.readDiff(a, query.Get("locale")); err != nil {
		return nil, err
	}
	return p, p.readScreens(a)
}

// newest returns the newest version that is in force; empty: none is.
func (p policies) newest() string {
	for _, v := range slices.Backward(p.Policies) {
		if v.InForce {
			return v.Version
		}
	}
	return ""
}

// progressOf are the kinds of progress in the order of the chart, and the status whose colour
// each has there.
var progressOf = []struct{ Name, Colour string }{
	{"agreed", "given"}, {"older", "stale"}, {"waiting", "never-asked"}, {"refused", "refused"},
	{"refused-before", "withdrawn"}, {"other", "expired"},
}

// Colour returns the colour of a kind of progress.
func (*policyPage) Colour(name string) string {
	for _, kind := range progressOf {
		if kind.Name == name {
			return kind.Colour
		}
	}
	return ""
}

// readProgress asks who stands where with the version. Who may not see numbers sees none.
func (p *policyPage) readProgress(a *ask, path string) error {
	var answer struct {
		Progress []struct {
			Purpose       string `json:"purpose"`
			Agreed        int    `json:"agreed"`
			Older         int    `json:"older"`
			Waiting       int    `json:"waiting"`
			Asked         int    `json:"asked"`
			Refused       int    `json:"refused"`
			RefusedBefore int    `json:"refused_before"`
			Other         int    `json:"other"`
		} `json:"progress"`
		AsOf string `json:"as_of"`
	}
	err := a.getIfMay(path+"/progress", a.day(), &answer)
	if isForbidden(err) {
		return nil
	}
	if err != nil {
		return err
	}

	p.AsOf, p.AskedAgain = answer.AsOf, map[string]int{}
	for _, one := range answer.Progress {
		numbers := []int{one.Agreed, one.Older, one.Waiting, one.Refused, one.RefusedBefore, one.Other}
		row := purposeCounts{Purpose: one.Purpose, People: map[string]int{}}
		for i, n := range numbers {
			row.People[progressOf[i].Name] = n
			row.All += n
		}
		p.AskedAgain[one.Purpose] = one.Asked
		p.Progress.Purposes = append(p.Progress.Purposes, row)
	}
	for _, kind := range progressOf {
		p.Progress.Statuses = append(p.Progress.Statuses, kind.Name)
	}
	return nil
}

// readDiff asks what differs from the version that it is compared with, and compares their
// texts in a locale.
func (p *policyPage) readDiff(a *ask, locale string) error {
	for _, t := range p.Version.Document.Texts {
		p.Locales = append(p.Locales, t.Locale)
	}
	if p.Locale = locale; !slices.Contains(p.Locales, locale) && len(p.Locales) > 0 {
		p.Locale = p.Locales[0]
	}
	if p.With == "" {
		return nil
	}

	if err := a.refusal(http.MethodPost, a.of("/policies/diff")); !isForbidden(err) {
		p.Diff = new(policyDiff)
		versions := map[string]string{"old": p.With, "new": p.Version.Version}
		if err := a.do(http.MethodPost, a.of("/policies/diff"), versions, p.Diff); err != nil {
			return err
		}
	}

	var other policyVersion
	if err := a.get(a.of("/policies/"+url.PathEscape(p.With)), nil, &other); err != nil {
		return err
	}
	was, err := p.readText(a, other)
	if err != nil {
		return err
	}
	is, err := p.readText(a, p.Version)
	if err != nil {
		return err
	}
	p.Text = compareTexts(was, is)
	return nil
}

// readText returns the lines of a version's text; none, if it has none in this locale.
func (p *policyPage) readText(a *ask, v policyVersion) ([]string, error) {
	hash := v.text(p.Locale)
	if hash == "" {
		return nil, nil
	}
	var text recorder
	if err := a.get("/v1/blobs/"+url.PathEscape(hash), nil, &text); err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(text.body.String(), "\n"), "\n"), nil
}

// readScreens lists the screens that show the version, with their pictures.
func (p *policyPage) readScreens(a *ask) error {
	var list struct {
		Surfaces []screen `json:"surfaces"`
	}
	if err := a.get(a.of("/surfaces"), nil, &list); err != nil {
		return err
	}

	for _, s := range list.Surfaces {
		if s.Version != p.Version.Version {
			continue
		}
		if len(p.Screens) < mostScreens {
			if err := a.get(a.of("/surfaces/"+url.PathEscape(s.ID)), nil, &s); err != nil {
				return err
			}
		}
		p.Screens = append(p.Screens, s)
	}
	return nil
}

// mostScreens bounds of how many screens the whole document is asked for.
const mostScreens = 50

// A textDiff is two texts side by side. Where they are alike only the lines around a change
// are in it.
type textDiff struct {
	Lines []textLine
	Same  bool // there is no change
	Long  bool // they are too long to be compared here
}

// A textLine is a line of both texts, or of one.
type textLine struct {
	Was, Is string
	Changed bool
	Gap     int // so many lines that are alike are left out here
}

const (
	around   = 2    // lines that are alike, before and after a change
	longText = 4000 // lines of a text that are compared
)

func compareTexts(was, is []string) textDiff {
	if slices.Equal(was, is) {
		return textDiff{Same: true}
	}
	if len(was) > longText || len(is) > longText {
		return textDiff{Long: true}
	}

	var d textDiff
	next := 0
	for _, group := range difflib.NewMatcher(was, is).GetGroupedOpCodes(around) {
		if gap := group[0].I1 - next; gap > 0 {
			d.Lines = append(d.Lines, textLine{Gap: gap})
		}
		for _, op := range group {
			d.add(was[op.I1:op.I2], is[op.J1:op.J2], op.Tag != 'e')
			next = op.I2
		}
	}
	if gap := len(was) - next; gap > 0 {
		d.Lines = append(d.Lines, textLine{Gap: gap})
	}
	return d
}

// add puts lines of both texts side by side.
func (d *textDiff) add(was, is []string, changed bool) {
	for i := range max(len(was), len(is)) {
		line := textLine{Changed: changed}
		if i < len(was) {
			line.Was = was[i]
		}
		if i < len(is) {
			line.Is = is[i]
		}
		d.Lines = append(d.Lines, line)
	}
}
