package codec

import (
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/published"
	"consentledger/domain/surface"
	"consentledger/eventstore/codec/policydoc"

	"github.com/go-json-experiment/json/jsontext"
)

// The second shapes of what was said, and of apps and policies.
type (
	appRegisteredV2 struct {
		Escapes      string   `json:"binary_escapes,omitzero"`
		Environment  string   `json:"environment"`
		Group        string   `json:"group,omitzero"`
		Handler      string   `json:"handler"`
		Jurisdiction string   `json:"jurisdiction"`
		Locales      []string `json:"locales"`
		Name         string   `json:"name"`
		TimeZone     string   `json:"time_zone"`
	}
	scopeV1 struct {
		Actions    []string            `json:"actions,omitempty"`
		Categories []policy.CategoryID `json:"categories,omitempty"`
		Purpose    string              `json:"purpose"`
	}
	overtakingV1 struct {
		RightsReduced bool               `json:"rights_reduced,omitzero"`
		Scopes        []scopeV1          `json:"scopes,omitempty"`
		Stale         []policy.PurposeID `json:"stale,omitempty"`
		Version       string             `json:"version"`
	}
	policyPublishedV2 struct {
		Document      jsontext.Value     `json:"document"`
		Effective     int64              `json:"effective"`
		Later         []overtakingV1     `json:"later,omitempty"`
		Material      []string           `json:"material,omitempty"`
		RightsReduced bool               `json:"rights_reduced,omitzero"`
		Scopes        []scopeV1          `json:"scopes,omitempty"`
		Stale         []policy.PurposeID `json:"stale,omitempty"`
		Version       string             `json:"version"`
	}
	evidenceV1 struct {
		Missing []domain.Lack `json:"missing,omitempty"`
		Quality string        `json:"quality"`
	}
	endV1 struct {
		Purpose string `json:"purpose"`
		Until   int64  `json:"until"`
	}
	hinderedV1 struct {
		Purpose string `json:"purpose"`
		Why     string `json:"why"`
	}
	restV1 struct {
		Basis   string `json:"basis"`
		Purpose string `json:"purpose"`
	}
	proofV1 struct {
		CheckedBy string `json:"checked_by"`
		Document  string `json:"document"`
		Method    string `json:"method"`
	}
	consentGivenV2 struct {
		Act      string       `json:"act"`
		Build    string       `json:"build,omitzero"`
		Confirms []string     `json:"confirms,omitempty"`
		Control  string       `json:"control,omitzero"`
		Ends     []endV1      `json:"ends,omitempty"`
		Evidence *evidenceV1  `json:"evidence,omitempty"`
		Filtered string       `json:"filtered_by,omitzero"`
		Guardian string       `json:"guardian,omitzero"`
		Hindered []hinderedV1 `json:"hindered,omitempty"`
		Import   bool         `json:"import,omitzero"`
		Initial  string       `json:"initial,omitzero"`
		Items    []itemV1     `json:"items"`
		Kind     string       `json:"kind"`
		Locale   string       `json:"locale,omitzero"`
		Notice   string       `json:"notice,omitzero"`
		Once     bool         `json:"once,omitzero"`
		Policy   string       `json:"policy"`
		Proof    *proofV1     `json:"proof,omitempty"`
		Signer   string       `json:"signer,omitzero"`
		Surface  string       `json:"surface,omitzero"`
		Text     string       `json:"text,omitzero"`
		Until    int64        `json:"until,omitzero"`
		Version  string       `json:"version"`
	}
	consentRefusedV2 struct {
		Act      string             `json:"act,omitzero"`
		Added    []policy.PurposeID `json:"added,omitempty"`
		All      bool               `json:"all,omitzero"`
		Build    string             `json:"build,omitzero"`
		Control  string             `json:"control,omitzero"`
		Guardian string             `json:"guardian,omitzero"`
		Initial  string             `json:"initial,omitzero"`
		Locale   string             `json:"locale,omitzero"`
		Notice   string             `json:"notice,omitzero"`
		Policy   string             `json:"policy,omitzero"`
		Purposes []policy.PurposeID `json:"purposes,omitempty"`
		Rests    []restV1           `json:"rests,omitempty"`
		Signal   bool               `json:"signal,omitzero"`
		Surface  string             `json:"surface,omitzero"`
		Unknown  string             `json:"unknown,omitzero"`
		Version  string             `json:"version,omitzero"`
	}
	consentWithdrawnV2 struct {
		Act      string             `json:"act,omitzero"`
		All      bool               `json:"all,omitzero"`
		Build    string             `json:"build,omitzero"`
		Guardian string             `json:"guardian,omitzero"`
		Purposes []policy.PurposeID `json:"purposes,omitempty"`
		Rests    []restV1           `json:"rests,omitempty"`
		Signal   bool               `json:"signal,omitzero"`
		Unknown  string             `json:"unknown,omitzero"`
	}
	noticePresentedV2 struct {
		Build    string `json:"build,omitzero"`
		Kind     string `json:"kind,omitzero"`
		Locale   string `json:"locale,omitzero"`
		Opened   bool   `json:"opened,omitzero"`
		Policy   string `json:"policy"`
		Scrolled bool   `json:"scrolled,omitzero"`
		Surface  string `json:"surface,omitzero"`
		Text     string `json:"text,omitzero"`
		Version  string `json:"version"`
	}
)

func publishedShape(e domain.PolicyPublished) (policyPublishedV2, error) {
	doc, err := policydoc.Marshal(e.Document)
	s := policyPublishedV2{
		Document: doc, Effective: int64(e.Effective), Material: e.Material, RightsReduced: e.RightsReduced,
		Scopes: scopeShapes(e.Scopes), Stale: e.Stale, Version: e.Version.String(),
	}
	for _, o := range e.Later {
		s.Later = append(s.Later, overtakingV1{
			RightsReduced: o.RightsReduced,
			Scopes:        scopeShapes(o.Scopes),
			Stale:         o.Stale,
			Version:       o.Version.String(),
		})
	}
	return s, err
}

func scopeShapes(scopes []policy.StaleScope) (shapes []scopeV1) {
	for _, s := range scopes {
		shapes = append(shapes, scopeV1{Actions: names(s.Actions), Categories: s.Categories,
			Purpose: string(s.Purpose)})
	}
	return shapes
}

func (r *reader) scopes(shapes []scopeV1) (scopes []policy.StaleScope) {
	for _, s := range shapes {
		scopes = append(scopes, policy.StaleScope{
			Purpose: policy.PurposeID(s.Purpose), Actions: parseAll(r, s.Actions, policy.ParseAction),
			Categories: s.Categories,
		})
	}
	return scopes
}

func givenShape(e domain.ConsentGiven) consentGivenV2 {
	s := consentGivenV2{
		Act: string(e.Act), Build: e.Build, Confirms: eventIDs(e.Confirms), Control: string(e.Control),
		Guardian: string(e.Guardian),
		Import:   e.Import, Initial: e.Initial.String(), Kind: e.Kind.String(), Locale: e.Locale,
		Notice: eventID(e.Notice), Once: e.Once,
		Filtered: e.FilteredBy, Policy: e.Policy, Signer: e.Signer, Surface: hash(e.Surface), Text: hash(e.Text),
		Until: int64(e.Until), Version: e.Version.String(),
	}
	for _, i := range e.Items {
		s.Items = append(s.Items, itemV1{Purpose: string(i.Purpose), Short: string(i.Short)})
	}

	for _, x := range e.Ends {
		s.Ends = append(s.Ends, endV1{Purpose: string(x.Purpose), Until: int64(x.Until)})
	}

	for _, h := range e.Hindered {
		s.Hindered = append(s.Hindered, hinderedV1{Purpose: string(h.Purpose), Why: string(h.Why)})
	}
	if e.Evidence.Quality != domain.NoQuality {
		s.Evidence = &evidenceV1{Missing: e.Evidence.Missing, Quality: e.Evidence.Quality.String()}
	}
	if e.Proof != (domain.Proof{}) {
		s.Proof = proofShape(e.Proof)
	}
	return s
}

func proofShape(p domain.Proof) *proofV1 {
	return &proofV1{
		CheckedBy: p.CheckedBy,
		Document:  hash(p.Document),
		Method:    p.Method,
	}
}

func (s *proofV1) proof(r *reader) domain.Proof {
	if s == nil {
		return domain.Proof{}
	}
	return domain.Proof{Document: r.hash(s.Document), Method: s.Method, CheckedBy: s.CheckedBy}
}

func restShapes(rests []policy.Rest) (shapes []restV1) {
	for _, x := range rests {
		shapes = append(shapes, restV1{Basis: x.Basis.String(), Purpose: string(x.Purpose)})
	}
	return shapes
}

func (r *reader) rests(shapes []restV1) (rests []policy.Rest) {
	for _, x := range shapes {
		rests = append(rests, policy.Rest{Purpose: policy.PurposeID(x.Purpose),
			Basis: parse(r, x.Basis, policy.ParseLegalBasis)})
	}
	return rests
}

func refusedShape(e domain.ConsentRefused) consentRefusedV2 {
	return consentRefusedV2{
		Act:      string(e.Act),
		Added:    e.Added,
		All:      e.Scope.All,
		Build:    e.Build,
		Control:  string(e.Control),
		Guardian: string(e.Guardian),
		Initial:  e.Initial.String(),
		Locale:   e.Locale,
		Notice:   eventID(e.Notice),
		Policy:   e.Policy,
		Purposes: e.Scope.Purposes,
		Rests:    restShapes(e.Rests),
		Signal:   e.Signal,
		Surface:  hash(e.Surface),
		Unknown:  e.Unknown,
		Version:  hash(e.Version),
	}
}

func (s appRegisteredV2) event() (domain.Event, error) {
	env, err := domain.ParseEnvironment(s.Environment)
	return domain.AppRegistered{App: domain.App{
		Name: ident.AppName(s.Name), Handler: s.Handler, Group: s.Group, Environment: env,
		Jurisdiction: s.Jurisdiction, TimeZone: s.TimeZone, Locales: s.Locales, Escapes: domain.Escapes(s.Escapes),
	}}, err
}

func (s policyPublishedV2) event() (domain.Event, error) {
	var r reader
	doc, err := policydoc.Unmarshal(s.Document)
	r.keep(err)
	e := domain.PolicyPublished{
		Version: r.hash(s.Version), Document: doc, Effective: deadline.Instant(s.Effective),
		Material: s.Material, Stale: s.Stale, RightsReduced: s.RightsReduced,
	}
	e.Scopes = r.scopes(s.Scopes)
	for _, o := range s.Later {
		e.Later = append(e.Later, published.Overtaking{Version: r.hash(o.Version), Stale: o.Stale,
			Scopes: r.scopes(o.Scopes), RightsReduced: o.RightsReduced})
	}
	return e, r.err
}

func (s consentGivenV2) event() (domain.Event, error) {
	var r reader
	e := domain.ConsentGiven{
		Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Text: r.hash(s.Text),
		Act: policy.ActID(s.Act), Kind: r.kind(s.Kind), Notice: r.eventID(s.Notice),
		Until: deadline.Instant(s.Until), Import: s.Import, FilteredBy: s.Filtered,
		Build: s.Build, Surface: r.hash(s.Surface), Control: surface.ControlID(s.Control),
		Initial: parse(&r, s.Initial, surface.ParseState),
		Once:    s.Once, Guardian: domain.GuardianRef(s.Guardian), Proof: s.Proof.proof(&r), Signer: s.Signer,
		Confirms: r.eventIDs(s.Confirms),
	}
	for _, i := range s.Items {
		e.Items = append(e.Items, domain.Item{Purpose: policy.PurposeID(i.Purpose), Short: domain.Shortfall(i.Short)})
	}

	for _, x := range s.Ends {
		e.Ends = append(e.Ends, domain.End{Purpose: policy.PurposeID(x.Purpose), Until: deadline.Instant(x.Until)})
	}

	for _, h := range s.Hindered {
		e.Hindered = append(e.Hindered,
			domain.Hindered{Purpose: policy.PurposeID(h.Purpose), Why: domain.Hindrance(h.Why)})
	}

	if s.Evidence != nil {
		e.Evidence = domain.Evidence{Quality: parse(&r, s.Evidence.Quality, domain.ParseQuality),
			Missing: s.Evidence.Missing}
	}
	return e, r.err
}

func (s consentRefusedV2) event() (domain.Event, error) {
	var r reader
	return domain.ConsentRefused{
		Scope:  policy.Scope{All: s.All, Purposes: s.Purposes},
		Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Act: policy.ActID(s.Act),
		Notice: r.eventID(s.Notice), Build: s.Build, Surface: r.hash(s.Surface), Control: surface.ControlID(s.Control),
		Added: s.Added, Initial: parse(&r, s.Initial, surface.ParseState),
		Guardian: domain.GuardianRef(s.Guardian), Unknown: s.Unknown, Rests: r.rests(s.Rests), Signal: s.Signal,
	}, r.err
}

func (s consentWithdrawnV2) event() (domain.Event, error) {
	var r reader
	return domain.ConsentWithdrawn{
		Scope: policy.Scope{All: s.All, Purposes: s.Purposes}, Build: s.Build, Guardian: domain.GuardianRef(s.Guardian),
		Unknown: s.Unknown,
		Rests:   r.rests(s.Rests), Act: policy.ActID(s.Act), Signal: s.Signal,
	}, r.err
}

func (s noticePresentedV2) event() (domain.Event, error) {
	var r reader
	return domain.NoticePresented{
		Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Text: r.hash(s.Text), Kind: s.Kind,
		Surface: r.hash(s.Surface), Build: s.Build, Read: domain.Reading{Scrolled: s.Scrolled, Opened: s.Opened},
	}, r.err
}
