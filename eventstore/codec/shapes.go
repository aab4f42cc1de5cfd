package codec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/policydoc"

	"github.com/go-json-experiment/json/jsontext"
)

// shapes is every shape that was ever written. The rows stand beside the shapes.
var shapes = slices.Concat(appShapes, saidShapes, personShapes, processingShapes, requestShapes, dutyShapes,
	accessShapes)

// A shape is one form of an event's data. Names and forms are for ever.
type shape struct {
	name  string
	read  func([]byte) (domain.Event, error)
	of    reflect.Type // of the events that are written in it; nil: it is only read
	write func(domain.Event) (data any, personal []Plain, err error)
}

// written is the row of the shape in which an event is written. Its event method reads
// what write has made.
func written[S readable, E domain.Event](name string, write func(E) any) shape {
	return split[S](name, func(e E) (any, []Plain) { return write(e), nil })
}

// split is [written] of an event that has personal parts.
func split[S readable, E domain.Event](name string, write func(E) (any, []Plain)) shape {
	return shape{name, as[S], reflect.TypeFor[E](), func(e domain.Event) (any, []Plain, error) {
		data, personal := write(e.(E))
		return data, personal, nil
	}}
}

// document is [written] of an event that holds a document.
func document[S readable, E domain.Event](name string, write func(E) (S, error)) shape {
	return shape{name, as[S], reflect.TypeFor[E](), func(e domain.Event) (any, []Plain, error) {
		data, err := write(e.(E))
		return data, nil, err
	}}
}

// older is the row of a shape that is only read.
func older[S readable](name string) shape { return shape{name: name, read: as[S]} }

// readable is the data of a line, as it is read.
type readable interface {
	event() (domain.Event, error)
}

var shapeOfName, shapeOfEvent = func() (map[string]*shape, map[reflect.Type]*shape) {
	names, events := map[string]*shape{}, map[reflect.Type]*shape{}
	for i, s := range shapes {
		names[s.name] = &shapes[i]
		if s.of != nil {
			events[s.of] = &shapes[i]
		}
	}
	return names, events
}()

// shapeOf returns an event's newest name and shape, and what of it is personal.
func shapeOf(e domain.Event) (name string, data any, personal []Plain, err error) {
	s := shapeOfEvent[reflect.TypeOf(e)]
	if s == nil {
		panic(fmt.Sprintf("codec: event %T is written in no shape", e))
	}
	data, personal, err = s.write(e)
	return s.name, data, personal, err
}

// Kind returns a shape's name without its version: what an event is called,
// whichever shape it has. A note or a step is called by its own kind.
func (e Entry) Kind() string {
	switch x := e.Event.(type) {
	case domain.Noted:
		return string(x.Kind)
	case domain.Stepped:
		return string(x.Kind)
	}
	return KindOf(e.Type)
}

// Kind is [Entry.Kind] of an event that is not recorded yet.
func Kind(e domain.Event) string { return domain.NameOf(e) }

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
	for _, s := range shapes {
		names = append(names, s.name)
	}
	return names
}

// saidShapes are of what was said and shown.
var saidShapes = []shape{
	older[consentGivenV1]("consent.given.v1"),
	split[consentGivenV2]("consent.given.v2", func(e domain.ConsentGiven) (any, []Plain) {
		shape := givenShape(e)
		return &shape, details(e.Details)
	}),
	older[consentRefusedV1]("consent.refused.v1"),
	split[consentRefusedV2]("consent.refused.v2", func(e domain.ConsentRefused) (any, []Plain) {
		shape := refusedShape(e)
		return &shape, details(e.Details)
	}),
	older[consentWithdrawnV1]("consent.withdrawn.v1"),
	split[consentWithdrawnV2]("consent.withdrawn.v2", func(e domain.ConsentWithdrawn) (any, []Plain) {
		return &consentWithdrawnV2{
			Act:      string(e.Act),
			All:      e.Scope.All,
			Build:    e.Build,
			Guardian: string(e.Guardian),
			Purposes: e.Scope.Purposes,
			Rests:    restShapes(e.Rests),
			Signal:   e.Signal,
			Unknown:  e.Unknown,
		}, details(e.Details)
	}),
	split[policyAcknowledgedV1]("policy.acknowledged.v1", func(e domain.PolicyAcknowledged) (any, []Plain) {
		return &policyAcknowledgedV1{
			Act:     string(e.Act),
			Locale:  e.Locale,
			Policy:  e.Policy,
			Version: e.Version.String(),
		}, details(e.Details)
	}),
	older[noticePresentedV1]("notice.presented.v1"),
	split[noticePresentedV2]("notice.presented.v2", func(e domain.NoticePresented) (any, []Plain) {
		return noticePresentedV2{
			Build:    e.Build,
			Kind:     e.Kind,
			Locale:   e.Locale,
			Opened:   e.Read.Opened,
			Policy:   e.Policy,
			Scrolled: e.Read.Scrolled,
			Surface:  hash(e.Surface),
			Text:     hash(e.Text),
			Version:  e.Version.String(),
		}, details(e.Details)
	}),
	split[permissionGrantedV1]("permission.granted.v1", func(e domain.PermissionGranted) (any, []Plain) {
		return &permissionGrantedV1{Permission: string(e.Permission)}, details(e.Details)
	}),
	split[permissionDeniedV1]("permission.denied.v1", func(e domain.PermissionDenied) (any, []Plain) {
		return permissionDeniedV1{Permission: string(e.Permission)}, details(e.Details)
	}),
	split[permissionRevokedV1]("permission.revoked.v1", func(e domain.PermissionRevoked) (any, []Plain) {
		return &permissionRevokedV1{
			Permission: string(e.Permission),
			Rests:      restShapes(e.Rests),
			Withdraws:  e.Withdraws,
		}, details(e.Details)
	}),
	written[recordVoidedV1]("record.voided.v1", func(e domain.RecordVoided) any { return voidedShape(e) }),
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
		Name: ident.AppName(s.Name), Handler: s.Handler, Environment: env,
		Jurisdiction: s.Jurisdiction, TimeZone: s.TimeZone, Locales: s.Locales,
	}}, err
}

func (s policyPublishedV1) event() (domain.Event, error) {
	doc, err := policydoc.Unmarshal(s.Document)
	if err != nil {
		return nil, err
	}
	version, err := content.ParseHash(s.Version)
	return domain.PolicyPublished{Version: version, Document: doc, Effective: deadline.Instant(s.Effective),
		Material: s.Material, Stale: s.Stale}, err
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
		Scope:  policy.Scope{All: s.All, Purposes: s.Purposes},
		Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Act: policy.ActID(s.Act),
	}, r.err
}

func (s consentWithdrawnV1) event() (domain.Event, error) {
	return domain.ConsentWithdrawn{Scope: policy.Scope{All: s.All, Purposes: s.Purposes}}, nil
}

func (s policyAcknowledgedV1) event() (domain.Event, error) {
	var r reader
	return domain.PolicyAcknowledged{Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale,
		Act: policy.ActID(s.Act)}, r.err
}

func (s noticePresentedV1) event() (domain.Event, error) {
	var r reader
	return domain.NoticePresented{Policy: s.Policy, Version: r.hash(s.Version), Locale: s.Locale, Text: r.hash(s.Text),
		Kind: s.Kind}, r.err
}

func (s permissionGrantedV1) event() (domain.Event, error) {
	return domain.PermissionGranted{Permission: policy.PermissionID(s.Permission)}, nil
}

func (s permissionDeniedV1) event() (domain.Event, error) {
	return domain.PermissionDenied{Permission: policy.PermissionID(s.Permission)}, nil
}

func (s permissionRevokedV1) event() (domain.Event, error) {
	var r reader
	return domain.PermissionRevoked{Permission: policy.PermissionID(s.Permission), Withdraws: s.Withdraws,
		Rests: r.rests(s.Rests)}, r.err
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
