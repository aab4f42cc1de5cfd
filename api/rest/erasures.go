package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"consentledger/api/auth"
	"consentledger/api/erasing"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Erasures erase many persons; see [erasing.Jobs].
type Erasures interface {
	orders
	Add(ctx context.Context, app ident.AppName, id, by string, part int, who []ident.PersonKey) (erasing.Job, error)
	Digest(ctx context.Context, job erasing.Job) (content.Hash, error)
	Get(ctx context.Context, app ident.AppName, id string) (erasing.Job, error)
	List(ctx context.Context, app ident.AppName) ([]erasing.Job, error)
	Kept(ctx context.Context, app ident.AppName, id string, most int) ([]erasing.Refused, error)
	Certify(ctx context.Context, app ident.AppName, id string, w io.Writer) error

	// Rehearse returns jobs of which what is done with them is not kept.
	Rehearse() *erasing.Jobs
}

// orders are what is done with erasures and can be tried first.
type orders interface {
	Begin(ctx context.Context, app ident.AppName, b erasing.Begin) (erasing.Job, error)
	Start(ctx context.Context, app ident.AppName, id, by string, digest content.Hash) (erasing.Job, error)
	Cancel(ctx context.Context, app ident.AppName, id string) (erasing.Job, error)
}

// A NewErasure begins to erase many.
type NewErasure struct {
	ID           string   `json:"id,omitempty" doc:"names the job: with the same id it is begun once; absent: a random one"`
	Of           string   `json:"of" enum:"ids,everybody,closed" doc:"ids: handed over in parts, then started; everybody of the app, as when it ends; closed: whose account was closed before a moment"`
	ClosedBefore string   `json:"closed_before,omitempty" format:"date-time" doc:"of closed: before when"`
	Reason       string   `json:"reason" example:"service-ended" doc:"a code; kept in the clear"`
	By           []string `json:"by,omitempty" maxItems:"2" doc:"two principals who order it, kept in the clear; absent where people are authenticated: then it is who begins the job and who starts it"`
	Evidence     string   `json:"evidence,omitempty" doc:"sha256:... of the decision"`
}

// ErasurePart is some of the persons of a job.
type ErasurePart struct {
	Part     int      `json:"part" minimum:"1" maximum:"1000" doc:"numbered from 1; the same part again takes the place of the first"`
	Subjects []string `json:"subjects" minItems:"1" maxItems:"10000" doc:"account:ID, device:ID or ID; looked up now, and not kept"`
}

// An ErasureJob is how far an erasure of many is. It names nobody.
type ErasureJob struct {
	ID            string   `json:"id"`
	Of            string   `json:"of" enum:"ids,everybody,closed"`
	ClosedBefore  string   `json:"closed_before,omitempty" format:"date-time"`
	Reason        string   `json:"reason"`
	By            []string `json:"by" doc:"who ordered it; approver-to-come stands for who has not started it yet"`
	Evidence      string   `json:"evidence,omitempty"`
	Began         string   `json:"began" format:"date-time"`
	RecordedBy    string   `json:"recorded_by,omitempty"`
	State         string   `json:"state" enum:"draft,running,cancelled,done"`
	NeedsApprover bool     `json:"needs_approver,omitempty" doc:"another principal, with the role approver, starts it"`
	Digest        string   `json:"digest,omitempty" doc:"of one job: sha256:... of whom it is, the reason, the evidence, who ordered it first, and each part that was handed over; whoever approves it names this digest"`
	May           []string `json:"may,omitempty" doc:"of one job: what whoever asks may do with it: start"`
	Parts         int      `json:"parts,omitzero" doc:"of ids that were handed over"`
	Persons       int64    `json:"persons" doc:"who is meant; of everybody and closed: as far as the app was looked through"`
	Unknown       int64    `json:"unknown" doc:"ids that lead to nobody"`
	Erased        int64    `json:"erased"`
	Already       int64    `json:"already" doc:"were erased by another order"`
	Kept          int64    `json:"kept" doc:"may not be erased; see kept_persons"`
	Ended         string   `json:"ended,omitempty" format:"date-time"`
	Error         string   `json:"error,omitempty" doc:"why it does not go on now, and is tried again; of one that was cancelled: why the ledger did so"`

	KeptPersons []KeptPerson `json:"kept_persons,omitempty" doc:"of one job: the first thousand of who may not be erased"`
}

// A KeptPerson is somebody who may not be erased, and why.
type KeptPerson struct {
	Person string `json:"person" doc:"the pseudonym"`
	Code   string `json:"code" example:"on-hold"`
	Why    string `json:"why"`
}

// ErasureJobs are the erasures of many of an app, the newest first.
type ErasureJobs struct {
	Jobs []ErasureJob `json:"jobs"`
}

type newErasureBody struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/json"`
}

type erasureIn struct {
	App string `path:"app"`
	Job string `path:"job" doc:"its id"`
}

type startErasureIn struct {
	App    string `path:"app"`
	Job    string `path:"job" doc:"its id"`
	Digest string `query:"digest" doc:"what is approved, as the job shows it: sha256:...; needed where it takes two principals. A job that is another one by now is refused"`
}

type erasurePartBody struct {
	App     string `path:"app"`
	Job     string `path:"job" doc:"its id"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) erasureRoutes(api huma.API) {
	const all, one = "/v1/apps/{app}/erasures", "/v1/apps/{app}/erasures/{job}"
	route(s, api, "list-erasures", http.MethodGet, all, "Erasures of many, and how far they are", s.listErasures)
	bodied[NewErasure](s, api, "begin-erasure", http.MethodPost, all,
		"Begin to erase many, in the background. It cannot be undone", maxBody, s.beginErasure)
	route(s, api, "get-erasure", http.MethodGet, one, "How far one is, and who may not be erased", s.getErasure)
	bodied[ErasurePart](s, api, "add-to-erasure", http.MethodPost, one+"/subjects",
		"Hand over ids of a draft, in parts", maxBody, s.addToErasure)
	route(s, api, "start-erasure", http.MethodPost, one+"/start",
		"Say that all ids are handed over: it begins. Where people are authenticated another principal does, who "+
			"approves what has the digest",
		s.startErasure)
	route(s, api, "cancel-erasure", http.MethodPost, one+"/cancel", "End it; who was erased stays erased",
		s.changeErasure(orders.Cancel))

	certify := huma.Operation{
		OperationID: "certify-erasure", Method: http.MethodGet, Path: one + "/certificate", SkipValidateParams: true,
		Summary: "The certificate of everybody whom it erased, a line of JSON each; it verifies offline",
		Responses: map[string]*huma.Response{"200": {
			Description: "The certificate",
			Content:     map[string]*huma.MediaType{"application/x-ndjson": {Schema: aFile}},
		}},
	}
	huma.Register(api, certify, s.certifyErasure)
}

func (s *server) listErasures(ctx context.Context, in *appIn) (*out[ErasureJobs], error) {
	app, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}
	list, err := s.Erasures.List(ctx, app)
	if err != nil {
		return nil, err
	}
	a := ErasureJobs{Jobs: []ErasureJob{}}
	for _, j := range list {
		a.Jobs = append(a.Jobs, erasureJob(j))
	}
	return ok(a)
}

func (s *server) beginErasure(ctx context.Context, in *newErasureBody) (*out[ErasureJob], error) {
	app, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	var b NewErasure
	if err := strict(in.RawBody, &b); err != nil {
		return nil, err
	}

	begin := erasing.Begin{ID: b.ID, Of: b.Of, Reason: b.Reason, RecordedBy: s.principal(ctx)}
	if len(b.By) > 2 {
		return nil, refusal.Refusal{Code: refusal.TwoPersons, Path: "by", Text: "erasing takes two different persons"}
	}

	copy(begin.By[:], b.By)
	if b.Evidence != "" {
		if begin.Evidence, err = content.ParseNamedHash(b.Evidence); err != nil {
			return nil, bad("evidence: a hash is written sha256: and 64 lower-case hex digits")
		}
	}

	if b.ClosedBefore != "" {
		at, err := time.Parse(time.RFC3339, b.ClosedBefore)
		if err != nil {
			return nil, bad("closed_before: want a moment as in 2026-01-31T00:00:00Z")
		}
		begin.ClosedBefore = deadline.At(at)
	}

	j, err := s.erasures(ctx).Begin(ctx, app, begin)
	return erasureAnswer(j, err)
}

func (s *server) addToErasure(ctx context.Context, in *erasurePartBody) (*out[ErasureJob], error) {
	app, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	var b ErasurePart
	if err := strict(in.RawBody, &b); err != nil {
		return nil, err
	}
	if len(b.Subjects) > erasing.MostInPart {
		return nil, bad("subjects: a part holds 1 to " + strconv.Itoa(erasing.MostInPart) + " ids")
	}

	who := make([]ident.PersonKey, len(b.Subjects))
	for i, id := range b.Subjects {
		if who[i], err = ident.ParsePersonKey(id); err != nil {
			return nil, bad("subjects[" + strconv.Itoa(i) + "]: " + err.Error())
		}
	}

	j, err := s.Erasures.Add(ctx, app, in.Job, s.principal(ctx), b.Part, who)
	return erasureAnswer(j, err)
}

func (s *server) startErasure(ctx context.Context, in *startErasureIn) (*out[ErasureJob], error) {
	var digest content.Hash
	if in.Digest != "" {
		var err error
		if digest, err = content.ParseNamedHash(in.Digest); err != nil {
			return nil, bad("digest: it is written as the job shows it: sha256: and 64 lower-case hex digits")
		}
	}
	return s.changeErasure(func(e orders, ctx context.Context, app ident.AppName, id string) (erasing.Job, error) {
		return e.Start(ctx, app, id, s.principal(ctx), digest)
	})(ctx, &erasureIn{App: in.App, Job: in.Job})
}

func (s *server) changeErasure(
	how func(orders, context.Context, ident.AppName, string) (erasing.Job, error),
) func(context.Context, *erasureIn) (*out[ErasureJob], error) {
	return func(ctx context.Context, in *erasureIn) (*out[ErasureJob], error) {
		app, err := ident.ParseAppName(in.App)
		if err != nil {
			return nil, bad(err.Error())
		}
		j, err := how(s.erasures(ctx), ctx, app, in.Job)
		return erasureAnswer(j, err)
	}
}

// mostKept is how many of who may not be erased are shown with a job.
const mostKept = 1000

func (s *server) getErasure(ctx context.Context, in *erasureIn) (*out[ErasureJob], error) {
	app, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	j, err := s.Erasures.Get(ctx, app, in.Job)
	if err != nil {
		return nil, noErasure(err)
	}

	a := erasureJob(j)
	if err := s.describeErasure(ctx, j, &a); err != nil {
		return nil, err
	}
	kept, err := s.Erasures.Kept(ctx, app, in.Job, mostKept)
	if err != nil {
		return nil, err
	}

	for _, k := range kept {
		a.KeptPersons = append(a.KeptPersons, KeptPerson{Person: k.Person, Code: k.Code, Why: k.Text})
	}
	return ok(a)
}

// describeErasure says what is approved with one job, and whether whoever asks may do so.
// For the digest all that was handed over is read.
func (s *server) describeErasure(ctx context.Context, j erasing.Job, a *ErasureJob) error {
	if j.State != erasing.Draft {
		return nil // it says itself what was approved
	}
	digest, err := s.Erasures.Digest(ctx, j)
	if err != nil {
		return err
	}

	a.Digest = digest.String()
	if who, is := auth.From(ctx); is && a.NeedsApprover && auth.Decides(who, j.App, j.By[0], s.Approvals.Same) {
		a.May = []string{"start"}
	}
	return nil
}

func (s *server) certifyErasure(ctx context.Context, in *erasureIn) (*huma.StreamResponse, error) {
	const id = "certify-erasure"
	app, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, s.fail(ctx, id, bad(err.Error()))
	}

	j, err := s.Erasures.Get(ctx, app, in.Job)
	if err == nil && (j.State == erasing.Draft || j.State == erasing.Running) {
		err = refusal.Refusal{Code: refusal.TooEarly,
			Text: "the job has not ended: its certificate is of all whom it erased"}
	}
	if err != nil {
		return nil, s.fail(ctx, id, noErasure(err))
	}

	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/x-ndjson")
		_, w := humago.Unwrap(c)
		if err := s.Erasures.Certify(ctx, app, in.Job, w); err != nil {
			s.breakOff(ctx, w, err) // whoever verifies sees that it was cut
		}
	}}, nil
}

func erasureAnswer(j erasing.Job, err error) (*out[ErasureJob], error) {
	if err != nil {
		return nil, noErasure(err)
	}
	return ok(erasureJob(j))
}

// noErasure names what is not there.
func noErasure(err error) error {
	if r, is := errors.AsType[refusal.Refusal](err); is && r.Code == erasing.Unknown {
		p := plain(http.StatusNotFound, r.Text)
		p.Type, p.Code = "urn:consentledger:problem:"+string(r.Code), string(r.Code)
		return failure{p}
	}
	return err
}

func erasureJob(j erasing.Job) ErasureJob {
	a := ErasureJob{
		ID: j.ID, Of: j.Of, Reason: j.Reason, By: j.By[:], Began: j.Began.String(), RecordedBy: j.RecordedBy,
		State: j.State, NeedsApprover: j.NeedsApprover(),
		Parts: j.Parts, Persons: j.Persons, Unknown: j.Unknown, Erased: j.Erased, Already: j.Already, Kept: j.Kept,
		Error: j.Error,
	}
	if j.ClosedBefore != 0 {
		a.ClosedBefore = j.ClosedBefore.String()
	}
	if j.Ended != 0 {
		a.Ended = j.Ended.String()
	}
	if j.Evidence != (content.Hash{}) {
		a.Evidence = j.Evidence.String()
	}
	if j.Approved != (content.Hash{}) {
		a.Digest = j.Approved.String()
	}
	return a
}
