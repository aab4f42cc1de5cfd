package auth

import (
	"net/http"
	"slices"
)

// An Operation is what a route does, seen by who may do it.
type Operation string

const (
	Public   Operation = "public"
	Describe Operation = "describe"

	Record Operation = "record"
	Group  Operation = "record-group"
	Check  Operation = "check"
	Prompt Operation = "prompt"
	Mint   Operation = "mint-token"

	ReadPerson    Operation = "read-person"
	ReadPolicy    Operation = "read-policy"
	Count         Operation = "count"
	ReadCases     Operation = "read-cases"
	ReadDeadlines Operation = "read-deadlines"
	ReadReports   Operation = "read-reports"
	ReadLog       Operation = "read-log"
	Replay        Operation = "replay"
	Export        Operation = "export"
	Receipt       Operation = "receipt"
	Listen        Operation = "listen"

	Publish    Operation = "publish"
	Operate    Operation = "operate"
	Preview    Operation = "preview"
	Erase      Operation = "erase"
	Void       Operation = "void"
	Exempt     Operation = "exempt"
	Reject     Operation = "reject-request"
	Disclose   Operation = "disclose"
	OpenMinors Operation = "open-minors-data"

	DiscloseProof Operation = "disclose-proof"
	DestroyProof  Operation = "destroy-proof"
	OpenProof     Operation = "open-proof"

	Propose       Operation = "propose"
	Approve       Operation = "approve"
	ReadProposals Operation = "read-proposals"

	Rejected Operation = "rejected"
	Webhooks Operation = "webhooks"

	ManageApps Operation = "manage-apps"
	ManageKeys Operation = "manage-keys"
	Sessions   Operation = "manage-sessions"
	WhoAmI     Operation = "who-am-i"
	WhoIs      Operation = "who-is"
	ListApps   Operation = "list-apps"
	Status     Operation = "status"
	Rebuild    Operation = "check-projections"
	SIEM       Operation = "siem"
	Backup     Operation = "backup"
	VaultKeys  Operation = "vault-keys"
	LogKeys    Operation = "log-keys"
)

// A Row says who may do an operation.
type Row struct {
	Operation Operation
	Says      string
	Open      bool // nobody has to be authenticated
	Any       bool // every role
	Roles     []Role

	// Persons is how many it takes. An operation that takes two has no route that does it:
	// it is proposed and approved. Events are the types of event that it records; of what
	// takes one person they are not listed.
	Persons Persons
	Events  []string
}

// Operations is the table: what is not in it is done by nobody.
var Operations = []Row{
	{Operation: Public, Says: "health, the description of the routes, the calendar feed whose address is a secret", Open: true},
	{Operation: Describe, Says: "public texts by their hash", Any: true},

	{Operation: Record, Says: "record what persons of the app say", Roles: []Role{Writer}},
	{Operation: Group, Says: "record what is said to every app of a group", Roles: []Role{Writer}},
	{Operation: Check, Says: `ask "may we?"`, Roles: []Role{Writer, AppReader, Support, Officer}},
	{Operation: Prompt, Says: "ask what must be asked of a person", Roles: []Role{Writer, AppReader, Officer}},

	{Operation: Mint, Says: "mint a token by which one person's own browser or phone speaks", Roles: []Role{Writer}},

	{Operation: ReadPerson, Says: "where one person stands, and their history", Roles: []Role{AppReader, Support, Officer, Auditor}},
	{Operation: ReadPolicy, Says: "the app, its policies, surfaces and calendars; by when something would be owed", Any: true},
	{Operation: Count, Says: "how many persons stand where, how much was recorded", Roles: []Role{AppReader, Officer, Approver, Auditor, Regulator, Viewer}},
	{Operation: ReadCases, Says: "requests and incidents", Roles: []Role{Support, Officer, Approver, Auditor}},
	{Operation: ReadDeadlines, Says: "what is owed by when, and what was late", Roles: []Role{Support, Officer, Approver, Auditor, Regulator}},
	{Operation: ReadReports, Says: "the audit report and the registers", Roles: []Role{Officer, Auditor, Regulator}},
	{Operation: ReadLog, Says: "proofs, tiles and checkpoints of the transparency log", Roles: []Role{Writer, AppReader, Officer, Approver, Auditor, Regulator, Viewer}},
	{Operation: Replay, Says: "history of any span, person and type", Roles: []Role{Officer, Auditor}},
	{Operation: Export, Says: "take evidence away", Roles: []Role{Officer, Auditor}},
	{Operation: Listen, Says: "hear on NATS what becomes of obligations and consents", Roles: []Role{Writer, AppReader, Officer}},
	{Operation: Receipt, Says: "a person's own receipt", Roles: []Role{Support, Officer}},

	{Operation: Publish, Says: "publish policies, surfaces and calendars", Roles: []Role{Officer}},
	{Operation: Operate, Says: "record what operators record: steps of requests, holds, notes; ask which steps are possible", Roles: []Role{Officer}},
	{Operation: Preview, Says: "see what would be voided, or whom a new version touches", Roles: []Role{Officer, Approver, Auditor}},
	{Operation: Erase, Says: "erase a person", Roles: []Role{Officer}, Persons: Two, Events: []string{"erasure.ordered"}},
	{Operation: Void, Says: "void what was recorded by mistake", Roles: []Role{Officer}, Persons: Two, Events: []string{"record.voided", "build.voided"}},
	{Operation: Exempt, Says: "invoke an exemption from consent", Roles: []Role{Officer}, Persons: Two, Events: []string{"exemption.invoked"}},
	{Operation: Reject, Says: "reject a person's request", Roles: []Role{Officer}, Persons: Two, Events: []string{"request.rejected"}},
	{Operation: Disclose, Says: "make personal data public", Roles: []Role{Officer}, Persons: Two, Events: []string{"disclosure.made"}},
	{Operation: OpenMinors, Says: "let staff look at a minor's data", Roles: []Role{Officer}, Persons: Two, Events: []string{"access.approved"}},
	{Operation: DiscloseProof, Says: "disclose the proof that is kept of somebody who is erased", Roles: []Role{Officer}, Persons: Two, Events: []string{"proof.disclosed"}},
	{Operation: DestroyProof, Says: "destroy that proof before its last day", Roles: []Role{Officer}, Persons: Two, Events: []string{"destruction.ordered"}},
	{Operation: OpenProof, Says: "open a proof that two decided to disclose, as one of the two", Roles: []Role{Officer, Approver}},

	{Operation: Propose, Says: "propose what takes two, and take a proposal of one's own back", Roles: []Role{Officer}},
	{Operation: Approve, Says: "approve or decline what another principal proposed", Roles: []Role{Approver}},
	{Operation: ReadProposals, Says: "what was proposed, and what became of it; one of them with the command, which is recorded as an access", Roles: []Role{Officer, Approver, Auditor}},
	{Operation: Rejected, Says: "messages that could not be taken, of every app", Roles: []Role{Officer}},

	{Operation: Webhooks, Says: "say where an app is told what becomes of consents: that names persons", Roles: []Role{Officer}},

	{Operation: ManageApps, Says: "register apps, change what is known about them", Roles: []Role{Administrator}},
	{Operation: ManageKeys, Says: "issue, list, rotate and revoke keys", Roles: []Role{Administrator}},
	{Operation: Sessions, Says: "see who is signed in by a browser, and end their sessions", Roles: []Role{Administrator}},
	{Operation: WhoAmI, Says: "who one is here, and what one may do", Any: true},
	{Operation: WhoIs, Says: "whose a pseudonym of records is; that somebody asked is recorded", Roles: []Role{Auditor, Administrator}},
	{Operation: ListApps, Says: "the apps of one's own", Any: true},
	{Operation: Status, Says: "how the ledger does, its alarms and metrics", Roles: []Role{Officer, Auditor, Viewer, Administrator}},
	{Operation: Rebuild, Says: "build every projection again and compare", Roles: []Role{Auditor, Administrator}},
	{Operation: SIEM, Says: "who did what and what was refused, for a SIEM: streams and pseudonyms, and nothing else of persons", Roles: []Role{Auditor, Administrator}},
	{Operation: Backup, Says: "make a backup of the log and the vault, encrypted, without the keys of the vault", Roles: []Role{Administrator}},
	{Operation: VaultKeys, Says: "see which epochs the vault's keys have, begin one, destroy older ones; never the keys", Roles: []Role{Administrator}},
	{Operation: LogKeys, Says: "see what a log is verified with, have another key sign it, retire the older one; never a signing key", Roles: []Role{Administrator}},
}

func rowOf(op Operation) (Row, bool) {
	i := slices.IndexFunc(Operations, func(r Row) bool { return r.Operation == op })
	if i < 0 {
		return Row{}, false
	}
	return Operations[i], true
}

// A Scope says in which apps a role is needed to use a route.
type Scope uint8

const (
	OfApp   Scope = iota + 1 // the one in the path
	OfQuery                  // the one in the query; without one in all
	OfBody                   // the one in the body, without one in all: the route itself looks, with [Sees]
	OfAll                    // in all: the route speaks of every app
	OfNone                   // in none: the route speaks of no app, or only of those that its caller sees
)

// A Route is one of HTTP, as [http.ServeMux] writes it.
type Route struct {
	Pattern   string
	Operation Operation
	Scope     Scope
}

// Routes are all of them. A route without a row is used by nobody as soon as somebody
// has to be authenticated.
var Routes = []Route{
	{"GET /{$}", Public, OfNone},
	{"GET /livez", Public, OfNone},
	{"GET /readyz", Public, OfNone},
	{"GET /healthz", Public, OfNone},
	{"GET /openapi.json", Public, OfNone},
	{"GET /openapi.yaml", Public, OfNone},
	{"GET /openapi-3.0.json", Public, OfNone},
	{"GET /openapi-3.0.yaml", Public, OfNone},
	{"GET /asyncapi.json", Public, OfNone},
	{"GET /v1/schemas", Public, OfNone},
	{"GET /v1/schemas/{name}", Public, OfNone},
	{"GET /v1/errors", Public, OfNone},
	{"GET /v1/errors/{code}", Public, OfNone},
	{"GET /v1/apps/{app}/feeds/{token}/deadlines.ics", Public, OfNone},
	{"GET /v1/blobs/{hash}", Describe, OfNone},

	{"POST /v1/apps/{app}/events", Record, OfApp},
	{"POST /v1/apps/{app}/events/bulk", Record, OfApp},
	{"POST /v1/groups/{group}/events", Group, OfAll},
	{"POST /v1/apps/{app}/check", Check, OfApp},
	{"GET /v1/apps/{app}/subjects/{id}/purposes/{purpose}/check", Check, OfApp},
	{"POST /v1/apps/{app}/subjects/prompt", Prompt, OfApp},
	{"GET /v1/apps/{app}/subjects/{id}/prompt", Prompt, OfApp},

	{"POST /v1/apps/{app}/tokens", Mint, OfApp},

	{"POST /v1/apps/{app}/subjects/consents", ReadPerson, OfApp},
	{"GET /v1/apps/{app}/subjects/{id}/consents", ReadPerson, OfApp},
	{"POST /v1/apps/{app}/subjects/history", ReadPerson, OfApp},
	{"GET /v1/apps/{app}/subjects/{id}/history", ReadPerson, OfApp},
	{"POST /v1/apps/{app}/subjects/state", ReadPerson, OfApp},
	{"GET /v1/apps/{app}/lawful", ReadPerson, OfApp},
	{"POST /v1/apps/{app}/lawful", ReadPerson, OfApp},
	{"POST /v1/apps/{app}/replay/diff", ReadPerson, OfApp},

	{"GET /v1/apps", ListApps, OfNone},
	{"GET /v1/apps/{app}", ReadPolicy, OfApp},
	{"GET /v1/apps/{app}/policies", ReadPolicy, OfApp},
	{"GET /v1/apps/{app}/policies/{version}", ReadPolicy, OfApp},
	{"GET /v1/apps/{app}/surfaces", ReadPolicy, OfApp},
	{"GET /v1/apps/{app}/surfaces/{surface}", ReadPolicy, OfApp},
	{"GET /v1/apps/{app}/calendars", ReadPolicy, OfApp},
	{"POST /v1/deadlines/compute", ReadPolicy, OfNone},
	{"GET /v1/apps/{app}/activity", Count, OfApp},
	{"GET /v1/apps/{app}/newest", Count, OfApp},
	{"GET /v1/apps/{app}/consents/counts", Count, OfApp},
	{"GET /v1/apps/{app}/consents/over-time", Count, OfApp},
	{"GET /v1/apps/{app}/consents/opposed", ReadPerson, OfApp},
	{"GET /v1/apps/{app}/policies/{version}/progress", Count, OfApp},

	{"GET /v1/apps/{app}/requests", ReadCases, OfApp},
	{"POST /v1/apps/{app}/requests/query", ReadCases, OfApp},
	{"GET /v1/apps/{app}/requests/{id}", ReadCases, OfApp},
	{"GET /v1/apps/{app}/incidents", ReadCases, OfApp},
	{"POST /v1/apps/{app}/incidents/query", ReadCases, OfApp},
	{"GET /v1/apps/{app}/incidents/{id}", ReadCases, OfApp},
	{"GET /v1/apps/{app}/obligations", ReadDeadlines, OfApp},
	{"POST /v1/apps/{app}/obligations/query", ReadDeadlines, OfApp},
	{"GET /v1/apps/{app}/reports/deadlines", ReadDeadlines, OfApp},
	{"POST /v1/apps/{app}/reports/deadlines", ReadDeadlines, OfApp},
	{"POST /v1/apps/{app}/reports/late-withdrawals", ReadDeadlines, OfApp},
	{"GET /v1/apps/{app}/reports/feed", ReadDeadlines, OfApp},

	{"GET /v1/apps/{app}/reports/audit", ReadReports, OfApp},
	{"GET /v1/apps/{app}/registers/{register}", ReadReports, OfApp},
	{"POST /v1/apps/{app}/export", Export, OfApp},
	{"POST /v1/apps/{app}/consents/who", Export, OfApp},
	{"POST /v1/apps/{app}/requests/{id}/reveal", Export, OfApp},
	{"POST /v1/apps/{app}/minors", Replay, OfApp},
	{"POST /v1/apps/{app}/receipts", Receipt, OfApp},
	{"GET /v1/replay", Replay, OfQuery},
	{"POST /v1/replay", Replay, OfBody},
	{"POST /v1/apps/{app}/verify", ReadLog, OfApp},
	{"GET /log/{app}/checkpoint", ReadLog, OfApp},
	{"GET /log/{app}/tile/{path...}", ReadLog, OfApp},
	{"GET /log/{app}/proof", ReadLog, OfApp},
	{"GET /log/{app}/cosigned", ReadLog, OfApp},
	{"GET /log/{app}/witnesses", ReadLog, OfApp},
	{"GET /log/{app}/timestamp", ReadLog, OfApp},

	{"POST /v1/apps/{app}/policies", Publish, OfApp},
	{"POST /v1/apps/{app}/surfaces", Publish, OfApp},
	{"POST /v1/apps/{app}/pictures", Publish, OfApp},
	{"POST /v1/apps/{app}/calendars", Publish, OfApp},
	{"POST /v1/apps/{app}/operator/events", Operate, OfApp},
	{"GET /v1/apps/{app}/requests/{id}/next", Operate, OfApp},
	{"GET /v1/apps/{app}/incidents/{id}/next", Operate, OfApp},
	{"POST /v1/apps/{app}/policies/diff", Preview, OfApp},
	{"POST /v1/apps/{app}/voids/preview", Preview, OfApp},
	{"POST /v1/apps/{app}/subjects/erase", Erase, OfApp},
	{"GET /v1/apps/{app}/proposals", ReadProposals, OfApp},
	{"POST /v1/apps/{app}/proposals", Propose, OfApp},
	{"GET /v1/apps/{app}/proposals/{id}", ReadProposals, OfApp},
	{"POST /v1/apps/{app}/proposals/{id}/approve", Approve, OfApp},
	{"POST /v1/apps/{app}/proposals/{id}/decline", Approve, OfApp},
	{"POST /v1/apps/{app}/proposals/{id}/withdraw", Propose, OfApp},
	{"GET /v1/apps/{app}/proofs", ReadProposals, OfApp},
	{"GET /v1/apps/{app}/proofs/{person}", ReadProposals, OfApp},
	{"POST /v1/apps/{app}/proofs/disclose", DiscloseProof, OfApp},
	{"POST /v1/apps/{app}/proofs/destroy", DestroyProof, OfApp},
	{"POST /v1/apps/{app}/proofs/open", OpenProof, OfApp},
	{"GET /v1/apps/{app}/erasures", ReadProposals, OfApp},
	{"POST /v1/apps/{app}/erasures", Erase, OfApp},
	{"GET /v1/apps/{app}/erasures/{job}", ReadProposals, OfApp},
	{"POST /v1/apps/{app}/erasures/{job}/subjects", Erase, OfApp},
	{"POST /v1/apps/{app}/erasures/{job}/start", Approve, OfApp},
	{"POST /v1/apps/{app}/erasures/{job}/cancel", Erase, OfApp},
	{"GET /v1/apps/{app}/erasures/{job}/certificate", Erase, OfApp},
	{"GET /v1/rejected", Rejected, OfAll},
	{"GET /v1/rejected/{seq}", Rejected, OfAll},
	{"POST /v1/rejected/{seq}/retry", Rejected, OfAll},
	{"POST /v1/rejected/{seq}/seen", Rejected, OfAll},

	{"GET /v1/apps/{app}/webhooks", Webhooks, OfApp},
	{"POST /v1/apps/{app}/webhooks", Webhooks, OfApp},
	{"POST /v1/apps/{app}/webhooks/{webhook}/rotate", Webhooks, OfApp},
	{"POST /v1/apps/{app}/webhooks/{webhook}/replay", Webhooks, OfApp},
	{"POST /v1/apps/{app}/webhooks/{webhook}/pause", Webhooks, OfApp},
	{"POST /v1/apps/{app}/webhooks/{webhook}/resume", Webhooks, OfApp},
	{"POST /v1/apps/{app}/webhooks/{webhook}/remove", Webhooks, OfApp},

	{"PUT /v1/apps/{app}", ManageApps, OfApp},
	{"POST /v1/apps/{app}/environment", ManageApps, OfApp},
	{"GET /v1/access/keys", ManageKeys, OfAll},
	{"POST /v1/access/keys", ManageKeys, OfAll},
	{"POST /v1/access/keys/{id}/rotate", ManageKeys, OfAll},
	{"POST /v1/access/keys/{id}/revoke", ManageKeys, OfAll},
	{"GET /v1/access/me", WhoAmI, OfNone},
	{"GET /v1/access/sessions", Sessions, OfAll},
	{"POST /v1/access/sessions/end", Sessions, OfAll},
	{"GET /v1/access/principals/{id}", WhoIs, OfAll},
	{"POST /v1/access/principals/{id}/erase", ManageKeys, OfAll},
	{"GET /v1/status", Status, OfAll},
	{"GET /v1/alarms", Status, OfAll},
	{"GET /metrics", Status, OfAll},
	{"POST /v1/replay/check", Rebuild, OfAll},
	{"GET /v1/siem", SIEM, OfQuery},
	{"POST /v1/backup", Backup, OfAll},
	{"GET /v1/vault/keys", VaultKeys, OfAll},
	{"POST /v1/vault/keys/rotate", VaultKeys, OfAll},
	{"POST /v1/vault/keys/retire", VaultKeys, OfAll},
	{"GET /v1/apps/{app}/log/keys", LogKeys, OfApp},
	{"POST /v1/apps/{app}/log/keys/begin", LogKeys, OfApp},
	{"POST /v1/apps/{app}/log/keys/finish", LogKeys, OfApp},
}

// RouteOf returns the row of a route, and whether there is one.
func RouteOf(method, path string) (Route, bool) {
	i := slices.IndexFunc(Routes, func(r Route) bool { return r.Pattern == method+" "+path })
	if i < 0 {
		return Route{}, false
	}
	return Routes[i], true
}

// apart are roles that nobody has both of in one app: who publishes what a screen shows
// records no consents to it, and who hands out keys reads no persons.
var apart = [][2]Role{
	{Writer, Officer},
	{Administrator, Writer}, {Administrator, AppReader}, {Administrator, Support}, {Administrator, Officer},
	{Administrator, Approver}, {Administrator, Auditor},
}

// verbose is a query of the routes of health that shows the checks and the alarms:
// these name apps.
func verbose(r *http.Request) bool { return r.URL.Query().Has("verbose") }
