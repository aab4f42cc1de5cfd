package rest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"consentledger/api/wire"
	"consentledger/domain/cases"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/request"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// next asks which steps are possible, and returns their types.
func (d *timedServer) next(path string) (a NextSteps, types []string) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.want(200, `"as_of"`, "GET", path+"/next", "")), &a); err != nil {
		d.t.Fatal(err)
	}
	for _, s := range a.Steps {
		types = append(types, s.Type)
	}
	return a, types
}

// A step that is offered is taken through the route of operators, and then is offered
// no more, although no projection has heard of it yet.
func TestTheNextStepsAreThoseThatAreTaken(t *testing.T) {
	d, open, answered := openTimed(t)
	path := "/v1/apps/smartkey/requests/" + open.ID
	a, types := d.next(path)
	if a.RecordedBy != "unauthenticated" || !slices.Contains(types, "request.answered") || slices.Contains(types, "request.reopened") || slices.Contains(types, "request.duplicate") {
		t.Errorf("%+v", a)
	}
	for _, s := range a.Steps {
		for _, f := range s.Fields {
			if listed := f.Name == "codes" || f.Name == "elements" || f.Name == "channel" || f.Name == "types"; listed != (len(f.Options) > 0) && listed {
				t.Errorf("%s: %s has no list", s.Type, f.Name)
			}
		}
	}

	// Data are handed over to nobody of whom it is not known who they are: until then only
	// the complaint can be answered.
	i := slices.IndexFunc(a.Steps, func(s NextStep) bool { return s.Type == "request.answered" })
	j := slices.IndexFunc(a.Steps[i].Fields, func(f NextField) bool { return f.Name == "types" })
	if f := a.Steps[i].Fields[j]; !f.Required || len(f.Options) != 1 || f.Options[0].Code != "complaint" {
		t.Errorf("an answer may be to %+v", f)
	}
	d.Step(open, "identity.passed elements=IDE-4 checked_by=desk")

	answer := `{"specversion":"1.0","id":"a1","source":"test","type":"request.answered","data":{"request":"` + open.ID + `","outcome":"full","channel":"email"}}`
	d.want(200, `"outcome":"recorded"`, "POST", "/v1/apps/smartkey/operator/events", answer)
	if _, types := d.next(path); !slices.Equal(types, []string{"request.reopened"}) {
		t.Errorf("once it is answered: %v", types)
	}
	if _, types := d.next("/v1/apps/smartkey/requests/" + answered.ID); !slices.Equal(types, []string{"request.reopened"}) {
		t.Errorf("of another that is answered: %v", types)
	}
	d.want(404, "there is no request of that id", "GET", "/v1/apps/smartkey/requests/nosuch/next", "")
	d.want(404, "there is no incident of that id", "GET", "/v1/apps/smartkey/incidents/"+open.ID+"/next", "")
}

// Of a person's earlier requests those are offered as the original that the step takes.
func TestTheOriginalsThatAreOfferedAreThoseThatAreTaken(t *testing.T) {
	d, _, _ := openTimed(t)
	original := d.Ask("cy", request.Access)
	other := d.Ask("cy", request.Complaint)
	withdrawn := d.Ask("cy", request.Access)
	d.Step(withdrawn, "request.withdrawn")
	d.Rest(deadline.Hour)
	duplicate := d.Ask("cy", request.Access)
	if err := d.Wait(t.Context(), 0); err != nil {
		t.Fatal(err)
	}

	a, _ := d.next("/v1/apps/smartkey/requests/" + duplicate.ID)
	i := slices.IndexFunc(a.Steps, func(s NextStep) bool { return s.Type == "request.duplicate" })
	if i < 0 || !slices.Equal(a.Steps[i].Fields[0].Options, []Option{{Code: original.ID}}) {
		t.Errorf("%+v, want %s as the only original", a.Steps, original.ID)
	}
	if _, types := d.next("/v1/apps/smartkey/requests/" + other.ID); slices.Contains(types, "request.duplicate") {
		t.Error("the only complaint is offered to go on in another request")
	}

	for i, of := range []string{other.ID, withdrawn.ID, original.ID} {
		code, want := 409, "illegal-move"
		if of == original.ID {
			code, want = 200, `"outcome":"recorded"`
		}
		d.want(code, want, "POST", "/v1/apps/smartkey/operator/events", fmt.Sprintf(
			`{"specversion":"1.0","id":"d%d","source":"test","type":"request.duplicate","data":{"request":%q,"of":%q}}`, i, duplicate.ID, of))
	}
}

// A folding ledger counts the requests that are folded.
type folding struct {
	*ledger.Ledger
	requests int
}

func (f *folding) Case(ctx context.Context, stream ident.StreamID) (cases.Request, error) {
	f.requests++
	return f.Ledger.Case(ctx, stream)
}

// However much a person has asked before, a look at the next steps reads only what may be the
// original, and of that no more than is offered.
func TestALookAtTheNextStepsReadsNoHistoryOfRequests(t *testing.T) {
	d, _, _ := openTimed(t)
	f := &folding{Ledger: d.ledg}
	d.conf.Ledger = f
	d.h = Handler(d.conf)
	originals := func(id string) []Option {
		t.Helper()
		if err := d.Wait(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		f.requests = 0
		a, _ := d.next("/v1/apps/smartkey/requests/" + id)
		i := slices.IndexFunc(a.Steps, func(s NextStep) bool { return s.Type == "request.duplicate" })
		if i < 0 {
			return nil
		}
		return a.Steps[i].Fields[0].Options
	}

	for range 20 {
		d.Step(d.Ask("dee", request.Complaint), "request.answered outcome=full channel=email")
		d.Ask("dee", request.Access)
		d.Rest(deadline.Hour)
	}
	original := d.Ask("dee", request.Complaint)
	second := d.Ask("dee", request.Complaint)
	if options := originals(second.ID); !slices.Equal(options, []Option{{Code: original.ID}}) || f.requests != 1 {
		t.Errorf("of 42 earlier requests %d were folded, and offered are %v", f.requests, options)
	}
	d.Step(original, "request.answered outcome=full channel=email")
	if options := originals(second.ID); !slices.Equal(options, []Option{{Code: original.ID}}) || f.requests != 1 {
		t.Errorf("it had its answer after the second came in: %d were folded, and offered are %v", f.requests, options)
	}

	for range originalsOfAsker {
		original = d.Ask("eva", request.Complaint)
	}
	if options := originals(original.ID); len(options) != originalsOfAsker-1 {
		t.Errorf("offered are %d", len(options))
	}
	d.Ask("eva", request.Complaint)
	last := d.Ask("eva", request.Complaint)
	if options := originals(last.ID); len(options) != originalsOfAsker || f.requests != originalsOfAsker {
		t.Errorf("%d were folded, and offered are %d", f.requests, len(options))
	}
}

// A step says where the law of the app asks for it, not that of another place.
func TestAStepNamesTheLawOfItsApp(t *testing.T) {
	h, _, _ := openTimed(t)
	for country, source := range map[string]string{
		"CN": "VI(VII); PIPL 57", "DE": "GDPR 34(1), 34(2)", "NO": "GDPR 34(1), 34(2)",
	} {
		app := strings.ToLower("demo" + country)
		h.want(200, "", "PUT", "/v1/apps/"+app, strings.Replace(appJSON, `"CN"`, `"`+country+`"`, 1))
		var opened wire.Receipt
		err := json.Unmarshal([]byte(h.want(200, "", "POST", "/v1/apps/"+app+"/operator/events", `{"specversion":"1.0","id":"`+app+
			`","source":"test","type":"incident.detected","data":{"kind":"leak","what":"mail-addresses"}}`)), &opened)
		if err != nil {
			t.Fatal(err)
		}

		var a NextSteps
		next := h.want(200, "", "GET", "/v1/apps/"+app+"/incidents/"+opened.Incident+"/next", "")
		if err := json.Unmarshal([]byte(next), &a); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(a.Steps, func(s NextStep) bool { return s.Type == "incident.persons-told" })
		if i < 0 || a.Steps[i].Source != source {
			t.Errorf("%s: %+v, want the source %q", country, a.Steps, source)
		}
	}
}
