package rest

import (
	"context"
	"fmt"
	"net/http"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections/consents"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
)

// WhoRequest asks who stands somewhere with a purpose, by the ids that the app has for
// them. Who asks and why is recorded before anything is opened.
type WhoRequest struct {
	Purpose string `json:"purpose"`
	Status  string `json:"status,omitzero" doc:"given (the default), refused, withdrawn, expired, stale, ask-again or never-asked"`
	Cursor  string `json:"cursor,omitzero" doc:"next of the page before"`
	Limit   string `json:"limit,omitzero" doc:"look at so many people at most, 1 to 1000 (default 100)"`
	wire.Accessor
}

// A Somebody is a person who stands there.
type Somebody struct {
	Subject string   `json:"subject,omitzero" doc:"account:ID or device:ID, by which the app knew them first; absent: they were erased meanwhile"`
	Person  string   `json:"person" doc:"a pseudonym"`
	Purpose string   `json:"purpose"`
	Status  string   `json:"status"`
	Since   string   `json:"since,omitempty" format:"date-time"`
	Policy  string   `json:"policy,omitempty"`
	Version string   `json:"version,omitempty"`
	Because []string `json:"because,omitempty" doc:"the events that prove it"`
}

// WhoAnswer is a page of them.
type WhoAnswer struct {
	App    string     `json:"app"`
	People []Somebody `json:"people" doc:"in the order in which they came; a page may have fewer than limit and not be the last"`
	Next   string     `json:"next,omitzero" doc:"ask again with this cursor; absent: there is no more"`
	AsOf   string     `json:"as_of"`
}

type whoIn struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) whoRoute(api huma.API) {
	bodied[WhoRequest](s, api, "who-consented", http.MethodPost, "/v1/apps/{app}/consents/who",
		"Who stands where with a purpose, by the app's own ids, tests left out; who reads and why is recorded "+
			"first", maxBody, s.who)
}

func (s *server) who(ctx context.Context, in *whoIn) (*out[WhoAnswer], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	var ask WhoRequest
	if err := question(in.RawBody, &ask); err != nil {
		return nil, err
	}
	purpose, err := policy.ParsePurposeID(ask.Purpose)
	if err != nil {
		return nil, bad("purpose: " + err.Error())
	}
	status := domain.Given
	if ask.Status != "" {
		if status, err = domain.ParseStatus(ask.Status); err != nil {
			return nil, bad("status: " + err.Error())
		}
	}
	after, limit, err := beginPeople(ctx, s, ask.Cursor, ask.Limit, "", readPeopleCursor)
	if err != nil {
		return nil, err
	}

	all, last, asOf, err := s.Consents.Who(ctx, app, purpose, s.Ledger.Now(), after, limit)
	if err != nil {
		return nil, err
	}
	a := WhoAnswer{App: in.App, People: []Somebody{}, AsOf: wire.FormatPosition(asOf)}
	if len(all) == limit {
		a.Next = peopleCursor(last)
	}
	var rows []consents.Row
	for _, r := range all {
		if r.Status == status {
			rows = append(rows, r)
		}
	}
	a.People, err = s.named(ctx, app, ask.Accessor, rows)
	if err != nil {
		return nil, err
	}
	return ok(a)
}

// named opens by which ids the app knows the people of rows, once that is recorded.
func (s *server) named(
	ctx context.Context, app ident.AppName, accessor wire.Accessor, rows []consents.Row,
) ([]Somebody, error) {
	people := []Somebody{}
	if len(rows) == 0 {
		return people, nil
	}

	access := wire.AccessOf(accessor, domain.AccessNames)
	access.Roles, access.Records, access.Parts = []string{bindingRole}, len(rows), len(rows)
	opened, err := s.access(ctx, app, access)
	if err != nil {
		return nil, err
	}

	for _, r := range rows {
		c := consentOf(r.Purpose, r.Standing, true)
		x := Somebody{
			Person:  r.Person,
			Purpose: c.Purpose,
			Status:  c.Status,
			Since:   c.Since,
			Policy:  r.Policy,
			Because: c.Because,
		}
		if r.Version != ([32]byte{}) {
			x.Version = r.Version.String()
		}
		if x.Subject, err = s.boundTo(ctx, opened, app, r.Person); err != nil {
			return nil, err
		}
		people = append(people, x)
	}
	return people, nil
}

// bindingRole is the part of the first record of a person's history that says by which
// id the app knows them.
const bindingRole = "binding"

// boundTo returns by which id the app knew a person first; empty: they were erased.
func (s *server) boundTo(ctx context.Context, opened ledger.Opened, app ident.AppName, person string) (string, error) {
	var first *codec.Entry
	for e, err := range s.Ledger.Stream(ctx, ident.SubjectStream(app, person)) {
		if err != nil {
			return "", err
		}
		first = &e
		break
	}

	if first == nil {
		return "", nil
	}

	text, has, err := opened.Reveal(ctx, *first, bindingRole)
	if err != nil || !has {
		return "", err
	}

	var who struct{ ID, Kind string }
	if err := json.Unmarshal([]byte(text.Reveal()), &who, json.MatchCaseInsensitiveNames(true)); err != nil {
		return "", fmt.Errorf("the binding of a person is no JSON object") // and what it says is theirs
	}
	return who.Kind + ":" + who.ID, nil
}
