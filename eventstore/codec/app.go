package codec

import (
	"encoding/hex"
	"fmt"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore/codec/surfacedoc"

	"github.com/go-json-experiment/json/jsontext"
)

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

func shapeOfApp(e domain.Event) (string, any, error) {
	switch e := e.(type) {
	case domain.PolicyEffective:
		return "policy.effective.v1", policyEffectiveV1{e.Version.String()}, nil
	case domain.SignerRegistered:
		return "signer.registered.v1", signerRegisteredV1{e.Device, hex.EncodeToString(e.Key[:]), e.Name, e.Retired}, nil
	case domain.ServiceCeased:
		return "service.ceased.v1", serviceCeasedV1(e), nil
	case domain.BuildVoided:
		return "build.voided.v1", buildVoidedV1{e.Build, e.By[:], hash(e.Evidence), int64(e.From), e.Reason, int64(e.To)}, nil
	case domain.BuildDisputed:
		return "build.disputed.v1", buildDisputedV1{e.Build, hash(e.Evidence), int64(e.From), e.Reason, int64(e.To)}, nil
	case domain.SurfacePublished:
		surface, err := surfacedoc.Marshal(e.Surface)
		return "surface.published.v1", surfacePublishedV1{e.ID.String(), e.Publisher, e.Signer, surface}, err
	}
	panic(fmt.Sprintf("codec: event %T has no case in shapeOfApp", e))
}

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
		Build: s.Build, From: deadline.Instant(s.From), To: deadline.Instant(s.To), Reason: s.Reason, Evidence: r.hash(s.Evidence),
	}, r.err
}

func (s surfacePublishedV1) event() (domain.Event, error) {
	var r reader
	surface, err := surfacedoc.Unmarshal(s.Surface)
	r.keep(err)
	return domain.SurfacePublished{ID: r.hash(s.ID), Surface: surface, Publisher: s.Publisher, Signer: s.Signer}, r.err
}
