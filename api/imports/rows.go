package imports

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Problem says what is wrong with a row, and what would be right. It holds nothing
// that stands in the row.
type Problem struct {
	Row     int    `json:"row"` // from 1, without the head
	Column  string `json:"column,omitempty"`
	Code    string `json:"code"`
	Problem string `json:"problem"`
	Want    string `json:"want,omitempty"`
}

func (p *Problem) Error() string {
	if p.Column == "" {
		return fmt.Sprintf("row %d: %s", p.Row, p.Problem)
	}
	return fmt.Sprintf("row %d, column %s: %s", p.Row, p.Column, p.Problem)
}

// A row is one row of a file, and where its bytes are.
type row struct {
	number int
	offset int64
	length int
	get    func(column string) (values []string, has bool)
}

// maxLine bounds a row, whatever its format: of a file that has no ends of lines, or a quote
// that is never closed, no more is held in memory.
const maxLine = 1 << 20

var errLong = fmt.Errorf("a row is longer than %d bytes", maxLine)

// A rowReader reads a file, behind the mark that it may begin with, and ends with
// [errLong] if it is read on for too long without next.
type rowReader struct {
	file *bufio.Reader
	mark int64 // how long the mark is
	left int
}

const mark = "\ufeff"

func newRowReader(file io.Reader) *rowReader {
	r := new(rowReader)
	r.file, r.mark = withoutMark(file)
	r.next()
	return r
}

// withoutMark reads a file behind the mark of its encoding, which spreadsheets write. It
// may stand before a quote, so that it is no part of the first column's name.
func withoutMark(file io.Reader) (*bufio.Reader, int64) {
	r := bufio.NewReader(file)
	if begin, _ := r.Peek(len(mark)); string(begin) != mark {
		return r, 0
	}
	n, _ := r.Discard(len(mark)) // it was seen
	return r, int64(n)
}

// next says that a row was read. Whoever reads from r may have read on by a few kilobytes.
func (r *rowReader) next() { r.left = maxLine + 64<<10 }

func (r *rowReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, errLong
	}
	n, err := r.file.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// each calls visit for every row of a file. A row that cannot be read goes to bad.
func (m Mapping) each(file io.Reader, visit func(row) error, bad func(Problem) error) error {
	if m.Format == "csv" {
		return m.eachOfCSV(file, visit, bad)
	}
	return eachLine(file, visit, bad)
}

func (m Mapping) csvReader(file io.Reader) *csv.Reader {
	r := csv.NewReader(file)
	if m.Separator != "" {
		r.Comma = rune(m.Separator[0])
	}
	return r
}

// head reads the names of the columns, and checks that those of the mapping are there.
// The names are not repeated: of a file without a head they are a person's row.
func (m Mapping) head(r *csv.Reader) ([]string, error) {
	head, err := r.Read()
	if err == io.EOF {
		return nil, errors.New("the file has no head: its first line names the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("the head, which is the first line, cannot be read: a value stands in quotes as a "+
			"whole or not at all, and between the columns is %q; the mapping's separator says another", r.Comma)
	}

	for where, f := range m.fields() {
		if err := standsIn(head, f.Column, where, r.Comma); err != nil {
			return nil, err
		}
	}

	for _, column := range m.Evidence {
		if err := standsIn(head, column, "evidence", r.Comma); err != nil {
			return nil, err
		}
	}
	return head, nil
}

// standsIn refuses a column that is not in the head, or is there twice: which of the two
// is meant is not guessed.
func standsIn(head []string, column, where string, separator rune) error {
	first := slices.Index(head, column)
	switch {
	case column == "":
		return nil
	case first < 0:
		return fmt.Errorf("the file has no column %q, which %s names: its first line is to name the columns, and has "+
			"%d other names, with %q between them", column, where, len(head), separator)
	case slices.Contains(head[first+1:], column):
		return fmt.Errorf("the file has several columns %q, which %s names: give each a name of its own", column, where)
	}
	return nil
}

func (m Mapping) eachOfCSV(file io.Reader, visit func(row) error, bad func(Problem) error) error {
	rows := newRowReader(file)
	r := m.csvReader(rows)
	head, err := m.head(r)
	if err != nil {
		return err
	}

	for n := 1; ; n++ {
		offset := r.InputOffset()
		rows.next()
		record, err := r.Read()
		if errors.Is(err, errLong) {
			return fmt.Errorf("row %d is longer than %d bytes: is a quote not closed?", n, maxLine)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if wrong, is := errors.AsType[*csv.ParseError](err); is {
			p := Problem{Row: n, Code: "syntax",
				Problem: "line " + fmt.Sprint(wrong.Line) + " is no row of CSV: " + wrong.Err.Error()}
			if errors.Is(wrong.Err, csv.ErrFieldCount) {
				p.Problem, p.Want = fmt.Sprintf("it has %d columns",
					len(record)), fmt.Sprintf("%d, as in the head; a value with the separator in it stands in "+
					"quotes", len(head))
			}
			if err := bad(p); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := visit(row{n, rows.mark + offset, int(r.InputOffset() - offset), inCSV(head, record)}); err != nil {
			return err
		}
	}
}

// inCSV looks up a column of a record. An empty value is none.
func inCSV(head, record []string) func(string) ([]string, bool) {
	return func(column string) ([]string, bool) {
		i := slices.Index(head, column)
		if i < 0 || record[i] == "" {
			return nil, false
		}
		return []string{record[i]}, true
	}
}

func eachLine(file io.Reader, visit func(row) error, bad func(Problem) error) error {
	rows := newRowReader(file)
	r := bufio.NewReaderSize(rows, 64<<10)
	offset, n := rows.mark, 0
	for {
		rows.next()
		line, err := r.ReadBytes('\n')
		if errors.Is(err, errLong) || len(line) > maxLine {
			return fmt.Errorf("row %d is longer than %d bytes: is the file NDJSON, with an object a line?", n+1,
				maxLine)
		}
		at := offset
		offset += int64(len(line))
		if len(bytes.TrimSpace(line)) > 0 {
			n++
			get, problem := inJSON(n, line)
			wrong := error(nil)
			if problem != nil {
				wrong = bad(*problem)
			} else {
				wrong = visit(row{n, at, len(line), get})
			}
			if wrong != nil {
				return wrong
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// inJSON looks up members of an object. Null is none, and so is an empty text.
func inJSON(n int, line []byte) (func(string) ([]string, bool), *Problem) {
	var object map[string]jsontext.Value
	if err := json.Unmarshal(bytes.TrimSpace(line), &object); err != nil || object == nil {
		return nil, &Problem{Row: n, Code: "syntax", Problem: "the line is no JSON object",
			Want: `an object a line, as in {"user":"u-1","status":"given"}`}
	}

	return func(column string) ([]string, bool) {
		members := object
		path := strings.Split(column, ".")
		if v, whole := object[column]; whole {
			return texts(v)
		}
		for _, name := range path[:len(path)-1] {
			var inner map[string]jsontext.Value
			if json.Unmarshal(members[name], &inner) != nil {
				return nil, false
			}
			members = inner
		}
		return texts(members[path[len(path)-1]])
	}, nil
}

// texts returns a JSON value as texts: an array as several.
func texts(v jsontext.Value) (values []string, has bool) {
	switch v.Kind() {
	case '"':
		var s string
		if json.Unmarshal(v, &s) != nil || s == "" {
			return nil, false
		}
		return []string{s}, true
	case '0', 't', 'f', '{':
		return []string{string(v)}, true
	case '[':
		var list []jsontext.Value
		if json.Unmarshal(v, &list) != nil {
			return nil, false
		}
		for _, item := range list {
			one, _ := texts(item)
			values = append(values, one...)
		}
		return values, len(values) > 0
	}
	return nil, false
}
