package cases

import (
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
)

// checkStep refuses a step that the table alone cannot judge.
func (r Request) checkStep(cmd domain.TakeStep, ref Reference) error {
	if r.Received.Subject == "" && cmd.Details != "" {
		return refusal.At(refusal.Malformed, "data.details",
			"of nobody that is known there is nobody's vault to seal a text in: keep it as a document and name "+
				"its hash")
	}

	switch cmd.Kind {
	case "identity.requested", "identity.passed", "identity.failed":
		return request.CheckElements(policy.FieldOf(cmd.Fields, "elements"), r.elements(ref.Reference))
	case "request.answered", "request.rejected":
		return r.checkReply(cmd, ref)
	case "fee.paid":
		return request.CheckPaid(policy.FieldOf(cmd.Fields, "amount"), r.fee)
	case "request.duplicate":
		return r.checkOriginal(ref)
	case "request.extended":
		return request.CheckNotified(policy.FieldOf(cmd.Fields, "notified"), r.At)
	case "clock.paused":
		return obligation.CheckPause(policy.FieldOf(cmd.Fields, "reason"))
	}
	return nil
}

// extend extends what can be. That the person will be told extends nothing; and
// that they were told some time ago is so from when it is recorded, unless there
// is evidence of its own: else whoever is late would only have to say so.
func (r Request) extend(cmd domain.TakeStep, recorded deadline.Instant, k deadline.Calendars) ([]domain.Event, error) {
	told, _ := deadline.ParseInstant(policy.FieldOf(cmd.Fields, "notified"))
	events, err := moved(r.Duties.Extend(doneAt(told, recorded, cmd.Evidence), k))
	if err == nil && told > recorded.Add(domain.FutureSkew) {
		return nil, refusal.At(refusal.IllegalMove, "data.notified",
			"that is still to come: tell the person first, then record it")
	}
	return events, err
}

// checkReply refuses an answer to what was not asked, or has its answer, and a
// rejection without coded grounds, reasons, remedies or a second person (PIPL 50).
func (r Request) checkReply(cmd domain.TakeStep, ref Reference) error {
	if names := policy.FieldOf(cmd.Fields, "types"); names != "" {
		left := r.left()
		for _, name := range strings.Split(names, ",") {
			t, err := request.ParseType(name)
			if err != nil || !slices.Contains(left, t) {
				return refusal.At(refusal.IllegalMove, "data.types",
					"a type was not asked for, or has its answer already")
			}
		}
	}

	if cmd.Kind != "request.rejected" {
		return r.checkIdentity(request.NamedIn(cmd.Fields, r.left()), ref.Reference)
	}

	rejections := r.list(ref.Reference, func(d policy.Document) []policy.Ground { return d.Rejections })
	if err := request.CheckGrounds(policy.FieldOf(cmd.Fields, "codes"), rejections); err != nil {
		return err
	}

	switch {
	case cmd.Details == "" && cmd.Evidence == (content.Hash{}):
		return refusal.At(refusal.ReasonMissing, "data.details",
			"a rejection needs its reasons in words (PIPL 50, GDPR 12(4)): give details, or the letter by its hash "+
				"as evidence")
	case policy.FieldOf(cmd.Fields, "remedies_told") != "yes":
		return refusal.At(refusal.RemediesMissing, "data.remedies_told",
			`a rejection tells where to complain (PIPL 50, GDPR 12(4)): tell the person, then say "yes"`)
	case policy.FieldOf(cmd.Fields, "approved_by") == ident.Unauthenticated:
		return refusal.At(refusal.TwoPersons, "data.approved_by", "who approved it is somebody with a name")
	case strings.EqualFold(policy.FieldOf(cmd.Fields, "approved_by"), ref.By.Principal):
		return refusal.At(refusal.TwoPersons, "data.approved_by",
			"a no takes two different persons: who records it, and who approved it")
	}
	return nil
}

// checkIdentity refuses an answer that hands over personal data to somebody of whom it
// is not known who they are: whoever asks in another's name would have it.
func (r Request) checkIdentity(answered []request.Type, ref domain.Reference) error {
	if !slices.ContainsFunc(answered, func(t request.Type) bool { return !r.answerable(t, ref) }) {
		return nil
	}
	return refusal.At(refusal.IllegalMove, "data.types",
		"access, copy and portability hand over personal data, and it is not known who asks: record "+
			"identity.passed first; other types that were asked for can be answered by naming them")
}

// answerable reports whether a type of request may have its answer as to identity. A
// policy without identity_elements has nothing by which somebody could be identified.
func (r Request) answerable(t request.Type, ref domain.Reference) bool {
	return !t.HandsOver() || r.Marks.Has(catalog.IdentityKnown) || len(r.elements(ref)) == 0
}

// elements are by what the policy of the request says that a person is identified.
func (r Request) elements(ref domain.Reference) []policy.Ground {
	return r.list(ref, func(d policy.Document) []policy.Ground { return d.IdentityElements })
}

// list returns a list of the policy that a request is of. Of a specific policy
// that has none it is the general one's, which fills its gaps (XI(I)).
func (r Request) list(ref domain.Reference, of func(policy.Document) []policy.Ground) []policy.Ground {
	v, _ := ref.Policies.Version(r.Received.Version)
	if len(of(v.Document)) > 0 || v.Document.Over == "" {
		return of(v.Document)
	}
	general, _ := ref.Policies.InForce(v.Document.Over, r.At)
	return of(general.Document)
}
