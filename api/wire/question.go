// Package wire has the public JSON shapes of every transport: what is asked, and what is
// answered or told, with the functions that write the ledger's own values in these shapes.
// It reads nothing and asks nobody: package parse reads what comes in, package query
// answers questions, and package schema describes the shapes.
package wire

// A CheckRequest asks: may we do this, for this purpose, with this person's
// data? Without ValidAt it means now, or KnownAt if that is given.
type CheckRequest struct {
	Subject string `json:"subject"`
	Purpose string `json:"purpose"`
	Action  string `json:"action,omitzero"` // "use" if empty
	ValidAt string `json:"valid_at,omitzero"`
	KnownAt string `json:"known_at,omitzero"`

	Category  string `json:"category,omitzero" doc:"which data"`
	Recipient string `json:"recipient,omitzero" doc:"who gets them"`
	Version   string `json:"version,omitzero" doc:"of the policy that the processing goes by, sha256:...; absent: the one in force"`
}

// A CheckAnswer is yes or no, why, and the events that prove it. Everything
// but Allowed = true means no, a status of "unknown" included.
type CheckAnswer struct {
	Allowed  bool     `json:"allowed"`
	Status   string   `json:"status"`
	Why      string   `json:"why"`
	Reason   string   `json:"reason"` // a sentence
	Purpose  string   `json:"purpose"`
	Action   string   `json:"action"`
	Basis    string   `json:"basis,omitzero"`
	Policy   string   `json:"policy,omitzero"`
	Version  string   `json:"version,omitzero"`
	Since    string   `json:"since,omitzero"`
	Until    string   `json:"until,omitzero"`
	Events   []string `json:"events"`
	Position string   `json:"position"`
	ValidAt  string   `json:"valid_at"`
	KnownAt  string   `json:"known_at,omitzero"`

	Category  string `json:"category,omitzero"`
	Recipient string `json:"recipient,omitzero"`
	Band      string `json:"band,omitzero" doc:"of age: under-14, 14, 15-17 or adult; absent: not known"`
	Guardian  bool   `json:"guardian,omitzero" doc:"a guardian gave the consent"`
	Evidence  string `json:"evidence,omitzero" doc:"how much the consent proves: strong, partial, weak or imported"`
	Short     string `json:"short,omitzero" doc:"why the newest grant does not count"`
	Doubtful  bool   `json:"doubtful,omitzero" doc:"allowed on a ground that the law does not clearly admit"`
	Disputed  bool   `json:"disputed,omitzero" doc:"somebody says that an event behind the answer is wrong"`
	Signal    string `json:"signal,omitzero" doc:"the machine's signal, such as gpc, by which the refusal or withdrawal was said"`
	Opposed   string `json:"opposed_by,omitzero" doc:"a machine's signal, such as gpc, that says no where the person said yes: before it, so that it stands in the way, or after it"`

	Sequences []uint64 `json:"sequences,omitempty" doc:"the numbers that their sources gave the events, in their order; 0: none; absent: no event has one"`
}

// Unknown is the status, and the why, of an answer that could not be had.
const Unknown = "unknown"

// A StateRequest asks where a person stands with every purpose: a
// [CheckRequest] that names none.
type StateRequest struct {
	Subject string `json:"subject" doc:"account:ID, device:ID or ID"`
	Action  string `json:"action,omitzero" doc:"collect, use (the default), provide, publish or export"`
	ValidAt string `json:"valid_at,omitzero" doc:"RFC 3339; absent: known_at, or else now"`
	KnownAt string `json:"known_at,omitzero" doc:"RFC 3339; what the ledger knew then"`
}

// A StateAnswer is a person's history, folded: one check for each purpose that
// any version of the app's policies known then declares, in the order in which
// they first did.
type StateAnswer struct {
	App      string        `json:"app"`
	Purposes []CheckAnswer `json:"purposes"`
	Near     []NearMiss    `json:"near,omitempty" doc:"other persons whose id differs from this one only in what is easily mistaken; nobody is merged: link whoever is the same person"`
}

// A PromptRequest asks what an app must ask a person, or show to them, now.
type PromptRequest struct {
	Subject string `json:"subject" doc:"account:ID, device:ID or ID"`
	Locale  string `json:"locale,omitzero" doc:"of the texts, as in zh-CN; absent or unknown: the policy's first"`
}

// A PromptAnswer is everything that must be asked or shown. An item with
// not_before is not asked before that moment.
type PromptAnswer struct {
	App      string       `json:"app"`
	Items    []PromptItem `json:"items"`
	Position string       `json:"position"`
	ValidAt  string       `json:"valid_at"`
}

// A PromptItem is one thing to ask or to show.
type PromptItem struct {
	Purpose   string     `json:"purpose,omitzero" doc:"absent: the policy as a whole"`
	Title     string     `json:"title"`
	Reason    string     `json:"reason" doc:"never-asked, refused, withdrawn, signal (a machine said no), expired, policy-changed, order-not-provable, material-change, acknowledge or guardian"`
	Separate  bool       `json:"separate" doc:"by a control of its own"`
	Explicit  bool       `json:"explicit" doc:"by more than a general \"Agree\""`
	NotBefore string     `json:"not_before,omitzero" doc:"never ask before this moment"`
	Policy    string     `json:"policy"`
	Version   string     `json:"version"`
	Text      PromptText `json:"text"`
}

// A PromptText is the policy's text in one language.
type PromptText struct {
	Locale   string `json:"locale"`
	Hash     string `json:"hash"`
	Standing string `json:"standing" doc:"authoritative, translation or sample"`
	URL      string `json:"url" doc:"where the text is"`
}
