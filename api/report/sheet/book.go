package sheet

import (
	"archive/zip"
	"io"
	"strconv"
	"time"

	"github.com/xuri/excelize/v2"
)

// author stands in the properties of a workbook.
const author = "consentledger"

// A Book is a workbook (XLSX) of one sheet. Its first row stays in view.
type Book struct {
	out       io.Writer
	file      *excelize.File
	sheet     *excelize.StreamWriter
	kinds     []Kind
	day, time int // styles
	row       int
}

// NewBook returns a writer of a workbook whose first row names the columns. Kinds
// are as for [NewCSV]. Nothing is written before Close.
func NewBook(w io.Writer, name string, columns []string, kinds ...Kind) (*Book, error) {
	b := &Book{out: w, file: excelize.NewFile(), kinds: kinds}
	if err := b.prepare(name, len(columns)); err != nil {
		b.file.Close()
		return nil, err
	}

	b.row++
	head := make([]any, len(columns))
	for i, c := range columns {
		head[i] = c
	}
	return b, b.sheet.SetRow("A1", head)
}

// prepare sets what stands before the rows.
func (b *Book) prepare(name string, columns int) error {
	if err := b.file.SetSheetName("Sheet1", name); err != nil {
		return err
	}
	if err := b.file.SetDocProps(&excelize.DocProperties{Creator: author, LastModifiedBy: author}); err != nil {
		return err
	}

	// The format shows that a moment is in UTC, which a date of a workbook cannot say.
	var err error
	if b.day, err = b.style(`yyyy-mm-dd`); err != nil {
		return err
	}
	if b.time, err = b.style(`yyyy-mm-dd"T"hh:mm:ss"Z"`); err != nil {
		return err
	}

	if b.sheet, err = b.file.NewStreamWriter(name); err != nil {
		return err
	}
	if err := b.sheet.SetColWidth(1, columns, 20); err != nil {
		return err
	}
	return b.sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
}

func (b *Book) style(format string) (int, error) {
	return b.file.NewStyle(&excelize.Style{CustomNumFmt: &format})
}

// Row writes a row of the columns' kinds. A text that is not of its column's kind
// stays a text.
func (b *Book) Row(cells ...string) error {
	row := make([]any, len(cells))
	for i, text := range cells {
		row[i] = b.cell(kindAt(b.kinds, i), text)
	}

	b.row++
	at, err := excelize.CoordinatesToCellName(1, b.row)
	if err != nil {
		return err
	}
	return b.sheet.SetRow(at, row)
}

// cell returns what the library writes as the kind wanted. An empty cell is
// none, so that it counts as blank.
func (b *Book) cell(k Kind, text string) any {
	switch {
	case text == "":
		return nil
	case !isOfKind(k, text):
		return text
	case k == Number:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case k == Date:
		if t, err := time.Parse(time.DateOnly, text); err == nil && t.Year() >= firstYear {
			return excelize.Cell{StyleID: b.day, Value: t}
		}
	case k == Instant:
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil && t.Year() >= firstYear {
			return excelize.Cell{StyleID: b.time, Value: t.UTC()}
		}
	}
	return text
}

// firstYear is the first one whose days all programs number alike.
const firstYear = 1901

// Close writes the workbook. It does not close the writer below.
//
// The library's stream writer keeps 16 MiB of rows, however many there are, and what is more in a
// temporary file: less would be a file for every small workbook. It would then compress
// the whole into memory; the archive is written to out instead, part by part, and its end, without
// which it is none, only once all else was.
func (b *Book) Close() error {
	defer b.file.Close()
	if err := b.sheet.Flush(); err != nil {
		return err
	}

	archive := zip.NewWriter(b.out)
	b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return unended{archive} })
	if err := b.file.Write(io.Discard); err != nil {
		return err
	}
	return archive.Close()
}

// An unended archive is not ended by who writes its files.
type unended struct{ *zip.Writer }

func (unended) Close() error { return nil }
