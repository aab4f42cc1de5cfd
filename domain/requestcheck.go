package domain

import (
	"slices"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// checkStep refuses a step that the table alone cannot judge.
func (r Request) checkStep(cmd TakeStep, ref Reference) error {
	if r.Received.Subject == "" && cmd.Details != "" {
		return refuseAt(Malformed, "data.details", "of nobody that is known there is nobody's vault to seal a text in: keep it as a document and name its hash")
	}
	switch cmd.Kind {
	case "request.answered", "request.rejected":
		return r.checkReply(cmd, ref)
	case "request.extended":
		if _, err := ParseInstant(fieldOf(cmd.Fields, "notified")); err != nil {
			return refuseAt(Malformed, "data.notified", err.Error())
		}
	}
	return nil
}

// checkReply refuses an answer to what was not asked, or has its answer, and a
// no without coded grounds, reasons, remedies or a second person (PIPL 50).
func (r Request) checkReply(cmd TakeStep, ref Reference) error {
	if names := fieldOf(cmd.Fields, "types"); names != "" {
		left := r.left()
		for _, name := range strings.Split(names, ",") {
			t, err := ParseRequestType(name)
			if err != nil || !slices.Contains(left, t) {
				return refuseAt(IllegalMove, "data.types", "a type was not asked for, or has its answer already")
			}
		}
	}
	if cmd.Kind != "request.rejected" {
		return nil
	}
	v, _ := ref.Policies.Version(r.Received.Version)
	for _, code := range strings.Split(fieldOf(cmd.Fields, "codes"), ",") {
		if !slices.ContainsFunc(v.Document.Rejections, func(g Ground) bool { return g.Code == code }) {
			return refuseAt(UnknownGround, "data.codes", "a ground is not in the policy's list of grounds to reject a request; an exemption is none")
		}
	}
	switch {
	case cmd.Details == "" && cmd.Evidence == (Hash{}):
		return refuseAt(ReasonMissing, "data.details", "a no needs its reasons in words (PIPL 50): give details, or the letter by its hash as evidence")
	case fieldOf(cmd.Fields, "remedies_told") != "yes":
		return refuseAt(RemediesMissing, "data.remedies_told", `a no tells where to go with it (PIPL 50): tell the person, then say "yes"`)
	case fieldOf(cmd.Fields, "approved_by") == ref.By.Principal:
		return refuseAt(TwoPersons, "data.approved_by", "a no takes two different persons: who records it, and who approved it")
	}
	return nil
}
