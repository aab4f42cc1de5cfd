package domain

import (
	"cmp"
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// A holder is who has an app's personal data, or has it no more, as was noted of
// them last: beside those that the policies name.
type holder struct {
	name     string
	purposes []policy.PurposeID // for which; none: for all
	removed  bool               // they have it no more, whatever a policy says
}

// holderOf returns what a note says of who has personal data, if it says that.
func holderOf(n Noted) (h holder, says bool) {
	switch n.Kind {
	case "system.added":
		return holder{name: policy.FieldOf(n.Fields, "system"), purposes: purposesIn(n)}, true
	case "recipient.added", "recipient.changed":
		return holder{name: policy.FieldOf(n.Fields, "recipient"), purposes: purposesIn(n)}, true
	case "entrustment.agreed":
		return holder{name: policy.FieldOf(n.Fields, "processor"), purposes: purposesIn(n)}, true
	case "system.removed":
		return holder{name: policy.FieldOf(n.Fields, "system"), removed: true}, true
	case "recipient.removed":
		return holder{name: policy.FieldOf(n.Fields, "recipient"), removed: true}, true
	case "entrustment.ended":
		return holder{name: policy.FieldOf(n.Fields, "processor"), removed: true}, true
	}
	return holder{}, false
}

// purposesIn returns the purposes that a note lists. In words, of which one is no
// purpose's name, they are taken for all.
func purposesIn(n Noted) []policy.PurposeID {
	var ids []policy.PurposeID
	for word := range strings.SplitSeq(policy.FieldOf(n.Fields, "purposes"), ",") {
		id, err := policy.ParsePurposeID(strings.TrimSpace(word))
		if err != nil {
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// hold returns holders, which stand in the order of their names, with h in the
// place of what was known of whom it names. The list that it is given stays as it is.
func hold(list []holder, h holder) []holder {
	i, known := find(list, h.name)
	list = slices.Clone(list)
	if known {
		list[i] = h
		return list
	}
	return slices.Insert(list, i, h)
}

func find(list []holder, name string) (int, bool) {
	return slices.BinarySearchFunc(list, name, func(h holder, name string) int { return cmp.Compare(h.name, name) })
}

// Targets returns who has personal data for one of a scope's purposes at a moment:
// the recipients that the policies name, then who was noted. Nobody known is the
// handler alone, which has the empty name.
func (ref Reference) Targets(scope policy.Scope, at deadline.Instant) []string {
	var targets []string
	for _, id := range ref.Policies.Recipients(scope, at) {
		if i, known := find(ref.Service.holders, string(id)); !known || !ref.Service.holders[i].removed {
			targets = append(targets, string(id))
		}
	}

	declared := ref.Policies.Declared(at)
	for _, h := range ref.Service.holders {
		if !h.removed && h.has(scope, declared) && !slices.Contains(targets, h.name) {
			targets = append(targets, h.name)
		}
	}

	if len(targets) == 0 {
		return []string{""}
	}
	return targets
}

// has reports whether the holder has data for one of a scope's purposes. Who has it
// for a purpose that no policy declares may have it for any.
func (h holder) has(scope policy.Scope, declared []policy.PurposeID) bool {
	undeclared := func(id policy.PurposeID) bool { return !slices.Contains(declared, id) }
	if scope.All || len(h.purposes) == 0 || slices.ContainsFunc(h.purposes, undeclared) {
		return true
	}
	return slices.ContainsFunc(h.purposes,
		func(id policy.PurposeID) bool { return slices.Contains(scope.Purposes, id) })
}
