package rest

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"net/http"
	"strings"

	"consentledger/api/approval"
	"consentledger/api/edge"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/proposal"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
)

// A command may be asked what it would do. Its route answers a request with ?dry_run as
// it answers any other, on a [ledger.Rehearsal] instead of the ledger: so the same is
// read, decided and refused. What it would record is told, and nothing is kept.
//
// It is a parameter and not a header: a program that does not know it refuses it, and
// records nothing. Over NATS it is a subject of its own, on which such a program does not
// listen; see [subject.DryRun].
const dryRun = edge.DryRun

// rehearsed are the routes that may be asked so.
var rehearsed = map[string]bool{
	"record-events": true, "record-operator-events": true, "record-group-event": true,
	"put-app": true, "move-app": true,
	"publish-policy": true, "publish-surface": true, "publish-calendar": true, "keep-picture": true,
	"erase-subject": true,
	"propose":       true, "approve-proposal": true, "decline-proposal": true, "withdraw-proposal": true,
	"add-webhook": true, "rotate-webhook": true, "replay-webhook": true, "pause-webhook": true, "resume-webhook": true,
	"remove-webhook": true,
	"begin-erasure":  true, "start-erasure": true, "cancel-erasure": true,
}

const leavesNoTrace = "it would say whether a proof is kept of somebody, and nobody would see who asked"

// unrehearsed are the other commands, and why they have no dry run.
var unrehearsed = map[string]string{
	"record-bulk":    "try the events a thousand at a time, as a batch at /v1/apps/{app}/events",
	"disclose-proof": leavesNoTrace, "destroy-proof": leavesNoTrace, "open-proof": leavesNoTrace,
	"add-to-erasure": "it would say whom the ledger knows, and nobody would see who asked; a draft erases nobody: " +
		"hand the ids over, look at the job, and cancel it",
	"retry-rejected": "a retry that is refused changes nothing; what one would record, its event says, which the " +
		"message shows",
	"see-rejected": "it notes that somebody looked at a message, and nothing else",
}

// Notes of routes that others answer.
const (
	hasDryRun   = "has-dry-run"
	hasNoDryRun = "has-no-dry-run"
)

// whyNoDryRun says why a command has no dry run; empty: it has one, or is a question.
func whyNoDryRun(op *huma.Operation) string {
	why, _ := op.Metadata[hasNoDryRun].(string)
	return cmp.Or(unrehearsed[op.OperationID], why)
}

// describeDryRuns says which routes may be asked, and what they answer then.
func describeDryRuns(doc *huma.OpenAPI) {
	answer := doc.Components.Schemas.Schema(typeFor[wire.DryRun](), true, "")
	for _, item := range doc.Paths {
		for _, op := range operations(item) {
			if !rehearsed[op.OperationID] && op.Metadata[hasDryRun] != true {
				continue
			}
			op.Parameters = append(op.Parameters, &huma.Param{
				Name: dryRun, In: "query", AllowEmptyValue: true, Schema: &huma.Schema{Type: huma.TypeString},
				Description: "say what would be recorded, or why it would be refused, and record nothing",
			})

			media := op.Responses["200"].Content["application/json"]
			if several := media.Schema.OneOf; several != nil {
				media.Schema = &huma.Schema{OneOf: append(several[:len(several):len(several)], answer)}
				continue
			}
			media.Schema = &huma.Schema{OneOf: []*huma.Schema{media.Schema, answer}}
		}
	}
}

// describeNoDryRuns says why other commands have none.
func describeNoDryRuns(doc *huma.OpenAPI) {
	for _, item := range doc.Paths {
		for _, op := range operations(item) {
			if why := whyNoDryRun(op); why != "" {
				op.Description = strings.TrimSpace(op.Description + " It has no dry run: " + why + ".")
			}
		}
	}
}

// rehearse answers what a request would do.
func (s *server) rehearse(w http.ResponseWriter, r *http.Request, h http.Handler) {
	dry, err := s.Ledger.Rehearse(r.Context())
	if err != nil {
		edge.Write(w, s.problem(r.Context(), dryRun, err))
		return
	}

	answer := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), rehearsalKey{}, dry)))
	if answer.status != http.StatusOK { // it would be refused, or cannot be told
		answer.copyTo(w)
		return
	}

	var told wire.DryRun
	entries, err := dry.Recorded()
	if err == nil {
		told, err = wire.DryRunOf(entries, answer.body.Bytes())
	}
	if err != nil {
		edge.Write(w, s.problem(r.Context(), dryRun, err))
		return
	}
	if s.Reads != nil && !s.Reads(r.Context(), appOf(r.URL.Path)) {
		told = told.Unread()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = marshal(w, told) // whoever went away asks again
}

// appOf returns the app in the path of a route; empty: the route is of none.
func appOf(path string) string {
	rest, is := strings.CutPrefix(path, "/v1/apps/")
	if !is {
		return ""
	}
	app, _, _ := strings.Cut(rest, "/")
	return app
}

// A heldAnswer is an answer that is looked at before it is sent.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header         { return a.header }
func (a *heldAnswer) WriteHeader(status int)      { a.status = status }
func (a *heldAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *heldAnswer) copyTo(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // whoever went away asks again
}

// webhooks are those of the ledger; in a dry run, what is done with them is not kept.
func (s *server) webhooks(ctx context.Context) Webhooks {
	if rehearsalOf(ctx) != nil {
		return s.Webhooks.Rehearse()
	}
	return s.Webhooks
}

// erasures are those of the ledger; in a dry run, what is done with them is not kept.
func (s *server) erasures(ctx context.Context) orders {
	if rehearsalOf(ctx) != nil {
		return s.Erasures.Rehearse()
	}
	return s.Erasures
}

type rehearsalKey struct{}

// rehearsalOf returns the rehearsal that a request is for; nil: it is for the ledger.
func rehearsalOf(ctx context.Context) *ledger.Rehearsal {
	dry, _ := ctx.Value(rehearsalKey{}).(*ledger.Rehearsal)
	return dry
}

// A stage is the ledger, or the rehearsal that a request is for. Where the log ends is
// asked of the ledger: lists, which answer as of there, never hear of a rehearsal.
type stage struct{ Ledger }

func (l stage) of(ctx context.Context) Ledger {
	if dry := rehearsalOf(ctx); dry != nil {
		return dry
	}
	return l.Ledger
}

func (l stage) Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error) {
	return l.of(ctx).Execute(ctx, req)
}

func (l stage) ExecuteTogether(ctx context.Context, wishes []ledger.Wish) []ledger.Result {
	return l.of(ctx).ExecuteTogether(ctx, wishes)
}

func (l stage) Erase(ctx context.Context, req ledger.Request) (ledger.Receipt, error) {
	return l.of(ctx).Erase(ctx, req)
}

func (l stage) App(ctx context.Context, app ident.AppName) (domain.Reference, error) {
	return l.of(ctx).App(ctx, app)
}

func (l stage) State(
	ctx context.Context, app ident.AppName, who ident.PersonKey, asOf ledger.AsOf,
) (ledger.State, error) {
	return l.of(ctx).State(ctx, app, who, asOf)
}

func (l stage) LogCheck(ctx context.Context, req ledger.Request, answered domain.CheckAnswered) error {
	return l.of(ctx).LogCheck(ctx, req, answered)
}

func (l stage) Access(ctx context.Context, a ledger.Access) (ledger.Opened, error) {
	return l.of(ctx).Access(ctx, a)
}

func (l stage) Stream(ctx context.Context, stream ident.StreamID) iter.Seq2[codec.Entry, error] {
	return l.of(ctx).Stream(ctx, stream)
}

// stagedBlobs are the blobs, or those of the rehearsal that a request is for.
type stagedBlobs struct{ Blobs }

func (b stagedBlobs) of(ctx context.Context) Blobs {
	if dry := rehearsalOf(ctx); dry != nil {
		return dry.Blobs
	}
	return b.Blobs
}

func (b stagedBlobs) Put(ctx context.Context, text []byte) (blobs.Hash, error) {
	return b.of(ctx).Put(ctx, text)
}

func (b stagedBlobs) Get(ctx context.Context, h blobs.Hash) ([]byte, bool, error) {
	return b.of(ctx).Get(ctx, h)
}

// stagedProposals are those of the ledger, or of the rehearsal that a request is for.
type stagedProposals struct{ approval.Ledger }

func (l stagedProposals) of(ctx context.Context) approval.Ledger {
	if dry := rehearsalOf(ctx); dry != nil {
		return dry
	}
	return l.Ledger
}

func (l stagedProposals) Propose(
	ctx context.Context, p ledger.Proposing, read ledger.ReadCommand,
) (proposal.Proposal, error) {
	return l.of(ctx).Propose(ctx, p, read)
}

func (l stagedProposals) Approve(
	ctx context.Context, d ledger.Decision, read ledger.ReadCommand,
) (proposal.Proposal, error) {
	return l.of(ctx).Approve(ctx, d, read)
}

func (l stagedProposals) Decline(ctx context.Context, d ledger.Decision) (proposal.Proposal, error) {
	return l.of(ctx).Decline(ctx, d)
}

func (l stagedProposals) TakeBack(ctx context.Context, d ledger.Decision) (proposal.Proposal, error) {
	return l.of(ctx).TakeBack(ctx, d)
}

func (l stagedProposals) Proposed(ctx context.Context, app ident.AppName, id string) (proposal.Proposal, error) {
	return l.of(ctx).Proposed(ctx, app, id)
}
