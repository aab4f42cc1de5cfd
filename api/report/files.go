package report

import (
	"io"

	"consentledger/api/report/sheet"
	"consentledger/domain"

	ics "github.com/arran4/golang-ical"
)

// A Writer writes a report into a file, line by line. Nothing is complete
// before Close.
type Writer interface {
	Write(Obligation) error
	Close() error
}

// A Form is a kind of file.
type Form string

const (
	CSV  Form = "csv"
	XLSX Form = "xlsx"
	ICS  Form = "ics"
)

// ContentType returns the form's media type.
func (f Form) ContentType() string {
	return map[Form]string{
		CSV: "text/csv; charset=utf-8", XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ICS: "text/calendar; charset=utf-8",
	}[f]
}

// New returns a Writer of a form onto w. At is the moment that the report is
// as of.
func New(f Form, w io.Writer, at domain.Instant) (Writer, error) {
	switch f {
	case XLSX:
		b, err := sheet.NewBook(w, "deadlines", Columns, columnKinds()...)
		return &book{b}, err
	case ICS:
		return newCalendar(w, at), nil
	}
	return &table{sheet.NewCSV(w, Columns, columnKinds()...)}, nil
}

// A table is a report as CSV.
type table struct{ *sheet.CSV }

func (t *table) Write(o Obligation) error { return t.Row(o.Cells()...) }

// A book is a report as a workbook.
type book struct{ *sheet.Book }

func (b *book) Write(o Obligation) error { return b.Row(o.Cells()...) }

// A calendar is a report as iCalendar: an event for every obligation that has a
// due date. It says what is owed and by which rule, and of nobody to whom; and
// nothing that time alone changes, so that what is new has a new SEQUENCE.
type calendar struct {
	out io.Writer
	cal *ics.Calendar
	at  domain.Instant
}

func newCalendar(w io.Writer, at domain.Instant) *calendar {
	c := &calendar{w, ics.NewCalendarFor("consentledger"), at}
	c.cal.SetMethod(ics.MethodPublish)
	c.cal.SetXWRCalName("deadlines")
	c.cal.SetRefreshInterval("PT1H") // the library says itself that this is a DURATION
	c.cal.SetXPublishedTTL("PT1H")
	return c
}

func (c *calendar) Write(o Obligation) error {
	if o.Due == "" {
		return nil
	}
	due, err := domain.ParseInstant(o.Due)
	if err != nil {
		return err
	}
	changed, err := domain.ParseInstant(o.Changed)
	if err != nil {
		return err
	}
	e := c.cal.AddEvent(o.ID + "." + o.Stream + "@consentledger")
	e.SetSequence(o.Revision)
	e.SetDtStampTime(c.at.Time())
	e.SetLastModifiedAt(changed.Time())
	if o.DueDate != "" {
		day, err := domain.ParseDate(o.DueDate)
		if err != nil {
			return err
		}
		e.SetProperty(ics.ComponentPropertyDtStart, compact(day), ics.WithValue("DATE"))
		e.SetProperty(ics.ComponentPropertyDtEnd, compact(day+1), ics.WithValue("DATE"))
	} else {
		e.SetStartAt(due.Time())
		e.SetEndAt(due.Time())
	}
	e.SetSummary(o.summary())
	e.SetDescription(o.description())
	e.SetStatus(o.status())
	e.SetTimeTransparency(ics.TransparencyTransparent)
	return nil
}

func compact(d domain.Date) string {
	text := d.String()
	return text[:4] + text[5:7] + text[8:]
}

func (o Obligation) summary() string {
	text := o.Kind
	for i, t := range o.Types {
		text += map[bool]string{true: ": ", false: ", "}[i == 0] + t
	}
	if o.Target != "" {
		text += " by " + o.Target
	}
	return text
}

func (o Obligation) description() string {
	text := "App " + o.App + ", rule " + o.Rule
	if o.Source != "" {
		text += " (" + o.Source + ", " + o.Basis + ")"
	}
	text += "."
	if o.Provisional {
		text += " Provisional: a calendar is not announced yet."
	}
	if o.SafeTarget != "" {
		text += " Safe target: " + o.SafeTarget + "."
	}
	if !o.Binding {
		text += " Another date binds."
	}
	return text + " " + o.Stream
}

func (o Obligation) status() ics.ObjectStatus {
	switch {
	case o.State == "void" || o.State == "met" || o.State == "met-late":
		return ics.ObjectStatusCancelled // nothing is owed any more
	case o.Provisional:
		return ics.ObjectStatusTentative
	}
	return ics.ObjectStatusConfirmed
}

func (c *calendar) Close() error { return c.cal.SerializeTo(c.out, ics.WithNewLine("\r\n")) }
