package siem

import (
	"consentledger/domain/deadline"

	"github.com/go-json-experiment/json"
)

// SchemaVersion is the version of OCSF that events have.
const SchemaVersion = "1.8.0"

// A class of OCSF, as far as events here are of it.
type class struct {
	uid        int
	name       string
	category   string
	activities map[int]string
}

var (
	accountChange = class{3001, "Account Change", iam, map[int]string{
		1: "Create", 3: "Password Change", 5: "Disable", 7: "Attach Policy",
	}}
	authentication   = class{3002, "Authentication", iam, map[int]string{1: "Logon", 2: "Logoff"}}
	entityManagement = class{3004, "Entity Management", iam, map[int]string{1: "Create", 3: "Update", 4: "Delete"}}
	apiActivity      = class{6003, "API Activity", "Application Activity", map[int]string{2: "Read", 3: "Update"}}
)

const iam = "Identity & Access Management"

// What is done, by the numbers that all classes but two have for it.
const (
	creates = 1
	reads   = 2
	updates = 3
	deletes = 4

	logsOn, logsOff                        = 1, 2    // of authentication
	changesKey, disables, attachesPolicies = 3, 5, 7 // of accountChange
)

// An event is one of OCSF. Members that are empty are left out.
type event struct {
	CategoryUID  int    `json:"category_uid"`
	CategoryName string `json:"category_name"`
	ClassUID     int    `json:"class_uid"`
	ClassName    string `json:"class_name"`
	ActivityID   int    `json:"activity_id"`
	ActivityName string `json:"activity_name"`
	TypeUID      int    `json:"type_uid"`
	TypeName     string `json:"type_name"`

	SeverityID int    `json:"severity_id"`
	Severity   string `json:"severity"`
	StatusID   int    `json:"status_id"`
	Status     string `json:"status"`
	StatusCode string `json:"status_code,omitzero"`

	Time      int64    `json:"time"`
	StartTime int64    `json:"start_time,omitzero"`
	EndTime   int64    `json:"end_time,omitzero"`
	Count     int      `json:"count,omitzero"`
	Message   string   `json:"message"`
	Metadata  metadata `json:"metadata"`

	Actor *actor `json:"actor,omitzero"`
	User  *user  `json:"user,omitzero"` // of authentication and of accountChange

	Service        *service `json:"service,omitzero"` // of authentication
	AuthProtocolID int      `json:"auth_protocol_id,omitzero"`
	AuthProtocol   string   `json:"auth_protocol,omitzero"`

	Entity *entity `json:"entity,omitzero"` // of entityManagement

	API         *api       `json:"api,omitzero"` // of apiActivity
	Resources   []resource `json:"resources,omitempty"`
	SrcEndpoint *endpoint  `json:"src_endpoint,omitzero"`

	Unmapped unmapped `json:"unmapped"`
}

type metadata struct {
	Version      string  `json:"version"`
	Product      product `json:"product"`
	UID          string  `json:"uid"`
	EventCode    string  `json:"event_code"`
	LogName      string  `json:"log_name"`
	TenantUID    string  `json:"tenant_uid,omitzero"`      // the app
	Correlation  string  `json:"correlation_uid,omitzero"` // the request, or the trace
	OriginalTime string  `json:"original_time,omitzero"`   // when it happened, as its source says
}

type product struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor_name"`
	Version string `json:"version"`
}

type actor struct {
	User user `json:"user"`
}

type user struct {
	UID string `json:"uid"`
}

type service struct {
	Name string `json:"name"`
}

type entity struct {
	UID    string `json:"uid"`
	TypeID int    `json:"type_id"`
	Type   string `json:"type"`
}

type api struct {
	Operation string  `json:"operation"`
	Service   service `json:"service"`
}

type resource struct {
	UID  string `json:"uid"`
	Type string `json:"type"`
}

type endpoint struct {
	Name string `json:"name"`
}

// What of an event has no place in its class.
type unmapped struct {
	Cursor  string `json:"cursor"`           // up to this event, it included
	Actor   string `json:"actor,omitzero"`   // person, guardian, operator, system or authority
	Access  string `json:"access,omitzero"`  // by which way somebody read
	Reason  string `json:"reason,omitzero"`  // why, by a code
	Records int    `json:"records,omitzero"` // how many were read
	Parts   int    `json:"parts,omitzero"`   // and how many personal texts were opened
	Key     string `json:"key,omitzero"`     // the id of a key, which is no secret
	Roles   string `json:"roles,omitzero"`   // that it gives
	Way     string `json:"way,omitzero"`     // how somebody came
	Route   string `json:"route,omitzero"`   // that they may not use
}

// other is the number that OCSF has for what it does not list.
const other = 99

// nobody stands where OCSF wants a user and there is none.
const nobody = "unauthenticated"

// unkept stands where OCSF wants an address: the ledger keeps none, in no log.
const unkept = "not-kept"

// of returns an event of a class that succeeded.
func (s Source) of(c class, activity int, at deadline.Instant) *event {
	name := c.activities[activity]
	return &event{
		CategoryUID: c.uid / 1000, CategoryName: c.category, ClassUID: c.uid, ClassName: c.name,
		ActivityID: activity, ActivityName: name, TypeUID: c.uid*100 + activity, TypeName: c.name + ": " + name,
		SeverityID: 1, Severity: "Informational", StatusID: 1, Status: "Success", Time: int64(at),
		Metadata: metadata{
			Version: SchemaVersion,
			Product: product{Name: "consentledger", Vendor: "consentledger", Version: s.Version},
		},
	}
}

// refused says that what an event is of was not done, and why, by a code.
func (e *event) refused(why string) {
	e.SeverityID, e.Severity = 2, "Low"
	e.StatusID, e.Status, e.StatusCode = 2, "Failure", why
}

// asks says what was asked for. OCSF wants to know from where: from what is not kept.
func (e *event) asks(operation string) {
	e.API = &api{Operation: operation, Service: service{"consentledger"}}
	e.SrcEndpoint = &endpoint{unkept}
}

// append appends the event as a line of JSON, with how far who has it has read.
func (e *event) append(lines []byte, to Cursor) ([]byte, error) {
	e.Unmapped.Cursor = to.String()
	b, err := json.Marshal(e)
	return append(append(lines, b...), '\n'), err
}
