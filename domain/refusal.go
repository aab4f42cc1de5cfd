package domain

// A Refusal is a decision of the domain: final, and the caller's to read. It
// never holds personal data.
type Refusal struct {
	Code Code
	Text string // what is wrong, and what would be right
}

func (r Refusal) Error() string { return string(r.Code) + ": " + r.Text }

// A Code is a refusal's name, for programs. Codes are never renamed.
type Code string

const (
	UnknownApp        Code = "unknown-app"
	AppIncomplete     Code = "app-incomplete"
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
	ReasonMissing     Code = "reason-missing"
	PolicyInvalid     Code = "policy-invalid"
	IDReused          Code = "id-reused"
	Malformed         Code = "malformed"
	TooLarge          Code = "too-large"
)

func refuse(c Code, text string) error { return Refusal{c, text} }
