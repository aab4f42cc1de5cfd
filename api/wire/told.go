package wire

import (
	"strings"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
)

// The types of what is told of consents. A permission that is taken away withdraws
// consents too, and is told as a withdrawal.
const (
	GivenType     = "consent.given"
	RefusedType   = "consent.refused"
	WithdrawnType = "consent.withdrawn"
	ExpiredType   = string(catalog.ConsentExpired)
	StaleType     = string(catalog.ConsentStale)
)

// ConsentTypes are all of them. Nobody says the last two: a consent ended by itself, or a
// new version of the policy does not rest on it any more.
var ConsentTypes = []string{GivenType, RefusedType, WithdrawnType, ExpiredType, StaleType}

// ObligationTypes are the types of what is told of obligations.
var ObligationTypes = []string{
	"obligation.opened", "obligation.moved", "obligation.at_risk", "obligation.overdue", "obligation.met",
	"obligation.voided",
}

// A ConsentChange is what the ledger tells an app of what a person said: a CloudEvent.
// Its data name the person as the app does.
type ConsentChange struct {
	SpecVersion     string            `json:"specversion"`
	ID              string            `json:"id"` // of the record: the same however often it is told
	Source          string            `json:"source"`
	Type            string            `json:"type"` // one of ConsentTypes
	Subject         string            `json:"subject"`
	Time            string            `json:"time"`
	DataContentType string            `json:"datacontenttype"`
	Data            ConsentChangeData `json:"data"`
}

// ConsentChangeData says who said what. It is what was said, not where the person stands
// since: an opt-out may stand against a consent that came late. Whoever acts asks "may
// we?".
type ConsentChangeData struct {
	App       string   `json:"app"`
	Person    string   `json:"person,omitzero"` // "account:ada"; absent: they were erased, or the id is somebody else's now
	Pseudonym string   `json:"pseudonym"`
	All       bool     `json:"all,omitzero"`       // of an opt-out: from every purpose, also those to come
	Purposes  []string `json:"purposes,omitempty"` // of a consent: those for which it counts, or counts no more
	Short     []Short  `json:"short,omitempty"`    // of a consent: those for which it does not, and why
	Consent   string   `json:"consent,omitzero"`   // of one that expired or is stale: the id of the consent.given
	Policy    string   `json:"policy,omitzero"`
	Version   string   `json:"version,omitzero"` // of the policy, by its hash; of a stale consent: the first version that it is not enough for
	At        string   `json:"at"`               // when it was said, as its source says, or since when it is so; the time is when it was recorded
	Until     string   `json:"until,omitzero"`   // when a consent ends by itself
	Import    bool     `json:"import,omitzero"`  // it is a consent of before that was carried over
	Signal    bool     `json:"signal,omitzero"`  // a machine said it, as a browser by gpc
	Cause     string   `json:"cause,omitzero"`   // the kind of fact that withdraws, if it is no withdrawal: "permission.revoked"
	Position  string   `json:"position"`
}

// A Short is a purpose for which a consent does not count.
type Short struct {
	Purpose string `json:"purpose"`
	Why     string `json:"why"`
}

// IsConsentChange reports whether an entry is told as a [ConsentChange].
func IsConsentChange(e codec.Entry) bool {
	switch x := e.Event.(type) {
	case domain.ConsentGiven, domain.ConsentRefused, domain.ConsentWithdrawn:
		return true
	case domain.PermissionRevoked:
		return len(x.Withdraws) > 0
	case domain.Noted:
		return x.Kind == catalog.ConsentExpired || x.Kind == catalog.ConsentStale
	}
	return false
}

// ConsentChangeOf returns what is told of an entry of which [IsConsentChange] holds.
// Who is the person, as their app knows them; zero: that is not known any more.
func ConsentChangeOf(e codec.Entry, who ident.PersonKey) ConsentChange {
	data := ConsentChangeData{
		App: string(e.Stream.App), Pseudonym: e.Stream.ID, At: e.At.String(), Position: FormatPosition(e.Position),
	}
	if who != (ident.PersonKey{}) {
		data.Person = who.String()
	}
	return ConsentChange{
		SpecVersion: "1.0", ID: e.ID.String(), Source: "consentledger/" + string(e.Stream.App),
		Type:    data.said(e.Event),
		Subject: e.Stream.String(), Time: e.Recorded.String(), DataContentType: "application/json", Data: data,
	}
}

// said fills in what an event says, and returns as what it is told.
func (d *ConsentChangeData) said(e domain.Event) string {
	switch x := e.(type) {
	case domain.ConsentGiven:
		d.given(x)
		return GivenType
	case domain.ConsentRefused:
		d.All, d.Purposes, d.Signal = x.Scope.All, texts(x.Scope.Purposes), x.Signal
		d.Policy = x.Policy
		if x.Policy != "" {
			d.Version = x.Version.String()
		}
		return RefusedType
	case domain.ConsentWithdrawn:
		d.All, d.Purposes, d.Signal = x.Scope.All, texts(x.Scope.Purposes), x.Signal
		return WithdrawnType
	case domain.PermissionRevoked:
		d.Purposes, d.Cause = texts(x.Withdraws), "permission.revoked"
		return WithdrawnType
	case domain.Noted:
		d.Consent, d.Purposes = x.Field("consent"), strings.Split(x.Field("purposes"), ",")
		d.Policy, d.Version = x.Field("policy"), x.Field("version")
		return string(x.Kind)
	}

	panic("wire: what is no change of a consent is told as one")
}

func (d *ConsentChangeData) given(x domain.ConsentGiven) {
	d.Policy, d.Version, d.Import = x.Policy, x.Version.String(), x.Import
	if x.Until != 0 {
		d.Until = x.Until.String()
	}
	for _, item := range x.Items {
		if item.Short == "" {
			d.Purposes = append(d.Purposes, string(item.Purpose))
			continue
		}
		d.Short = append(d.Short, Short{Purpose: string(item.Purpose), Why: string(item.Short)})
	}
}

func texts(purposes []policy.PurposeID) []string {
	all := make([]string, len(purposes))
	for i, p := range purposes {
		all[i] = string(p)
	}
	return all
}
