package register

import (
	"cmp"
	"slices"
	"strings"

	"consentledger/domain/catalog"
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
func holderOf(kind catalog.Note, fields []policy.Field) (h holder, says bool) {
	switch kind {
	case "system.added":
		return holder{name: policy.FieldOf(fields, "system"), purposes: purposesIn(fields)}, true
	case "recipient.added", "recipient.changed":
		return holder{name: policy.FieldOf(fields, "recipient"), purposes: purposesIn(fields)}, true
	case "entrustment.agreed":
		return holder{name: policy.FieldOf(fields, "processor"), purposes: purposesIn(fields)}, true
	case "system.removed":
		return holder{name: policy.FieldOf(fields, "system"), removed: true}, true
	case "recipient.removed":
		return holder{name: policy.FieldOf(fields, "recipient"), removed: true}, true
	case "entrustment.ended":
		return holder{name: policy.FieldOf(fields, "processor"), removed: true}, true
	}
	return holder{}, false
}

// purposesIn returns the purposes that a note lists. In words, of which one is no
// purpose's name, they are taken for all.
func purposesIn(fields []policy.Field) []policy.PurposeID {
	var ids []policy.PurposeID
	for word := range strings.SplitSeq(policy.FieldOf(fields, "purposes"), ",") {
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

// Targets returns who has personal data for one of a scope's purposes: the recipients that
// the policies name, then who was noted. Declared are the purposes that the policies have.
// Nobody known is the handler alone, which has the empty name.
func (r Register) Targets(
	named []policy.RecipientID, declared []policy.PurposeID, scope policy.Scope,
) []string {
	var targets []string
	for _, id := range named {
		if i, known := find(r.holders, string(id)); !known || !r.holders[i].removed {
			targets = append(targets, string(id))
		}
	}

	for _, h := range r.holders {
		if !h.removed && h.has(scope, declared) && !slices.Contains(targets, h.name) {
			targets = append(targets, h.name)
		}
	}

	if len(targets) == 0 {
		return []string{""}
	}
	return targets
}
