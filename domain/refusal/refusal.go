package refusal

import (
	"strings"

	"consentledger/domain/internal/form"
)

// A Refusal is a decision of the domain: final, and the caller's to read. It
// never holds personal data.
type Refusal struct {
	Code Code
	Text string // what is wrong, and what would be right
	Path string // the member it is about, in the reader's words, as in data.act; may be empty
}

func (r Refusal) Error() string { return string(r.Code) + ": " + r.Text }

// A Code is a refusal's name, for programs. Codes are never renamed.
type Code string

const (
	UnknownApp        Code = "unknown-app"
	AppIncomplete     Code = "app-incomplete"
	EnvironmentFixed  Code = "environment-fixed"
	WrongStream       Code = "wrong-stream"
	NoPolicy          Code = "no-policy"
	UnknownPolicy     Code = "unknown-policy"
	UnknownVersion    Code = "unknown-version"
	UnknownPurpose    Code = "unknown-purpose"
	UnknownAct        Code = "unknown-act"
	UnknownPermission Code = "unknown-permission"
	UnknownRecord     Code = "unknown-record"
	UnknownText       Code = "unknown-text"
	NothingNamed      Code = "nothing-named"
	AtInFuture        Code = "time-in-future"
	AtTooLate         Code = "too-late"
	AlreadyOver       Code = "already-over"
	TwoPersons        Code = "two-persons-needed"
	NotVoidable       Code = "not-voidable"
	ReasonMissing     Code = "reason-missing"
	PolicyInvalid     Code = "policy-invalid"
	IDReused          Code = "id-reused"
	Incomplete        Code = "incomplete"
	UnknownNotice     Code = "unknown-notice"
	UnknownSurface    Code = "unknown-surface"
	UnknownControl    Code = "unknown-control"
	UnknownGround     Code = "unknown-ground"
	UnknownLink       Code = "unknown-link"
	UnknownGuardian   Code = "unknown-guardian"
	Contradicts       Code = "contradicts-what-was-shown"
	SamePrincipal     Code = "same-principal"
	NotForApps        Code = "not-for-apps"
	AlreadyPublished  Code = "already-published"
	AlreadyReplaced   Code = "already-replaced"
	MaterialDropped   Code = "material-change-dropped"
	AlreadyUsed       Code = "already-used"
	EarlierPerson     Code = "of-an-earlier-person"
	SamePerson        Code = "same-person"
	UnknownPerson     Code = "unknown-person"
	BadSignature      Code = "bad-signature"
	UnknownSigner     Code = "unknown-signer"
	IllegalMove       Code = "illegal-move"
	NotPausable       Code = "not-pausable"
	NotExtendable     Code = "not-extendable"
	TooLateToExtend   Code = "too-late-to-extend"
	RemediesMissing   Code = "remedies-missing"
	UnknownObligation Code = "unknown-obligation"
	UnknownRequest    Code = "unknown-request"
	CalendarInvalid   Code = "calendar-invalid"
	TooEarly          Code = "too-early"
	OnHold            Code = "on-hold"
	Malformed         Code = "malformed"
	TooLarge          Code = "too-large"
)

// The refusals of what takes two persons.
const (
	ApprovalNeeded   Code = "approval-needed"
	NamesNotTaken    Code = "names-not-taken"
	UnknownProposal  Code = "unknown-proposal"
	AlreadyDecided   Code = "already-decided"
	ProposalExpired  Code = "proposal-expired"
	ProposalOutdated Code = "proposal-outdated"
	NotTheProposer   Code = "not-the-proposer"
	RoleLost         Code = "role-lost"
)

// The refusals about the proof that is kept of a person who is erased.
const (
	NoProof        Code = "no-proof"
	ProofDestroyed Code = "proof-destroyed"
	DisclosureOver Code = "disclosure-over"
)

func New(c Code, text string) error { return Refusal{Code: c, Text: text} }

// At is refuse with the member that the refusal is about.
func At(c Code, path, text string) error { return Refusal{Code: c, Text: text, Path: path} }

// Quote returns a name that a caller sent as a refusal may repeat it: in
// quotes if it is a name of 1 to 64 of a-z, 0-9 and "-" without six digits in a
// row, which a phone or identity-card number has; else it is not shown.
func Quote(name string) string {
	digits := 0
	for i := range len(name) {
		if c := name[i]; c < '0' || c > '9' {
			digits = 0
		} else if digits++; digits == 6 {
			return notShown
		}
	}
	if !form.IsName(name, 64) {
		return notShown
	}
	return `"` + name + `"`
}

// QuoteCode is Quote for a code, as MAT-1, whose letters are capitals.
func QuoteCode(code string) string {
	if strings.ToUpper(code) != code || Quote(strings.ToLower(code)) == notShown {
		return notShown
	}
	return `"` + code + `"`
}

const notShown = "[not shown]"

// mostNamed is how many names [Among] lists.
const mostNamed = 20

// Among says which names there are, behind a refusal of one that is not among them:
// it may be misspelt.
func Among(names []string) string {
	switch {
	case len(names) == 0:
		return "; it names none"
	case len(names) > mostNamed:
		return "; it names " + strings.Join(names[:mostNamed], ", ") + " and more"
	}
	return "; it names " + strings.Join(names, ", ")
}
