package sheet_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"

	"consentledger/api/report/sheet"

	"github.com/xuri/excelize/v2"
)

func TestATextThatASpreadsheetWouldTakeForSomethingElseIsMarked(t *testing.T) {
	marked := []string{
		"=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\u3000=1", // formulas
		"＝1", "＋1", "－1", "＠1",
		"'quoted",
		"9007199254740993", "1234567890123456", "007", "00012e5", "1e5", "12E-3", "1.50", "0.1234567890123456", ".5", "1,5", // numbers
		"1-2", "3/4", "2026-10", "1.2.2026", "MAR5", "sept-1", "1 Oct", "12:30", // days and times
		" 007", "007 ", "12345678901234567890 ", " 42", "2026-10-15 ", "１２３", "０12", // past white space, in full width
		"1 E5", "1 1/2", "1 000 000", "3pm", "3 PM", "12:30 p", "2026-10-15 16:00", "15.10.2026 1:30", "$5", "5 €", "￥5", "(5)", "(1,234.50)",
	}
	for _, text := range marked {
		if got := sheet.Protect(text); got != "'"+text {
			t.Errorf("Protect(%q) = %q", text, got)
		}
	}
	for _, text := range []string{"", "0", "42", "123456789012345", "1.5", "12.5%", "2026-10-15", "2026-10-15T16:00:00.000Z", "user-1", "account:7", "a=b", "march", "张三", "e5", ".", "12a", "5 a day", "(see 5)", "１号", "no 5", "1 2 3", "$", "2026-10-15 to 2026-10-16"} {
		if got := sheet.Protect(text); got != text {
			t.Errorf("Protect(%q) = %q", text, got)
		}
	}
}

var (
	columns = []string{"id", "left", "due", "at"}
	kinds   = []sheet.Kind{sheet.Text, sheet.Number, sheet.Date, sheet.Instant}
	rows    = [][]string{
		{"00012", "-2", "2026-10-15", "2026-10-15T16:00:00.125Z"},
		{"=A1", "", "", ""},
		{"1/2", "=1", "0012", "-never"},
	}
)

func TestCSVBeginsWithAByteOrderMarkAndMarksTextsOnly(t *testing.T) {
	var b bytes.Buffer
	w := sheet.NewCSV(&b, columns, kinds...)
	for _, row := range rows {
		if err := w.Row(row...); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text, marked := strings.CutPrefix(b.String(), "\ufeff")
	if !marked {
		t.Errorf("no byte order mark: %q", b.String())
	}
	got, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := "[[id left due at] ['00012 -2 2026-10-15 2026-10-15T16:00:00.125Z] ['=A1   ] ['1/2 '=1 '0012 '-never]]"
	if s := strings.ReplaceAll(text, "\n", "|"); len(got) != 4 || format(got) != want {
		t.Errorf("got %s, want %s (%s)", format(got), want, s)
	}
}

func format(rows [][]string) string {
	var lines []string
	for _, r := range rows {
		lines = append(lines, "["+strings.Join(r, " ")+"]")
	}
	return "[" + strings.Join(lines, " ") + "]"
}

func TestCSVKeepsAnErrorUntilItIsClosed(t *testing.T) {
	w := sheet.NewCSV(full{}, columns)
	w.Row("a", "b", "c", "d")
	if err := w.Close(); err == nil {
		t.Error("a row that could not be written was no error")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("full")

func TestADayInAWorkbookIsADayAndItsAuthorIsOurs(t *testing.T) {
	var b bytes.Buffer
	w, err := sheet.NewBook(&b, "deadlines", columns, kinds...)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Row(row...); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	f, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for cell, want := range map[string]struct{ shown, raw string }{
		"A2": {"00012", "00012"},
		"B2": {"-2", "-2"},
		"C2": {"2026-10-15", "46310"},
		"D2": {"2026-10-15T16:00:00Z", "46310.66666811343"},
		"A3": {"=A1", "=A1"},
		"C3": {"", ""},
		"C4": {"0012", "0012"},
	} {
		shown, err := f.GetCellValue("deadlines", cell)
		raw, err2 := f.GetCellValue("deadlines", cell, excelize.Options{RawCellValue: true})
		formula, err3 := f.GetCellFormula("deadlines", cell)
		if err != nil || err2 != nil || err3 != nil || shown != want.shown || !strings.HasPrefix(raw, want.raw[:min(len(want.raw), 9)]) || formula != "" {
			t.Errorf("%s shows %q, holds %q and the formula %q: %v %v %v", cell, shown, raw, formula, err, err2, err3)
		}
	}
	props, err := f.GetDocProps()
	if err != nil || props.Creator != "consentledger" || props.LastModifiedBy != "consentledger" {
		t.Errorf("%+v %v", props, err)
	}
}

// An inParts keeps what is written to it, of which the longest part; at a size it is full.
type inParts struct {
	bytes.Buffer
	longest, size int
}

func (p *inParts) Write(b []byte) (int, error) {
	if p.size > 0 && p.Len()+len(b) > p.size {
		return 0, errFull
	}
	p.longest = max(p.longest, len(b))
	return p.Buffer.Write(b)
}

// A workbook goes on part by part, and has no end if it broke off.
func TestAWorkbookIsWrittenInParts(t *testing.T) {
	write := func(to *inParts) error {
		b, err := sheet.NewBook(to, "sheet", []string{"id"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5000 {
			if err := b.Row(fmt.Sprintf("%x", sha256.Sum256([]byte{byte(i), byte(i >> 8)}))); err != nil {
				t.Fatal(err)
			}
		}
		return b.Close()
	}

	whole := new(inParts)
	if err := write(whole); err != nil || whole.Len() < 100_000 || whole.longest > 16<<10 {
		t.Errorf("%d bytes, the longest part %d, %v", whole.Len(), whole.longest, err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(whole.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if rows, err := f.GetRows("sheet"); err != nil || len(rows) != 5001 {
		t.Errorf("%d rows, %v", len(rows), err)
	}

	for _, size := range []int{1, whole.Len() / 2, whole.Len() - 1} {
		torn := &inParts{size: size}
		err := write(torn)
		if _, unread := zip.NewReader(bytes.NewReader(torn.Bytes()), int64(torn.Len())); !errors.Is(err, errFull) || unread == nil {
			t.Errorf("of %d bytes: %v, and the archive can be read: %t", size, err, unread == nil)
		}
	}
}
