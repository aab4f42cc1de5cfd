package query

import (
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// mostNamed is how many names an answer lists at most of those that are known.
const mostNamed = 20

// CheckVersion refuses a version that was never published: nothing goes by it, and
// "not declared" would be a wrong word for a wrong hash.
func CheckVersion(policies domain.Policies, h content.Hash) error {
	if _, is := policies.Version(h); is || h == (content.Hash{}) {
		return nil
	}
	var published []string
	for _, v := range policies.Versions() {
		published = append(published, v.Version.String())
	}
	slices.Reverse(published) // the newest first
	return refusal.Refusal{Code: refusal.UnknownVersion, Path: "version",
		Text: "the app has no such version of its policies" + listed(published)}
}

// CheckPurpose refuses a purpose that no version of the app's policies ever
// declared.
func CheckPurpose(policies domain.Policies, id policy.PurposeID) error {
	purposes := names(policies, func(d policy.Document) []policy.Purpose { return d.Purposes },
		func(p policy.Purpose) string { return string(p.ID) })
	if slices.Contains(purposes, string(id)) {
		return nil
	}
	return refusal.Refusal{Code: refusal.UnknownPurpose, Path: "purpose",
		Text: "no version of the app's policies declares this purpose" + listed(purposes)}
}

// named says what the app's policies declare, where an answer is no because no
// version ever declared what was asked about: it may be misspelt.
func named(policies domain.Policies, q domain.Question, why domain.Why) string {
	var all []string
	asked := ""
	switch why { // the others are no matter of a name
	case domain.WhyNoPurpose:
		asked = string(q.Purpose)
		all = names(policies, func(d policy.Document) []policy.Purpose { return d.Purposes },
			func(p policy.Purpose) string { return string(p.ID) })
	case domain.WhyNoCategory:
		asked = string(q.Category)
		all = names(policies, func(d policy.Document) []policy.Category { return d.Categories },
			func(c policy.Category) string { return string(c.ID) })
	case domain.WhyNoRecipient:
		asked = string(q.Recipient)
		all = names(policies, func(d policy.Document) []policy.Recipient { return d.Recipients },
			func(r policy.Recipient) string { return string(r.ID) })
	}

	if asked == "" || slices.Contains(all, asked) {
		return ""
	}
	return " No version ever did" + listed(all) + "."
}

// names returns the names of what any version declares, sorted.
func names[T any](policies domain.Policies, list func(policy.Document) []T, name func(T) string) (all []string) {
	for _, v := range policies.Versions() {
		for _, x := range list(v.Document) {
			all = append(all, name(x))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func listed(names []string) string {
	switch {
	case len(names) == 0:
		return "; there is none yet"
	case len(names) > mostNamed:
		return "; there are " + strings.Join(names[:mostNamed], ", ") + " and more"
	}
	return "; there are " + strings.Join(names, ", ")
}
