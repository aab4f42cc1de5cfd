package auditreport

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"consentledger/api/audit/bundle"
	"consentledger/api/report"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/published"
)

// versionsOf returns all versions as what a code was called is looked for in them: the
// newest first that bound at a moment or before it, and then those that did not yet.
func versionsOf(p domain.Policies, at deadline.Instant) []published.Policy {
	list := slices.Clone(p.Versions())
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b published.Policy) int {
		if a.Effective > at && b.Effective > at {
			return 0
		}
		if a.Effective > at || b.Effective > at {
			return cmp.Compare(a.Effective, b.Effective)
		}
		return cmp.Compare(b.Effective, a.Effective)
	})
	return list
}

// list joins words as the language does.
func (s speaker) list(words []string) string { return strings.Join(words, s.say("comma")) }

// each names every code of a list.
func each[T any](codes []T, name func(T) string) (words []string) {
	for _, c := range codes {
		words = append(words, name(c))
	}
	return words
}

// titled returns what the policies call a code, and the code. In Chinese a title
// in another language is left out: no sentence but Chinese stands there.
func (s speaker) titled(code string, find func(*policy.Document) string) string {
	for i := range s.versions {
		title := find(&s.versions[i].Document)
		if title == "" || title == code || s.lang == "zh" && !isHan(title) {
			continue
		}
		return title + " (" + code + ")"
	}
	return code
}

func isHan(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// of returns the speaker of one version: it says what is called how there, and nowhere
// else. An empty hash, or that of no version, is none in particular.
func (s speaker) of(version string) speaker {
	for i := range s.versions {
		if s.versions[i].Version.String() == version {
			s.versions = s.versions[i : i+1]
			break
		}
	}
	return s
}

// policy names a policy by its title in the language.
func (s speaker) policy(name string) string {
	return s.titled(name, func(d *policy.Document) string {
		for _, t := range d.Title {
			if tag, _, _ := strings.Cut(t.Locale, "-"); d.Name == name && tag == s.lang {
				return t.Text
			}
		}
		return ""
	})
}

func (s speaker) purpose(id string) string {
	return s.titled(id, func(d *policy.Document) string {
		p, _ := d.Purpose(policy.PurposeID(id))
		return p.Title
	})
}

func (s speaker) act(id string) string {
	return s.titled(id, func(d *policy.Document) string {
		a, _ := d.Act(policy.ActID(id))
		return a.Title
	})
}

func (s speaker) category(id string) string {
	return s.titled(id, func(d *policy.Document) string {
		i := slices.IndexFunc(d.Categories, func(c policy.Category) bool { return string(c.ID) == id })
		if i < 0 {
			return ""
		}
		return d.Categories[i].Title
	})
}

func (s speaker) recipient(id string) string {
	return s.titled(id, func(d *policy.Document) string {
		i := slices.IndexFunc(d.Recipients, func(r policy.Recipient) bool { return string(r.ID) == id })
		if i < 0 {
			return ""
		}
		return d.Recipients[i].Title
	})
}

// right names a right: by the type of request of that name, or by its title.
func (s speaker) right(id string) string {
	if name := s.requestType(id); name != id {
		return name
	}
	return s.titled(id, func(d *policy.Document) string {
		i := slices.IndexFunc(d.Rights, func(r policy.Right) bool { return string(r.ID) == id })
		if i < 0 {
			return ""
		}
		return d.Rights[i].Title
	})
}

// ground names an entry of one of the policies' enumerations.
func (s speaker) ground(code string) string {
	text := s.titled(code, func(d *policy.Document) string {
		for _, list := range [][]policy.Ground{d.Rejections, d.ExemptionsCollect, d.ExemptionsProvide, d.Disclosures} {
			for _, g := range list {
				if g.Code == code {
					return g.Title
				}
			}
		}
		return ""
	})
	if text == code {
		return s.say("ground", code)
	}
	return text
}

// material names a kind of material change, with its code.
func (s speaker) material(code string) string {
	if text, ok := s.words["v."+code]; ok {
		return text + " (" + code + ")"
	}
	return s.ground(code)
}

func (s speaker) requestType(code string) string { return bundle.ValueName(s.lang, "types", code) }

// source says where a rule is from; a rule of which nothing is said has none.
func (s speaker) source(text string) string {
	return orText(report.SourceName(s.lang, text), s.say("unsaid"))
}

// locale names a language, with its tag.
func (s speaker) locale(tag string) string {
	if text, ok := s.words["locale."+tag]; ok {
		return text + " (" + tag + ")"
	}
	return tag
}

// who names a principal: a name is its own, but nobody and the ledger have words.
func (s speaker) who(principal string) string {
	if text, ok := s.words["who."+principal]; ok {
		return text
	}
	return principal
}

// field returns the value of a field of a note, with what the policies call it.
func (s speaker) field(f Pair) string {
	name := map[string]func(string) string{
		"purpose": s.purpose, "purposes": s.purpose, "category": s.category, "categories": s.category,
		"recipient": s.recipient,
	}[f.Name]
	if name == nil {
		return f.Value
	}
	var words []string
	for code := range strings.SplitSeq(f.Value, ",") {
		words = append(words, name(strings.TrimSpace(code)))
	}
	return s.list(words)
}

// handler names who is responsible for an app.
func (s speaker) handler(a App) string { return orText(s.who(a.Handler), s.say("unknown")) }

// calendar names a year of working days, as "CN 2027 reported".
func (s speaker) calendar(id string) string {
	year, reported := strings.CutSuffix(id, " reported")
	if reported {
		return s.say("calendar.reported", year)
	}
	return id
}

// about says what a gap is about.
func (s speaker) about(g Gap) string {
	code, rest, _ := strings.Cut(g.About, ": ")
	switch g.Code {
	case gapRetention, gapSeparate:
		return s.purpose(g.About)
	case gapSensitive:
		return s.category(g.About)
	case gapAct:
		return s.act(g.About)
	case gapProcedure, gapDeadline:
		return s.right(g.About)
	case gapLonger:
		return fmt.Sprintf("%s%s%s", s.right(code), s.say("colon"), rest)
	case gapDoubtful:
		code, _, _ := strings.Cut(g.About, " ")
		return s.ground(code)
	}
	return s.who(g.About) // the handler, or nothing
}
