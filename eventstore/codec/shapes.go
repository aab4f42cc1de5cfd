package codec

import (
	"fmt"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/policydoc"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// shapes is every shape that was ever written.
var shapes = map[string]func([]byte) (domain.Event, error){
	"app.registered.v1":      as[appRegisteredV1],
	"policy.published.v1":    as[policyPublishedV1],
	"consent.given.v1":       as[consentGivenV1],
	"consent.refused.v1":     as[consentRefusedV1],
	"consent.withdrawn.v1":   as[consentWithdrawnV1],
	"policy.acknowledged.v1": as[policyAcknowledgedV1],
	"notice.presented.v1":    as[noticePresentedV1],
	"permission.granted.v1":  as[permissionGrantedV1],
	"permission.denied.v1":   as[permissionDeniedV1],
	"permission.revoked.v1":  as[permissionRevokedV1],
	"record.voided.v1":       as[recordVoidedV1],
}

// Types returns the names of every shape that was ever written.
func Types() []string {
	names := make([]string, 0, len(shapes))
	for name := range shapes {
		names = append(names, name)
	}
	return names
}

// The shapes. Members stand in the order that RFC 8785 wants.
type (
	appRegisteredV1 struct {
		Environment  string   `json:"environment"`
		Handler      string   `json:"handler"`
		Jurisdiction string   `json:"jurisdiction"`
		Locales      []string `json:"locales"`
		Name         string   `json:"name"`
		TimeZone     string   `json:"time_zone"`
	}
	policyPublishedV1 struct {
		Document  jsontext.Value     `json:"document"`
		Effective int64              `json:"effective"`
		Material  []string           `json:"material,omitempty"`
		Stale     []domain.PurposeID `json:"stale,omitempty"`
		Version   string             `json:"version"`
	}
	itemV1 struct {
		Purpose string `json:"purpose"`
		Short   string `json:"short,omitzero"`
	}
	consentGivenV1 struct {
		Act     string   `json:"act"`
		Import  bool     `json:"import,omitzero"`
		Items   []itemV1 `json:"items"`
		Kind    string   `json:"kind"`
		Locale  string   `json:"locale,omitzero"`
		Notice  string   `json:"notice,omitzero"`
		Policy  string   `json:"policy"`
		Text    string   `json:"text,omitzero"`
		Until   int64    `json:"until,omitzero"`
		Version string   `json:"version"`
	}
	consentRefusedV1 struct {
		Act      string             `json:"act,omitzero"`
		All      bool               `json:"all,omitzero"`
		Locale   string             `json:"locale,omitzero"`
		Policy   string             `json:"policy,omitzero"`
		Purposes []domain.PurposeID `json:"purposes,omitempty"`
		Version  string             `json:"version,omitzero"`
	}
	consentWithdrawnV1 struct {
		All      bool               `json:"all,omitzero"`
		Purposes []domain.PurposeID `json:"purposes,omitempty"`
	}
	policyAcknowledgedV1 struct {
		Act     string `json:"act,omitzero"`
		Locale  string `json:"locale,omitzero"`
		Policy  string `json:"policy"`
		Version string `json:"version"`
	}
	noticePresentedV1 struct {
		Kind    string `json:"kind,omitzero"`
		Locale  string `json:"locale,omitzero"`
		Policy  string `json:"policy"`
		Text    string `json:"text,omitzero"`
		Version string `json:"version"`
	}
	permissionGrantedV1 struct {
		Permission string `json:"permission"`
	}
	permissionDeniedV1 struct {
		Permission string `json:"permission"`
	}
	permissionRevokedV1 struct {
		Permission string             `json:"permission"`
		Withdraws  []domain.PurposeID `json:"withdraws,omitempty"`
	}
	recordVoidedV1 struct {
		By       []string `json:"by"`
		Evidence string   `json:"evidence,omitzero"`
		Reason   string   `json:"reason"`
		Records  []string `json:"records"`
	}
)

// shapeOf returns an event's newest name and shape, and what of it is personal.
func shapeOf(e domain.Event) (string, any, domain.Personal, error) {
	switch e := e.(type) {
	case domain.AppRegistered:
		a := e.App
		return "app.registered.v1", appRegisteredV1{a.Environment.String(), a.Handler, a.Jurisdiction, a.Locales, string(a.Name), a.TimeZone}, "", nil
	case domain.PolicyPublished:
		doc, err := policydoc.Marshal(e.Document)
		return "policy.published.v1", policyPublishedV1{doc, int64(e.Effective), e.Material, e.Stale, e.Version.String()}, "", err
	case domain.ConsentGiven:
		return "consent.given.v1", givenShape(e), e.Details, nil
	case domain.ConsentRefused:
		return "consent.refused.v1", consentRefusedV1{string(e.Act), e.Scope.All, e.Locale, e.Policy, e.Scope.Purposes, hash(e.Version)}, e.Details, nil
	case domain.ConsentWithdrawn:
		return "consent.withdrawn.v1", consentWithdrawnV1{e.Scope.All, e.Scope.Purposes}, e.Details, nil
	case domain.PolicyAcknowledged:
		return "policy.acknowledged.v1", policyAcknowledgedV1{string(e.Act), e.Locale, e.Policy, e.Version.String()}, e.Details, nil
	case domain.NoticePresented:
		return "notice.presented.v1", noticePresentedV1{e.Kind, e.Locale, e.Policy, hash(e.Text), e.Version.String()}, e.Details, nil
	case domain.PermissionGranted:
		return "permission.granted.v1", permissionGrantedV1{string(e.Permission)}, e.Details, nil
	case domain.PermissionDenied:
		return "permission.denied.v1", permissionDeniedV1{string(e.Permission)}, e.Details, nil
	case domain.PermissionRevoked:
		return "permission.revoked.v1", permissionRevokedV1{string(e.Permission), e.Withdraws}, e.Details, nil
	case domain.RecordVoided:
		return "record.voided.v1", voidedShape(e), "", nil
	}
	panic(fmt.Sprintf("codec: event %T has no case in shapeOf", e))
}

func givenShape(e domain.ConsentGiven) consentGivenV1 {
	s := consentGivenV1{
		Act: string(e.Act), Import: e.Import, Kind: e.Kind.String(), Locale: e.Locale, Notice: eventID(e.Notice),
		Policy: e.Policy, Text: hash(e.Text), Until: int64(e.Until), Version: e.Version.String(),
	}
	for _, i := range e.Items {
		s.Items = append(s.Items, itemV1{string(i.Purpose), string(i.Short)})
	}
	return s
}

func voidedShape(e domain.RecordVoided) recordVoidedV1 {
	s := recordVoidedV1{By: e.By[:], Evidence: hash(e.Evidence), Reason: e.Reason}
	for _, id := range e.Records {
		s.Records = append(s.Records, eventID(id))
	}
	return s
}

func (s appRegisteredV1) event() (domain.Event, error) {
	env, err := domain.ParseEnvironment(s.Environment)
	return domain.AppRegistered{App: domain.App{
		Name: domain.AppName(s.Name), Handler: s.Handler, Environment: env,
		Jurisdiction: s.Jurisdiction, TimeZone: s.TimeZone, Locales: s.Locales,
	}}, err
}

func (s policyPublishedV1) event() (domain.Event, error) {
	doc, err := policydoc.Unmarshal(s.Document)
	if err != nil {
		return nil, err
	}
	version, err := domain.ParseHash(s.Version)
	return domain.PolicyPublished{Version: version, Document: doc, Effective: domain.Instant(s.Effective), Material: s.Material, Stale: s.Stale}, err
}

func (s consentGivenV1) event() (domain.Event, error) {
	var r reader
	e := domain.ConsentGiven{
		Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Text: r.hash(s.Text),
		Act: domain.ActID(s.Act), Kind: r.kind(s.Kind), Notice: r.eventID(s.Notice),
		Until: domain.Instant(s.Until), Import: s.Import,
	}
	for _, i := range s.Items {
		e.Items = append(e.Items, domain.Item{Purpose: domain.PurposeID(i.Purpose), Short: domain.Shortfall(i.Short)})
	}
	return e, r.err
}

func (s consentRefusedV1) event() (domain.Event, error) {
	var r reader
	return domain.ConsentRefused{
		Scope:  domain.Scope{All: s.All, Purposes: s.Purposes},
		Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Act: domain.ActID(s.Act),
	}, r.err
}

func (s consentWithdrawnV1) event() (domain.Event, error) {
	return domain.ConsentWithdrawn{Scope: domain.Scope{All: s.All, Purposes: s.Purposes}}, nil
}

func (s policyAcknowledgedV1) event() (domain.Event, error) {
	var r reader
	return domain.PolicyAcknowledged{Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Act: domain.ActID(s.Act)}, r.err
}

func (s noticePresentedV1) event() (domain.Event, error) {
	var r reader
	return domain.NoticePresented{Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Text: r.hash(s.Text), Kind: s.Kind}, r.err
}

func (s permissionGrantedV1) event() (domain.Event, error) {
	return domain.PermissionGranted{Permission: domain.PermissionID(s.Permission)}, nil
}

func (s permissionDeniedV1) event() (domain.Event, error) {
	return domain.PermissionDenied{Permission: domain.PermissionID(s.Permission)}, nil
}

func (s permissionRevokedV1) event() (domain.Event, error) {
	return domain.PermissionRevoked{Permission: domain.PermissionID(s.Permission), Withdraws: s.Withdraws}, nil
}

func (s recordVoidedV1) event() (domain.Event, error) {
	var r reader
	if len(s.By) != 2 {
		return nil, fmt.Errorf("voided by %d persons, want 2", len(s.By))
	}
	e := domain.RecordVoided{Reason: s.Reason, Evidence: r.hash(s.Evidence), By: [2]string(s.By)}
	for _, id := range s.Records {
		e.Records = append(e.Records, r.eventID(id))
	}
	return e, r.err
}

// A reader parses members and keeps the first error.
type reader struct{ err error }

func (r *reader) hash(s string) domain.Hash {
	if s == "" {
		return domain.Hash{}
	}
	h, err := domain.ParseHash(s)
	r.keep(err)
	return h
}

func (r *reader) eventID(s string) domain.EventID {
	if s == "" {
		return domain.EventID{}
	}
	id, err := eventstore.ParseEventID(s)
	r.keep(err)
	return domain.EventID(id)
}

func (r *reader) kind(s string) domain.ConsentKind {
	k, err := domain.ParseConsentKind(s)
	r.keep(err)
	return k
}

func (r *reader) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

func hash(h domain.Hash) string {
	if h == (domain.Hash{}) {
		return ""
	}
	return h.String()
}

func eventID(id domain.EventID) string {
	if id == (domain.EventID{}) {
		return ""
	}
	return eventstore.EventID(id).String()
}

func as[S interface {
	event() (domain.Event, error)
}](data []byte) (domain.Event, error) {
	var shape S
	if err := json.Unmarshal(data, &shape, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	return shape.event()
}
