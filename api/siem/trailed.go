package siem

import (
	"fmt"
	"strings"

	"consentledger/api/auth/session"
	"consentledger/api/auth/trail"
)

// auths are the numbers that OCSF has for how somebody signed in.
var auths = map[session.Way]struct {
	id   int
	name string
}{
	session.ByKey:      {other, "API key"},
	session.ByProvider: {4, "OpenID"},
	session.BySetup:    {other, "setup link"},
}

// ofTrail returns what is in the trail as an event.
func (s Source) ofTrail(n trail.Numbered) *event {
	var o *event
	switch n.Kind {
	case trail.SignedIn:
		o = s.ofSignIn(n, logsOn)
		way := auths[session.Way(n.Way)]
		o.AuthProtocolID, o.AuthProtocol = way.id, way.name
	case trail.SignedOut:
		o = s.ofSignIn(n, logsOff)
		o.StatusCode = n.Why
	case trail.SignInRefused, trail.Unauthenticated:
		o = s.ofSignIn(n, logsOn)
		o.refused(n.Why)
	case trail.Forbidden, trail.Limited:
		o = s.ofRefused(n)
	}

	o.Message = string(n.Kind)
	if n.Why != "" {
		o.Message += " (" + n.Why + ")"
	}
	o.Metadata.UID, o.Metadata.LogName = fmt.Sprintf("trail-%d-%d", n.Number, n.First), "trail"
	o.Metadata.EventCode, o.Metadata.TenantUID, o.Metadata.Correlation = string(n.Kind), n.App, n.Trace
	o.Unmapped.Way, o.Unmapped.Route = n.Way, n.Route
	if n.Count > 1 {
		o.Count, o.StartTime, o.EndTime = n.Count, int64(n.First), int64(n.At)
	}
	return o
}

// ofSignIn returns that somebody signed in or out.
func (s Source) ofSignIn(n trail.Numbered, activity int) *event {
	o := s.of(authentication, activity, n.At)
	o.Service = &service{"consentledger"}
	o.User = &user{actorOf(n.Principal).User.UID}
	if n.By != "" {
		o.Actor = actorOf(n.By)
	}
	return o
}

// ofRefused returns that somebody may not do something. What it would have been is told by
// the method of its route: to ask by a body is not told from a change.
func (s Source) ofRefused(n trail.Numbered) *event {
	activity := updates
	if strings.HasPrefix(n.Route, "GET ") {
		activity = reads
	}
	o := s.of(apiActivity, activity, n.At)
	o.refused(n.Why)
	o.Actor = actorOf(n.Principal)
	o.asks(n.Operation)
	if n.Operation == "" {
		o.asks("many") // so many kinds that they were counted together
	}
	if n.App != "" {
		o.Resources = []resource{{UID: n.App, Type: "app"}}
	}
	return o
}

// ofMissing returns that events of the trail were removed before they were read.
func (s Source) ofMissing(missing uint64, before trail.Numbered) *event {
	o := s.of(entityManagement, deletes, before.First)
	o.Entity = &entity{UID: "trail", TypeID: other, Type: "trail"}
	o.Count = int(min(missing, trail.Most*1000))
	o.Message = "events of the trail were removed before they were read: their time was over, or there were too many"
	o.Metadata.UID = fmt.Sprintf("trail-before-%d-%d", before.Number, before.First)
	o.Metadata.EventCode, o.Metadata.LogName = "trail-removed", "trail"
	return o
}
