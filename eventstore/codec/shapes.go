package codec

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/policydoc"

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

	"app.registered.v2":      as[appRegisteredV2],
	"policy.published.v2":    as[policyPublishedV2],
	"consent.given.v2":       as[consentGivenV2],
	"consent.refused.v2":     as[consentRefusedV2],
	"consent.withdrawn.v2":   as[consentWithdrawnV2],
	"notice.presented.v2":    as[noticePresentedV2],
	"policy.effective.v1":    as[policyEffectiveV1],
	"signer.registered.v1":   as[signerRegisteredV1],
	"service.ceased.v1":      as[serviceCeasedV1],
	"build.voided.v1":        as[buildVoidedV1],
	"build.disputed.v1":      as[buildDisputedV1],
	"surface.published.v1":   as[surfacePublishedV1],
	"consent.used.v1":        as[consentUsedV1],
	"consent.requested.v1":   as[consentRequestedV1],
	"record.disputed.v1":     as[recordDisputedV1],
	"exemption.invoked.v1":   as[exemptionInvokedV1],
	"exemption.ended.v1":     as[exemptionEndedV1],
	"hold.placed.v1":         as[holdPlacedV1],
	"hold.released.v1":       as[holdReleasedV1],
	"restriction.applied.v1": as[restrictionAppliedV1],
	"restriction.lifted.v1":  as[restrictionLiftedV1],
	"age.recorded.v1":        as[ageRecordedV1],
	"minor.found.v1":         as[minorFoundV1],
	"guardian.verified.v1":   as[guardianVerifiedV1],
	"guardian.ended.v1":      as[guardianEndedV1],
	"subject.linked.v1":      as[subjectLinkedV1],
	"subject.unlinked.v1":    as[subjectUnlinkedV1],
	"subject.reassigned.v1":  as[subjectReassignedV1],
	"subject.closed.v1":      as[subjectClosedV1],
	"subject.test.v1":        as[subjectTestV1],
	"check.answered.v1":      as[checkAnsweredV1],
	"noted.v1":               as[notedV1],
	"data.accessed.v1":       as[dataAccessedV1],
	"erasure.ordered.v1":     as[erasureOrderedV1],
	"subject.erased.v1":      as[subjectErasedV1],

	"request.received.v1":   as[requestReceivedV1],
	"subject.requested.v1":  as[subjectRequestedV1],
	"stepped.v1":            as[steppedV1],
	"obligation.opened.v1":  as[obligationOpenedV1],
	"obligation.moved.v1":   as[obligationMovedV1],
	"obligation.met.v1":     as[obligationMetV1],
	"obligation.voided.v1":  as[obligationVoidedV1],
	"obligation.at_risk.v1": as[obligationAtRiskV1],
	"obligation.overdue.v1": as[obligationOverdueV1],
	"calendar.published.v1": as[calendarPublishedV1],
}

// Kind returns a shape's name without its version: what an event is called,
// whichever shape it has. A note or a step is called by its own kind.
func (e Entry) Kind() string {
	if name, own := ownKind(e.Event); own {
		return name
	}
	return KindOf(e.Type)
}

func ownKind(e domain.Event) (string, bool) {
	switch x := e.(type) {
	case domain.Noted:
		return string(x.Kind), true
	case domain.Stepped:
		return string(x.Kind), true
	}
	return "", false
}

// kindNames are the names of the events of each type that were asked for.
var kindNames sync.Map

// Kind is [Entry.Kind] of an event that is not recorded yet.
func Kind(e domain.Event) string {
	if name, own := ownKind(e); own {
		return name
	}
	t := reflect.TypeOf(e)
	if name, known := kindNames.Load(t); known {
		return name.(string)
	}
	shape, _, _, err := shapeOf(e)
	if err != nil {
		panic("codec: an event whose shape cannot be written has no name: " + err.Error())
	}
	kindNames.Store(t, KindOf(shape))
	return KindOf(shape)
}

// KindOf returns a shape's name without its version.
func KindOf(shape string) string {
	if i := strings.LastIndex(shape, ".v"); i > 0 {
		return shape[:i]
	}
	return shape
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
		Stale     []policy.PurposeID `json:"stale,omitempty"`
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
		Purposes []policy.PurposeID `json:"purposes,omitempty"`
		Version  string             `json:"version,omitzero"`
	}
	consentWithdrawnV1 struct {
		All      bool               `json:"all,omitzero"`
		Purposes []policy.PurposeID `json:"purposes,omitempty"`
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
		Rests      []restV1           `json:"rests,omitempty"`
		Withdraws  []policy.PurposeID `json:"withdraws,omitempty"`
	}
	recordVoidedV1 struct {
		By       []string `json:"by"`
		Evidence string   `json:"evidence,omitzero"`
		Reason   string   `json:"reason"`
		Records  []string `json:"records"`
	}
)

// shapeOf returns an event's newest name and shape, and what of it is personal.
func shapeOf(e domain.Event) (string, any, []Plain, error) {
	switch e := e.(type) {
	case domain.AppRegistered:
		a := e.App
		return "app.registered.v2", appRegisteredV2{string(a.Escapes), a.Environment.String(), a.Group, a.Handler, a.Jurisdiction, a.Locales, string(a.Name), a.TimeZone}, nil, nil
	case domain.PolicyPublished:
		shape, err := publishedShape(e)
		return "policy.published.v2", shape, nil, err
	case domain.ConsentGiven:
		shape := givenShape(e)
		return "consent.given.v2", &shape, details(e.Details), nil
	case domain.ConsentRefused:
		shape := refusedShape(e)
		return "consent.refused.v2", &shape, details(e.Details), nil
	case domain.ConsentWithdrawn:
		return "consent.withdrawn.v2", &consentWithdrawnV2{string(e.Act), e.Scope.All, e.Build, string(e.Guardian), e.Scope.Purposes, restShapes(e.Rests), e.Signal, e.Unknown}, details(e.Details), nil
	case domain.PolicyAcknowledged:
		return "policy.acknowledged.v1", &policyAcknowledgedV1{string(e.Act), e.Locale, e.Policy, e.Version.String()}, details(e.Details), nil
	case domain.NoticePresented:
		return "notice.presented.v2", noticePresentedV2{
			e.Build, e.Kind, e.Locale, e.Read.Opened, e.Policy, e.Read.Scrolled, hash(e.Surface), hash(e.Text), e.Version.String(),
		}, details(e.Details), nil
	case domain.PermissionGranted:
		return "permission.granted.v1", &permissionGrantedV1{string(e.Permission)}, details(e.Details), nil
	case domain.PermissionDenied:
		return "permission.denied.v1", permissionDeniedV1{string(e.Permission)}, details(e.Details), nil
	case domain.PermissionRevoked:
		return "permission.revoked.v1", &permissionRevokedV1{string(e.Permission), restShapes(e.Rests), e.Withdraws}, details(e.Details), nil
	case domain.RecordVoided:
		return "record.voided.v1", voidedShape(e), nil, nil
	case domain.ConsentUsed, domain.ConsentRequested, domain.RecordDisputed, domain.ExemptionInvoked, domain.ExemptionEnded, domain.Noted,
		domain.HoldPlaced, domain.HoldReleased, domain.RestrictionApplied, domain.RestrictionLifted, domain.CheckAnswered:
		name, shape, plains := shapeOfProcessing(e)
		return name, shape, plains, nil
	case domain.AgeRecorded, domain.MinorDataFound, domain.GuardianVerified, domain.GuardianEnded, domain.SubjectLinked, domain.SubjectUnlinked,
		domain.SubjectReassigned, domain.SubjectClosed, domain.SubjectMarkedTest:
		name, shape, plains := shapeOfPerson(e)
		return name, shape, plains, nil
	case domain.CalendarPublished:
		return "calendar.published.v1", calendarShape(e), nil, nil
	case domain.ErasureOrdered:
		return "erasure.ordered.v1", erasureOrderedV1{e.By[:], hash(e.Evidence), e.Reason}, nil, nil
	case domain.SubjectErased:
		return "subject.erased.v1", subjectErasedV1{eventID(e.Order)}, nil, nil
	case domain.DataAccessed:
		name, shape, plains := shapeOfAccess(e)
		return name, shape, plains, nil
	case domain.RequestReceived, domain.RequestMade, domain.Stepped:
		name, shape, plains := shapeOfRequest(e)
		return name, shape, plains, nil
	case domain.ObligationOpened, domain.ObligationMoved, domain.ObligationMet, domain.ObligationVoided, domain.ObligationAtRisk, domain.ObligationOverdue:
		name, shape := shapeOfDuty(e)
		return name, shape, nil, nil
	case domain.PolicyEffective, domain.SignerRegistered, domain.ServiceCeased, domain.BuildVoided, domain.BuildDisputed, domain.SurfacePublished:
		name, shape, err := shapeOfApp(e)
		return name, shape, nil, err
	}
	panic(fmt.Sprintf("codec: event %T has no case in shapeOf", e))
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
	version, err := content.ParseHash(s.Version)
	return domain.PolicyPublished{Version: version, Document: doc, Effective: deadline.Instant(s.Effective), Material: s.Material, Stale: s.Stale}, err
}

func (s consentGivenV1) event() (domain.Event, error) {
	var r reader
	e := domain.ConsentGiven{
		Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Text: r.hash(s.Text),
		Act: policy.ActID(s.Act), Kind: r.kind(s.Kind), Notice: r.eventID(s.Notice),
		Until: deadline.Instant(s.Until), Import: s.Import,
	}
	for _, i := range s.Items {
		e.Items = append(e.Items, domain.Item{Purpose: policy.PurposeID(i.Purpose), Short: domain.Shortfall(i.Short)})
	}
	return e, r.err
}

func (s consentRefusedV1) event() (domain.Event, error) {
	var r reader
	return domain.ConsentRefused{
		Scope:  domain.Scope{All: s.All, Purposes: s.Purposes},
		Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Act: policy.ActID(s.Act),
	}, r.err
}

func (s consentWithdrawnV1) event() (domain.Event, error) {
	return domain.ConsentWithdrawn{Scope: domain.Scope{All: s.All, Purposes: s.Purposes}}, nil
}

func (s policyAcknowledgedV1) event() (domain.Event, error) {
	var r reader
	return domain.PolicyAcknowledged{Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Act: policy.ActID(s.Act)}, r.err
}

func (s noticePresentedV1) event() (domain.Event, error) {
	var r reader
	return domain.NoticePresented{Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Text: r.hash(s.Text), Kind: s.Kind}, r.err
}

func (s permissionGrantedV1) event() (domain.Event, error) {
	return domain.PermissionGranted{Permission: policy.PermissionID(s.Permission)}, nil
}

func (s permissionDeniedV1) event() (domain.Event, error) {
	return domain.PermissionDenied{Permission: policy.PermissionID(s.Permission)}, nil
}

func (s permissionRevokedV1) event() (domain.Event, error) {
	var r reader
	return domain.PermissionRevoked{Permission: policy.PermissionID(s.Permission), Withdraws: s.Withdraws, Rests: r.rests(s.Rests)}, r.err
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
