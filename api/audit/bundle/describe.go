package bundle

import (
	"fmt"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/surface"
)

// describe says what of an event a reader needs first, in the words of the
// policy that it is about.
func (r *report) describe(e domain.Event) string {
	w := r.wording
	switch e := e.(type) {
	case domain.ConsentGiven:
		r.answered(e.Surface, e.Locale, e.Text, e.Version)
		text := w.purposes + ": " + r.items(e.Version, e.Items) + "; " + w.byAct + ": " + r.act(e.Version, e.Act) +
			" (" + w.name(w.consents, e.Kind.String()) + "); " + w.locale + ": " + e.Locale +
			"; " + w.evidence + ": " + w.quality(e.Evidence)
		if s, ok := r.of.surfaces[e.Surface]; ok {
			text += "; " + w.shown + ": " + s.Screen + ", " + w.build + " " + s.Build + ", " + string(e.Control)
		}
		return text
	case domain.ConsentRefused:
		r.see(view{surface: e.Surface, locale: e.Locale})
		return w.purposes + ": " + r.scope(e.Version, e.Scope) + "; " + w.byAct + ": " + r.act(e.Version, e.Act)
	case domain.ConsentWithdrawn:
		return w.purposes + ": " + r.scope(content.Hash{}, e.Scope)
	case domain.PermissionRevoked:
		return string(e.Permission) + "; " + w.purposes + ": " +
			r.scope(content.Hash{}, policy.Scope{Purposes: e.Withdraws})
	case domain.PermissionGranted:
		return string(e.Permission)
	case domain.PermissionDenied:
		return string(e.Permission)
	case domain.ConsentRequested:
		return w.purposes + ": " + r.scope(content.Hash{}, policy.Scope{Purposes: e.Purposes})
	case domain.NoticePresented:
		r.see(view{surface: e.Surface, locale: e.Locale, text: e.Text})
		return w.shown + ": " + r.policy(e.Version) + ", " + e.Locale
	case domain.PolicyPublished:
		return r.policy(e.Version)
	case domain.PolicyEffective:
		return r.policy(e.Version)
	case domain.PolicyAcknowledged:
		return r.policy(e.Version) + "; " + w.byAct + ": " + r.act(e.Version, e.Act)
	case domain.SurfacePublished:
		return e.Surface.Screen + ", " + w.build + " " + e.Surface.Build
	case domain.CheckAnswered:
		return fmt.Sprintf("%s, %s: %s (%s)", r.purpose(e.Version, e.Purpose), w.name(w.actions, e.Action.String()),
			map[bool]string{true: w.allowed, false: w.denied}[e.Allowed], w.name(w.whys, string(e.Why)))
	case domain.DataAccessed:
		return fmt.Sprintf("%s; %s: %s; %s: %d; %s: %d", w.name(w.accesses, string(e.Kind)), w.reason,
			w.name(w.reasons, e.Reason), w.recordsRead, e.Records, w.partsRead, e.Parts)
	case domain.RequestReceived:
		var all []string
		for _, t := range e.Types {
			all = append(all, w.name(w.requests, t.String()))
		}
		return strings.Join(all, ", ")
	case domain.ObligationOpened:
		return e.Obligation.ID + ": " + w.due + " " + day(e.Due)
	case domain.ObligationMoved:
		return e.ID + ": " + w.due + " " + day(e.Due)
	case domain.ObligationMet:
		return e.ID
	case domain.ObligationOverdue:
		return e.ID
	case domain.SubjectLinked:
		return e.Other
	case domain.Noted:
		return w.written(e.Fields)
	case domain.Stepped:
		return w.written(e.Fields)
	}
	return ""
}

// day is the day that something is due, or the moment if it is due by the hour.
func day(d deadline.Due) string {
	if d.Date == 0 {
		return moment(d.Until)
	}
	return d.Date.String()
}

// written says what was written down with a fact.
func (w wording) written(list []policy.Field) string {
	var all []string
	for _, f := range list {
		all = append(all, w.name(w.fields, f.Name)+"="+w.value(f))
	}
	return strings.Join(all, ", ")
}

// value is the language's word for what a field says, if it is one of a list.
func (w wording) value(f policy.Field) string {
	if f.Name == "types" {
		var all []string
		for t := range strings.SplitSeq(f.Value, ",") {
			all = append(all, w.name(w.requests, t))
		}
		return strings.Join(all, ", ")
	}
	if name := w.values[f.Name][f.Value]; name != "" {
		return name
	}
	return w.name(w.values[""], f.Value)
}

// policy names a version of a policy.
func (r *report) policy(version content.Hash) string {
	return strings.TrimSpace(r.of.policies[version].Name + " " + version.String())
}

// purpose is a purpose's title in the version, and its id. An opt-out names no
// version: then it is the title of any that has the purpose.
func (r *report) purpose(version content.Hash, id policy.PurposeID) string {
	document, ok := r.of.policies[version]
	p, found := document.Purpose(id)
	if !ok && !found {
		var titles []string
		for _, d := range r.of.policies {
			if p, ok := d.Purpose(id); ok {
				titles = append(titles, p.Title)
			}
		}
		if len(titles) > 0 {
			p.Title = slices.Min(titles)
		}
	}
	return titled(p.Title, string(id))
}

func (r *report) act(version content.Hash, id policy.ActID) string {
	document := r.of.policies[version]
	a, _ := document.Act(id)
	return titled(a.Title, string(id))
}

// titled is a title and the code that it is the title of.
func titled(title, code string) string {
	if title == "" || title == code {
		return code
	}
	return title + " (" + code + ")"
}

func (r *report) items(version content.Hash, list []domain.Item) string {
	var all []string
	for _, i := range list {
		text := r.purpose(version, i.Purpose)
		if i.Short != "" {
			text += " (✗ " + r.name(r.shorts, string(i.Short)) + ")"
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (r *report) scope(version content.Hash, s policy.Scope) string {
	if s.All {
		return r.all
	}
	var all []string
	for _, p := range s.Purposes {
		all = append(all, r.purpose(version, p))
	}
	return strings.Join(all, ", ")
}

func (w wording) quality(e domain.Evidence) string {
	text := w.name(w.qualities, e.Quality.String())
	for _, lack := range e.Missing {
		text += " − " + w.name(w.lacks, string(lack))
	}
	return text
}

func (w wording) state(s surface.State) string { return w.name(w.states, s.String()) }

// name is the language's word for a code; the code, if it has none.
func (w wording) name(words map[string]string, code string) string {
	if name := words[code]; name != "" {
		return name
	}
	return code
}

// kind is the language's word for a kind of record, and the kind.
func (w wording) kind(kind string) string {
	if name := w.kinds[kind]; name != "" {
		return name + " (" + kind + ")"
	}
	return kind
}
