package wire

import (
	"errors"
	"fmt"
	"strings"

	"consentledger/domain"
	"consentledger/eventstore"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// commands is every type that can be sent.
var commands = map[string]func([]byte) (domain.Command, error){
	"consent.given":       as[consentGiven],
	"consent.refused":     as[consentRefused],
	"consent.withdrawn":   as[consentWithdrawn],
	"policy.acknowledged": as[policyAcknowledged],
	"notice.presented":    as[noticePresented],
	"permission.granted":  permission(domain.Granted),
	"permission.denied":   permission(domain.Denied),
	"permission.revoked":  permission(domain.Revoked),
	"record.voided":       as[recordVoided],
}

// Types returns the types that can be sent.
func Types() []string {
	return []string{
		"consent.given", "consent.refused", "consent.withdrawn", "policy.acknowledged", "notice.presented",
		"permission.granted", "permission.denied", "permission.revoked", "record.voided",
	}
}

// The data of the types.
type (
	consentGiven struct {
		Policy   string         `json:"policy"`
		Version  string         `json:"version"`
		Locale   string         `json:"locale"`
		Text     string         `json:"text"`
		Act      string         `json:"act"`
		Kind     string         `json:"kind"`
		Purposes []string       `json:"purposes"`
		Notice   string         `json:"notice"`
		Until    string         `json:"until"`
		Import   bool           `json:"import"`
		Details  jsontext.Value `json:"details"`
	}
	consentRefused struct {
		All      bool           `json:"all"`
		Purposes []string       `json:"purposes"`
		Policy   string         `json:"policy"`
		Version  string         `json:"version"`
		Locale   string         `json:"locale"`
		Act      string         `json:"act"`
		Details  jsontext.Value `json:"details"`
	}
	consentWithdrawn struct {
		All      bool           `json:"all"`
		Purposes []string       `json:"purposes"`
		Details  jsontext.Value `json:"details"`
	}
	policyAcknowledged struct {
		Policy  string         `json:"policy"`
		Version string         `json:"version"`
		Locale  string         `json:"locale"`
		Act     string         `json:"act"`
		Details jsontext.Value `json:"details"`
	}
	noticePresented struct {
		Policy  string         `json:"policy"`
		Version string         `json:"version"`
		Locale  string         `json:"locale"`
		Text    string         `json:"text"`
		Kind    string         `json:"kind"`
		Details jsontext.Value `json:"details"`
	}
	permissionChanged struct {
		Permission string         `json:"permission"`
		Details    jsontext.Value `json:"details"`
	}
	recordVoided struct {
		Records  []string `json:"records"`
		Reason   string   `json:"reason"`
		Evidence string   `json:"evidence"`
		By       []string `json:"by"`
	}
)

func (c consentGiven) command(r *reader) domain.Command {
	cmd := domain.GiveConsent{
		Policy: r.name("policy", c.Policy, 32), Version: r.hash("version", c.Version), Locale: r.locale(c.Locale), Text: r.hash("text", c.Text),
		Act: domain.ActID(r.name("act", c.Act, 64)), Purposes: r.purposes(c.Purposes), Notice: r.eventID("notice", c.Notice),
		Until: r.time("until", c.Until), Import: c.Import, Details: r.details(c.Details),
	}
	if c.Act == "" {
		r.fail("act", "is missing: name what the person did")
	}
	if c.Kind != "" {
		var err error
		if cmd.Kind, err = domain.ParseConsentKind(c.Kind); err != nil {
			r.fail("kind", ": %v", err)
		}
	}
	return cmd
}

func (c consentRefused) command(r *reader) domain.Command {
	return domain.RefuseConsent{
		Scope:  domain.Scope{All: c.All, Purposes: r.purposes(c.Purposes)},
		Policy: r.name("policy", c.Policy, 32), Version: r.hash("version", c.Version), Locale: r.locale(c.Locale),
		Act: domain.ActID(r.name("act", c.Act, 64)), Details: r.details(c.Details),
	}
}

func (c consentWithdrawn) command(r *reader) domain.Command {
	return domain.WithdrawConsent{Scope: domain.Scope{All: c.All, Purposes: r.purposes(c.Purposes)}, Details: r.details(c.Details)}
}

func (c policyAcknowledged) command(r *reader) domain.Command {
	return domain.AcknowledgePolicy{
		Policy: r.name("policy", c.Policy, 32), Version: r.hash("version", c.Version), Locale: r.locale(c.Locale),
		Act: domain.ActID(r.name("act", c.Act, 64)), Details: r.details(c.Details),
	}
}

func (c noticePresented) command(r *reader) domain.Command {
	return domain.PresentNotice{
		Policy: r.name("policy", c.Policy, 32), Version: r.hash("version", c.Version), Locale: r.locale(c.Locale),
		Text: r.hash("text", c.Text), Kind: r.name("kind", c.Kind, 64), Details: r.details(c.Details),
	}
}

func permission(change domain.PermissionChange) func([]byte) (domain.Command, error) {
	return func(data []byte) (domain.Command, error) {
		cmd, err := as[permissionChanged](data)
		if err != nil {
			return nil, err
		}
		p := cmd.(domain.ChangePermission)
		p.Change = change
		return p, nil
	}
}

func (c permissionChanged) command(r *reader) domain.Command {
	if c.Permission == "" {
		r.fail("permission", "is missing")
	}
	return domain.ChangePermission{Permission: domain.PermissionID(r.name("permission", c.Permission, 64)), Details: r.details(c.Details)}
}

func (c recordVoided) command(r *reader) domain.Command {
	cmd := domain.VoidRecords{Reason: r.name("reason", c.Reason, 64), Evidence: r.hash("evidence", c.Evidence)}
	if len(c.By) != 2 || !isPrincipal(c.By[0]) || !isPrincipal(c.By[1]) {
		r.fail("by", "names the two who decided: two texts of 1 to 128 printable characters without spaces")
	} else {
		cmd.By = [2]string(c.By)
	}
	for i, id := range c.Records {
		cmd.Records = append(cmd.Records, r.eventID(fmt.Sprintf("records[%d]", i), id))
		if id == "" {
			r.fail(fmt.Sprintf("records[%d]", i), "is empty")
		}
	}
	return cmd
}

func isPrincipal(s string) bool {
	return s != "" && len(s) <= 128 && strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) < 0
}

// as reads data as the shape S and makes a command of it.
func as[S interface{ command(*reader) domain.Command }](data []byte) (domain.Command, error) {
	var shape S
	if err := json.Unmarshal(data, &shape, json.RejectUnknownMembers(true)); err != nil {
		return nil, wrongShape(err, "data")
	}
	var r reader
	cmd := shape.command(&r)
	if r.err != nil {
		return nil, r.err
	}
	return cmd, nil
}

// wrongShape says which member does not fit, without its value.
func wrongShape(err error, root string) error {
	e, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return notJSON(err, root)
	case errors.Is(err, json.ErrUnknownName):
		return malformed("%s is no member that is known here", pathOf(root, e.JSONPointer))
	case e.GoType == nil:
		return malformed("%s has the wrong form", pathOf(root, e.JSONPointer))
	}
	return wrong(pathOf(root, e.JSONPointer), " must be %s", kindOf(e.GoType.Kind().String())) // a known member
}

func kindOf(goKind string) string {
	switch goKind {
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	case "slice":
		return "a list of strings"
	}
	return "an object"
}

// A reader parses members and keeps the first refusal.
type reader struct{ err error }

func (r *reader) fail(member, format string, args ...any) {
	if r.err == nil {
		if format[0] != ':' {
			format = " " + format
		}
		r.err = wrong("data."+member, format, args...)
	}
}

func (r *reader) name(member, s string, max int) string {
	if s != "" && !isName(s, max) {
		r.fail(member, `must be 1 to %d of a-z, 0-9 and "-"`, max)
	}
	return s
}

func (r *reader) locale(s string) string {
	plain := strings.ReplaceAll(strings.ToLower(s), "-", "")
	if s != "" && (len(s) > 35 || strings.Trim(plain, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(plain) < 2 || plain[0] < 'a') {
		r.fail("locale", "must be a language tag, as in zh-CN")
	}
	return s
}

func (r *reader) purposes(names []string) []domain.PurposeID {
	var ids []domain.PurposeID
	for i, s := range names {
		id, err := domain.ParsePurposeID(s)
		if err != nil {
			r.fail(fmt.Sprintf("purposes[%d]", i), ": %v", err)
		}
		ids = append(ids, id)
	}
	return ids
}

func (r *reader) hash(member, s string) domain.Hash {
	if s == "" {
		return domain.Hash{}
	}
	h, err := domain.ParseHash(s)
	if err != nil {
		r.fail(member, ": %v", err)
	}
	return h
}

func (r *reader) eventID(member, s string) domain.EventID {
	if s == "" {
		return domain.EventID{}
	}
	id, err := eventstore.ParseEventID(s)
	if err != nil {
		r.fail(member, "must be an event_id of a receipt, as in 01234567-89ab-cdef-0123-456789abcdef")
	}
	return domain.EventID(id)
}

func (r *reader) time(member, s string) domain.Instant {
	if s == "" {
		return 0
	}
	t, err := domain.ParseInstant(s)
	if err != nil {
		r.fail(member, ": %v", err)
	}
	return t
}

// details returns the text of an object; it came canonical.
func (r *reader) details(v jsontext.Value) domain.Personal {
	if v == nil || v.Kind() == 'n' {
		return ""
	}
	if v.Kind() != '{' {
		r.fail("details", "must be an object")
	}
	return domain.Personal(v)
}
