package codec

import (
	"encoding/hex"
	"fmt"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore/codec/surfacedoc"

	"github.com/go-json-experiment/json/jsontext"
)

// appShapes are of what is about an app as a whole.
var appShapes = []shape{
	older[appRegisteredV1]("app.registered.v1"),
	written[appRegisteredV2]("app.registered.v2", func(e domain.AppRegistered) any {
		a := e.App
		return appRegisteredV2{
			Escapes:      string(a.Escapes),
			Environment:  a.Environment.String(),
			Group:        a.Group,
			Handler:      a.Handler,
			Jurisdiction: a.Jurisdiction,
			Locales:      a.Locales,
			Name:         string(a.Name),
			TimeZone:     a.TimeZone,
		}
	}),
	older[policyPublishedV1]("policy.published.v1"),
	document("policy.published.v2", publishedShape),
	written[policyEffectiveV1]("policy.effective.v1",
		func(e domain.PolicyEffective) any { return policyEffectiveV1{Version: e.Version.String()} }),
	written[signerRegisteredV1]("signer.registered.v1", func(e domain.SignerRegistered) any {
		return signerRegisteredV1{Device: e.Device, Key: hex.EncodeToString(e.Key[:]), Name: e.Name, Retired: e.Retired}
	}),
	written[serviceCeasedV1]("service.ceased.v1", func(e domain.ServiceCeased) any { return serviceCeasedV1(e) }),
	written[buildVoidedV1]("build.voided.v1", func(e domain.BuildVoided) any {
		return buildVoidedV1{
			Build:    e.Build,
			By:       e.By[:],
			Evidence: hash(e.Evidence),
			From:     int64(e.From),
			Reason:   e.Reason,
			To:       int64(e.To),
		}
	}),
	written[buildDisputedV1]("build.disputed.v1", func(e domain.BuildDisputed) any {
		return buildDisputedV1{
			Build:    e.Build,
			Evidence: hash(e.Evidence),
			From:     int64(e.From),
			Reason:   e.Reason,
			To:       int64(e.To),
		}
	}),
	document("surface.published.v1", func(e domain.SurfacePublished) (surfacePublishedV1, error) {
		surface, err := surfacedoc.Marshal(e.Surface)
		return surfacePublishedV1{ID: e.ID.String(), Publisher: e.Publisher, Signer: e.Signer, Surface: surface}, err
	}),
	written[calendarPublishedV1]("calendar.published.v1",
		func(e domain.CalendarPublished) any { return calendarShape(e) }),
}

// The shapes of what is about an app as a whole.
type (
	policyEffectiveV1 struct {
		Version string `json:"version"`
	}
	signerRegisteredV1 struct {
		Device  bool   `json:"device,omitzero"`
		Key     string `json:"key"`
		Name    string `json:"name"`
		Retired bool   `json:"retired,omitzero"`
	}
	serviceCeasedV1 reasonV1
	buildVoidedV1   struct {
		Build    string   `json:"build"`
		By       []string `json:"by"`
		Evidence string   `json:"evidence,omitzero"`
		From     int64    `json:"from"`
		Reason   string   `json:"reason"`
		To       int64    `json:"to"`
	}
	buildDisputedV1 struct {
		Build    string `json:"build"`
		Evidence string `json:"evidence,omitzero"`
		From     int64  `json:"from"`
		Reason   string `json:"reason"`
		To       int64  `json:"to"`
	}
	surfacePublishedV1 struct {
		ID        string         `json:"id"`
		Publisher string         `json:"publisher"`
		Signer    string         `json:"signer,omitzero"`
		Surface   jsontext.Value `json:"surface"`
	}
)

func (s policyEffectiveV1) event() (domain.Event, error) {
	var r reader
	return domain.PolicyEffective{Version: r.hash(s.Version)}, r.err
}

func (s signerRegisteredV1) event() (domain.Event, error) {
	e := domain.SignerRegistered{Name: s.Name, Device: s.Device, Retired: s.Retired}
	err := unhex(e.Key[:], s.Key)
	return e, err
}

func (s serviceCeasedV1) event() (domain.Event, error) { return domain.ServiceCeased(s), nil }

func (s buildVoidedV1) event() (domain.Event, error) {
	var r reader
	if len(s.By) != 2 {
		return nil, fmt.Errorf("voided by %d persons, want 2", len(s.By))
	}
	return domain.BuildVoided{
		Build: s.Build, From: deadline.Instant(s.From), To: deadline.Instant(s.To), Reason: s.Reason,
		Evidence: r.hash(s.Evidence), By: [2]string(s.By),
	}, r.err
}

func (s buildDisputedV1) event() (domain.Event, error) {
	var r reader
	return domain.BuildDisputed{
		Build: s.Build, From: deadline.Instant(s.From), To: deadline.Instant(s.To), Reason: s.Reason,
		Evidence: r.hash(s.Evidence),
	}, r.err
}

func (s surfacePublishedV1) event() (domain.Event, error) {
	var r reader
	surface, err := surfacedoc.Unmarshal(s.Surface)
	r.keep(err)
	return domain.SurfacePublished{ID: r.hash(s.ID), Surface: surface, Publisher: s.Publisher, Signer: s.Signer}, r.err
}
