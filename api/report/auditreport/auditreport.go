// Package auditreport makes the audit report of an app, and the registers
// that the law asks for. Both are counted from the log alone: the same history
// makes the same bytes. What is not of the history stands apart, in [Outside].
//
// Records of persons who are marked as tests by the end of the span are left
// out and counted. The report has persons' standing consents to the purposes
// that a version changed in memory, some tens of bytes each.
package auditreport

import (
	"consentledger/api/report"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/published"
)

// A Report is what happened in a span, and how it stands at its end. A list
// that is empty says none.
type Report struct {
	Schema   string `json:"schema" doc:"audit-report/1"`
	App      App    `json:"app"`
	From     string `json:"from,omitzero" format:"date-time" doc:"absent: from the beginning"`
	To       string `json:"to" format:"date-time" doc:"not included"`
	Position string `json:"position" doc:"of the last record that counts"`

	Promises   Promises       `json:"promises"`
	Events     []Count        `json:"events" doc:"by kind"`
	Consents   Consents       `json:"consents"`
	Noes       Noes           `json:"noes"`
	Answers    Answers        `json:"answers" doc:"to \"may we?\", of those that were recorded"`
	Changes    []Change       `json:"material_changes"`
	Requests   report.Summary `json:"requests" doc:"what was owed at any time in the span, as it stood at its end"`
	Unpromised []Count        `json:"unpromised,omitempty" doc:"requests that came in in the span, by types for which no policy promises a date: the law's date holds, or none"`
	Exemptions []Exemption    `json:"exemptions"`
	Sharing    []Note         `json:"sharing" doc:"recipients, entrustments, disclosures, transfers and data abroad"`
	Minors     []Count        `json:"minors"`
	Incidents  []Incident     `json:"incidents" doc:"that were reported by the end and not closed before the span"`
	Erasures   []Count        `json:"erasures" doc:"deletions, ended accounts and retention"`
	Imports    []Import       `json:"imports" doc:"by day, and by whose list of erased persons they were filtered"`
	Voids      []Void         `json:"voided"`
	Disputed   int64          `json:"disputed" doc:"records that somebody says are wrong"`
	TooSoon    int64          `json:"asked_too_soon" doc:"questions within the quiet period after a refusal"`
	Access     []Reader       `json:"access" doc:"who read or asked about persons, as the access streams have it"`
	Gaps       []Gap          `json:"gaps" doc:"what the policies in force at the end promise or leave out against the law"`
	Calendars  []Calendar     `json:"calendars" doc:"known at the end"`
	Rules      []Rule         `json:"deadline_rules" doc:"of the policies in force at the end, and of the law where a reply was owed that no policy promises"`
	Clock      []Count        `json:"clock" doc:"observations of the ledger's own clock"`
	Tests      Tests          `json:"tests"`
	Outside    Outside        `json:"outside"`

	versions []published.Policy // that say what codes are called, the newest first
}

// Records returns how many records of the span the report counts.
func (r Report) Records() int {
	n := int64(0)
	for _, c := range r.Events {
		n += c.Count
	}
	return int(n)
}

// App says whose report it is.
type App struct {
	Name         string `json:"name"`
	Handler      string `json:"handler"`
	Environment  string `json:"environment"`
	Jurisdiction string `json:"jurisdiction"`
	TimeZone     string `json:"time_zone"`
}

// A Count is how often something happened.
type Count struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// Promises is what the policies in force at the end say.
type Promises struct {
	Policies []Policy  `json:"policies"`
	Purposes []Purpose `json:"purposes"`
}

// A Policy is a version in force.
type Policy struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	Effective string `json:"effective" format:"date-time"`
}

// A Purpose is one line of the processing register.
type Purpose struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Section    string   `json:"section"`
	Policy     string   `json:"policy"`
	Basis      string   `json:"basis"`
	Categories []string `json:"categories"`
	Actions    []string `json:"actions"`
	Recipients []string `json:"recipients"`
	Retention  string   `json:"retention,omitzero" doc:"absent: the policy does not say"`
	Sensitive  bool     `json:"sensitive"`
	Separate   bool     `json:"separate_consent"`
	Automated  bool     `json:"automated_decision"`
}

// Consents counts the grants of the span: statements, not persons. One grant may be
// about many purposes; what was voided later counts as it was given.
type Consents struct {
	Given     int64   `json:"given"`
	Imported  int64   `json:"imported"`
	ByPurpose []Asked `json:"by_purpose"`
	ByVersion []Count `json:"by_version"`
	ByAct     []Count `json:"by_act"`
	BySurface []Count `json:"by_surface" doc:"empty name: the screen is not known"`
	ByLocale  []Count `json:"by_locale" doc:"empty name: not said"`
	Evidence  []Share `json:"by_evidence"`
	Short     []Count `json:"did_not_count" doc:"why a yes did not count for a purpose"`
}

// Asked is how one purpose fared, in statements.
type Asked struct {
	Purpose   string `json:"purpose"`
	Counted   int64  `json:"counted"`
	Short     int64  `json:"did_not_count"`
	Refused   int64  `json:"refused"`
	Withdrawn int64  `json:"withdrawn"`
}

// A Share is a count and its part of the whole.
type Share struct {
	Name    string `json:"name"`
	Count   int64  `json:"count"`
	Percent string `json:"percent"`
}

// Noes counts the opt-outs of the span, however they were said.
type Noes struct {
	Refused     int64 `json:"refused"`
	Withdrawn   int64 `json:"withdrawn"`
	Permissions int64 `json:"permissions_revoked" doc:"permissions taken away that withdrew"`
}

// Answers counts the answers that were recorded.
type Answers struct {
	Yes    int64   `json:"yes"`
	No     int64   `json:"no"`
	Exempt int64   `json:"exempt" doc:"of the yeses, those on a ground to process without consent"`
	Why    []Count `json:"why"`
}

// A Change is a version that changed what earlier consents were about, and how
// far they were asked for again. It counts a person once for every purpose.
type Change struct {
	Policy    string   `json:"policy"`
	Version   string   `json:"version"`
	Effective string   `json:"effective" format:"date-time"`
	Material  []string `json:"material"`
	Purposes  []string `json:"purposes"`
	Touched   int64    `json:"touched" doc:"consents that stood when it was published"`
	Again     int64    `json:"again" doc:"of those, given again"`
	No        int64    `json:"no" doc:"of those, refused or withdrawn since"`
	RanOut    int64    `json:"ran_out,omitzero" doc:"of those, neither, and over by the end of the span"`
	Waiting   int64    `json:"waiting" doc:"of those, the others"`
	Percent   string   `json:"settled_percent,omitzero" doc:"given again or answered no, of those touched"`
}

// An Exemption is processing without consent.
type Exemption struct {
	Event    string   `json:"event"`
	Recorded string   `json:"recorded" format:"date-time"`
	List     string   `json:"list" enum:"collect,provide"`
	Code     string   `json:"code"`
	Doubtful bool     `json:"doubtful"`
	Purposes []string `json:"purposes"`
	Reason   string   `json:"reason"`
	Approver string   `json:"approver"`
	Until    string   `json:"until" format:"date-time"`
	Ended    bool     `json:"ended" doc:"given up before its end"`
}

// A Note is a fact about processing, with its fields.
type Note struct {
	Event    string `json:"event"`
	Recorded string `json:"recorded" format:"date-time"`
	Kind     string `json:"kind"`
	Fields   []Pair `json:"fields"`
}

// A Pair is one field of a note.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// An Incident is what happened to personal data, and when who was told.
type Incident struct {
	Stream        string `json:"stream"`
	Kind          string `json:"kind"`
	Level         string `json:"level,omitzero"`
	Known         string `json:"known" format:"date-time"`
	Authority     string `json:"authority_told,omitzero" format:"date-time"`
	AuthorityMins string `json:"authority_minutes,omitzero" doc:"from when it was known"`
	Persons       string `json:"persons_told,omitzero" format:"date-time"`
	PersonsMins   string `json:"persons_minutes,omitzero"`
	Closed        string `json:"closed,omitzero" format:"date-time"`
}

// A Void is a mistake that was voided.
type Void struct {
	Event   string `json:"event"`
	What    string `json:"what" doc:"a build, or how many records"`
	Reason  string `json:"reason"`
	By      string `json:"by"`
	Records int64  `json:"records" doc:"that it names; of a build, those known by the end that it recorded"`
}

// A Reader is somebody who read or asked, and how often.
type Reader struct {
	Kind    string `json:"kind"`
	Way     string `json:"way,omitzero" doc:"of reading: export, receipt, rejected-message, replay, names, request, proposal, proof or reaction"`
	Reason  string `json:"reason,omitzero" doc:"of reading, by a code; unstated: nothing personal was read and no reason given"`
	Who     string `json:"who" doc:"the authenticated principal"`
	Count   int64  `json:"count"`
	Records int64  `json:"records,omitzero" doc:"that they were shown"`
	Parts   int64  `json:"personal_texts,omitzero" doc:"that were opened for them"`
}

// A Gap is something that a policy promises or leaves out against the law.
type Gap struct {
	Policy  string `json:"policy"`
	Section string `json:"section"`
	Code    string `json:"code"`
	About   string `json:"about"`
}

// A Calendar is one year of working days.
type Calendar struct {
	ID        string `json:"id"`
	Notice    string `json:"notice,omitzero"`
	Projected bool   `json:"projected" doc:"a guess: it makes no date firm"`
}

// A Rule is a deadline rule.
type Rule struct {
	Policy string `json:"policy" doc:"empty: no policy has it"`
	ID     string `json:"id"`
	Source string `json:"source"`
	Length int    `json:"length" doc:"0: it gives no number of days"`
	Unit   string `json:"unit"`
	Law    bool   `json:"law" doc:"a law's ceiling, not a promise"`
	Set    string `json:"rule_set" doc:"names the set of deadline rules of the policy's version"`

	Version string       `json:"version" doc:"of the policy"`
	Kept    report.Tally `json:"kept" doc:"what was owed by it at any time in the span, as it stood at its end"`
}

// Tests is what was left out.
type Tests struct {
	Persons int64 `json:"persons"`
	Records int64 `json:"records"`
}

// Outside is what no history says: by what the report was made and when, how
// the log was verified for it, and what waits outside.
type Outside struct {
	Made      string    `json:"made" format:"date-time"`
	Software  string    `json:"software"`
	SHA256    string    `json:"software_sha256,omitzero"`
	Rejected  *int      `json:"rejected_messages,omitempty" doc:"that may be a no and wait for somebody; absent: not known"`
	Integrity Integrity `json:"integrity"`
}

// Integrity says how far the log can be trusted.
type Integrity struct {
	Origin     string    `json:"origin"`
	Size       int64     `json:"tree_size"`
	Root       string    `json:"root"`
	Checkpoint string    `json:"checkpoint" doc:"the signed note"`
	Key        string    `json:"key" doc:"that it is verified with; get it by another way too"`
	Derived    bool      `json:"derived_again" doc:"the root was derived again from the records for this report, and is the signed one"`
	Fault      string    `json:"fault,omitzero"`
	Witnesses  []Witness `json:"witnesses" doc:"empty: nobody outside has signed"`
	GapFrom    string    `json:"unwitnessed_from,omitzero" format:"date-time" doc:"the longest time without a quorum of witnesses"`
	GapTo      string    `json:"unwitnessed_to,omitzero" format:"date-time"`
}

// A Witness is somebody outside who signs that the log only grows.
type Witness struct {
	Name string `json:"name"`
	Size int64  `json:"tree_size"`
	At   string `json:"at,omitzero" format:"date-time"`
}

func moment(i deadline.Instant) string { return report.Time(i) }

func hash(h content.Hash) string {
	if h == (content.Hash{}) {
		return ""
	}
	return h.String()
}
