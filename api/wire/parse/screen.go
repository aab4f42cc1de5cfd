package parse

import (
	"consentledger/domain"
	"consentledger/domain/policy"

	"github.com/go-json-experiment/json/jsontext"
)

// sampleText is the hash of the text of the sample app SmartKey.
const sampleText = "sha256:bbc4f8627c18bf9349657dd70fc230dd40c51c441d0e1c514ce586cae39adeea"

var screenKinds = []kind{
	{name: "policy.acknowledged", read: as(policyAcknowledged), example: `"policy": "privacy", "locale": "en", "act": "agree-popup"`},
	{name: "notice.presented", read: as(noticePresented), example: `"policy": "privacy", "locale": "en", "text": "` + sampleText + `", "kind": "enhanced",
		"build": "5.2.1+1203", "read": {"scrolled": true, "opened": false}`},
	{name: "permission.granted", read: permission(domain.Granted), example: `"permission": "network"`},
	{name: "permission.denied", lessens: true, optOut: []string{"permission"}, read: permission(domain.Denied), example: `"permission": "network"`},
	{name: "permission.revoked", lessens: true, optOut: []string{"permission"}, read: permission(domain.Revoked), example: `"permission": "network", "details": {"where": "system settings"}`},
}

// The data of what was on a screen.
type (
	PolicyAcknowledged struct {
		Policy  string         `json:"policy"`
		Version string         `json:"version"`
		Locale  string         `json:"locale"`
		Act     string         `json:"act"`
		Details jsontext.Value `json:"details"`
	}
	NoticePresented struct {
		Policy  string         `json:"policy"`
		Version string         `json:"version"`
		Locale  string         `json:"locale"`
		Text    string         `json:"text"`
		Kind    string         `json:"kind"`
		Details jsontext.Value `json:"details"`
		Surface string         `json:"surface"`
		Build   string         `json:"build"`
		Read    NoticeRead     `json:"read"`
	}
	NoticeRead struct {
		Scrolled bool `json:"scrolled"`
		Opened   bool `json:"opened"`
	}
	PermissionChanged struct {
		Permission string         `json:"permission"`
		Details    jsontext.Value `json:"details"`
	}
)

func policyAcknowledged(r *reader, c PolicyAcknowledged) domain.Command {
	return domain.AcknowledgePolicy{
		Policy: r.name("policy", c.Policy, 32), Version: r.hash("version", c.Version), Locale: r.locale(c.Locale),
		Act: policy.ActID(r.name("act", c.Act, 64)), Details: r.details(c.Details),
	}
}

func noticePresented(r *reader, c NoticePresented) domain.Command {
	return domain.PresentNotice{
		Policy: r.name("policy", c.Policy, 32), Version: r.hash("version", c.Version), Locale: r.locale(c.Locale),
		Text: r.hash("text", c.Text), Kind: r.name("kind", c.Kind, 64), Details: r.details(c.Details),
		Surface: r.hash("surface", c.Surface), Build: r.build(c.Build), Read: domain.Reading(c.Read),
	}
}

func permission(change domain.PermissionChange) func(*reader, []byte) domain.Command {
	read := as(permissionChanged)
	return func(r *reader, data []byte) domain.Command {
		cmd, ok := read(r, data).(domain.ChangePermission)
		if !ok {
			return nil
		}
		cmd.Change = change
		return cmd
	}
}

func permissionChanged(r *reader, c PermissionChanged) domain.Command {
	r.need("permission", c.Permission != "")
	return domain.ChangePermission{Permission: policy.PermissionID(r.name("permission", c.Permission, 64)),
		Details: r.details(c.Details)}
}
