package domain

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
