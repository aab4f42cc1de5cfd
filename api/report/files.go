package report

import (
	"io"

	"consentledger/api/report/sheet"
	"consentledger/domain/deadline"
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
		CSV: "text/csv; charset=utf-8", XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		ICS: "text/calendar; charset=utf-8",
	}[f]
}

// New returns a Writer of a form onto w. At is the moment that the report is
// as of.
func New(f Form, w io.Writer, at deadline.Instant) (Writer, error) {
	switch f {
	case XLSX:
		b, err := sheet.NewBook(w, "deadlines", Columns, columnKinds()...)
		return &book{b}, err
	case ICS:
		return NewCalendar(w, "", "en"), nil
	}
	return &table{sheet.NewCSV(w, Columns, columnKinds()...)}, nil
}

// A table is a report as CSV.
type table struct{ *sheet.CSV }

func (t *table) Write(o Obligation) error { return t.Row(Cells(o)...) }

// A book is a report as a workbook.
type book struct{ *sheet.Book }

func (b *book) Write(o Obligation) error { return b.Row(Cells(o)...) }
