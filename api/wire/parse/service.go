package parse

import (
	"encoding/base64"

	"consentledger/domain"
)

var serviceKinds = []kind{
	{name: "service.ceased", about: theApp, lessens: true, read: reasoned(func(s string) domain.Event { return domain.ServiceCeased{Reason: s} }), example: `"reason": "product-ended"`},
	{name: "signer.registered", about: theApp, read: as(signerRegistered), example: `"name": "backend", "key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="`},
	{name: "policy.effective", about: theApp, read: as(policyEffective), example: `"version": "` + sampleText + `"`},
}

// The data of what is about an app as a whole.
type (
	SignerRegistered struct {
		Name    string `json:"name"`
		Key     string `json:"key"`
		Device  bool   `json:"device"`
		Retired bool   `json:"retired"`
	}
	PolicyEffective struct {
		Version string `json:"version"`
	}
)

func signerRegistered(r *reader, c SignerRegistered) domain.Command {
	r.need("name", c.Name != "")
	e := domain.SignerRegistered{Name: r.name("name", c.Name, 64), Device: c.Device, Retired: c.Retired}
	key, err := base64.StdEncoding.DecodeString(c.Key)
	if err != nil || copy(e.Key[:], key) != len(e.Key) || len(key) != len(e.Key) {
		r.fail("key", "must be an Ed25519 public key: its 32 bytes in base64")
	}
	return domain.Say{Event: e}
}

func policyEffective(r *reader, c PolicyEffective) domain.Command {
	r.need("version", c.Version != "")
	return domain.Say{Event: domain.PolicyEffective{Version: r.hash("version", c.Version)}}
}
