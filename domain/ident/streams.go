package ident

import (
	"strconv"
	"strings"
)

// Each of these returns the stream of a noun. What an app has one of needs no
// id; any other has its own.

// SubjectStream is the history of the person with a pseudonym.
func SubjectStream(app AppName, pseudonym string) StreamID {
	return StreamID{SubjectNoun, app, pseudonym}
}

// AccessStream holds what was asked about the person with a pseudonym, or, as
// [AppStream], about nobody in particular.
func AccessStream(app AppName, pseudonym string) StreamID {
	return StreamID{AccessNoun, app, pseudonym}
}

// RequestStream is one request of a person.
func RequestStream(app AppName, id string) StreamID { return StreamID{RequestNoun, app, id} }

// IncidentStream is one incident.
func IncidentStream(app AppName, id string) StreamID { return StreamID{IncidentNoun, app, id} }

// ObligationStream holds what follows from one fact.
func ObligationStream(app AppName, id string) StreamID { return StreamID{ObligationNoun, app, id} }

// OwedStream holds what becomes of what is owed since a fact that says so itself: the
// record of a history at a revision. What it begins with stands in that record.
func OwedStream(history StreamID, revision uint64) StreamID {
	return ObligationStream(history.App, history.ID+"-"+strconv.FormatUint(revision, 10))
}

// OwedSince returns which record a stream begins with, if it is an [OwedStream].
func (s StreamID) OwedSince() (history StreamID, revision uint64, ok bool) {
	id, number, found := strings.Cut(s.ID, "-")
	if s.Noun != ObligationNoun || !found {
		return StreamID{}, 0, false
	}
	history = SubjectStream(s.App, id)
	revision, err := strconv.ParseUint(number, 10, 64)
	return history, revision, err == nil && revision > 0 && OwedStream(history, revision) == s
}

// ServiceStream is what was recorded of the app itself.
func ServiceStream(app AppName) StreamID { return StreamID{ServiceNoun, app, AppStream} }

// PolicyStream holds the versions of the app's policies.
func PolicyStream(app AppName) StreamID { return StreamID{PolicyNoun, app, AppStream} }

// SurfaceStream holds where the app asks for consent.
func SurfaceStream(app AppName) StreamID { return StreamID{SurfaceNoun, app, AppStream} }

// CalendarStream holds the app's calendars.
func CalendarStream(app AppName) StreamID { return StreamID{CalendarNoun, app, AppStream} }

// OwnStreams are the four that hold what was recorded of an app as a whole.
func OwnStreams(app AppName) []StreamID {
	return []StreamID{ServiceStream(app), PolicyStream(app), SurfaceStream(app), CalendarStream(app)}
}
