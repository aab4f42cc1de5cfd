package react

import (
	"maps"
	"slices"
	"strings"

	"consentledger/domain"
)

// Holders are who has an app's personal data beside those that its policies
// name, as far as it was noted. The value says for which purposes: none, for
// all; who is removed has it no more, whatever a policy says.
type holders map[string]holding

type holding struct {
	purposes []domain.PurposeID
	removed  bool
}

// learn takes note of who has data and who has no more.
func (h holders) learn(n domain.Noted) {
	switch n.Kind {
	case "system.added":
		h[member(n.Fields, "system")] = holding{purposes: purposesIn(n)}
	case "recipient.added", "recipient.changed":
		h[member(n.Fields, "recipient")] = holding{purposes: purposesIn(n)}
	case "entrustment.agreed":
		h[member(n.Fields, "processor")] = holding{purposes: purposesIn(n)}
	case "system.removed":
		h[member(n.Fields, "system")] = holding{removed: true}
	case "recipient.removed":
		h[member(n.Fields, "recipient")] = holding{removed: true}
	case "entrustment.ended":
		h[member(n.Fields, "processor")] = holding{removed: true}
	}
}

// purposesIn returns the purposes that a note lists. In words, of which one is
// no purpose's name, they are taken for all.
func purposesIn(n domain.Noted) []domain.PurposeID {
	var ids []domain.PurposeID
	for word := range strings.SplitSeq(member(n.Fields, "purposes"), ",") {
		id, err := domain.ParsePurposeID(strings.TrimSpace(word))
		if err != nil {
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// targets returns who has data for one of a scope's purposes: the recipients
// that the policies name, then who was noted. Nobody known is the handler
// alone, which has the empty name.
func (h holders) targets(scope domain.Scope, declared []domain.PurposeID, named []domain.RecipientID) []string {
	var targets []string
	for _, id := range named {
		if !h[string(id)].removed {
			targets = append(targets, string(id))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if x := h[name]; !x.removed && x.has(scope, declared) && !slices.Contains(targets, name) {
			targets = append(targets, name)
		}
	}
	if len(targets) == 0 {
		return []string{""}
	}
	return targets
}

// has reports whether the holding is of one of a scope's purposes. What names
// a purpose that no policy declares may be of any.
func (x holding) has(scope domain.Scope, declared []domain.PurposeID) bool {
	undeclared := func(id domain.PurposeID) bool { return !slices.Contains(declared, id) }
	if scope.All || len(x.purposes) == 0 || slices.ContainsFunc(x.purposes, undeclared) {
		return true
	}
	return slices.ContainsFunc(x.purposes, func(id domain.PurposeID) bool { return slices.Contains(scope.Purposes, id) })
}
