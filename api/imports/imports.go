package imports

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A Plan is a file that was looked through: what is to be imported, each person's
// oldest first. It holds places of rows and not the rows, so that a large file needs
// little memory.
type Plan struct {
	Rows    int // of the file
	Skipped int // rows that say nothing, or are about persons who are left out
	mapping Mapping
	file    File
	from    io.ReaderAt
	head    []string
	places  []place
}

// A place is where an answer stands.
type place struct {
	at     int64 // when it was said, in milliseconds since 1970
	offset int64
	row    int
	length int32
	answer int32 // which one of its row
}

// Look reads a file and returns what is to be imported. What is wrong with a row goes
// to bad, which ends it with an error. A person for whom without says so is left out.
func (m Mapping) Look(
	from io.ReaderAt, size int64, file File, without func(subject string) bool, bad func(Problem) error,
) (*Plan, error) {
	p := &Plan{mapping: m, file: file, from: from}
	if m.Format == "csv" {
		head, err := m.head(m.csvReader(newRowReader(io.NewSectionReader(from, 0, size))))
		if err != nil {
			return nil, err
		}
		p.head = head
	}
	ids := map[string]int{}
	count := func(problem Problem) error {
		p.Rows++
		return bad(problem)
	}

	err := m.each(io.NewSectionReader(from, 0, size), func(r row) error {
		p.Rows++
		return p.look(r, ids, without, bad)
	}, count)
	if err != nil {
		return nil, err
	}

	slices.SortStableFunc(p.places, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	return p, nil
}

func (p *Plan) look(r row, ids map[string]int, without func(string) bool, bad func(Problem) error) error {
	answers, problem := p.mapping.answersOf(r)
	if problem != nil {
		return bad(*problem)
	}
	if len(answers) == 0 {
		p.Skipped++
		return nil
	}
	who, problem := p.mapping.subject(r, p.file)
	if problem != nil {
		return bad(*problem)
	}
	if without(who) {
		p.Skipped++
		return nil
	}
	if problem := p.twice(r, ids); problem != nil {
		return bad(*problem)
	}

	for i, a := range answers {
		if _, problem := p.mapping.event(r, a, p.file); problem != nil {
			return bad(*problem)
		}
		p.places = append(p.places, place{a.at.UnixMilli(), r.offset, r.number, int32(r.length), int32(i)})
	}
	return nil
}

// twice reports an id that a row before has.
func (p *Plan) twice(r row, ids map[string]int) *Problem {
	if p.mapping.ID.Column == "" {
		return nil
	}
	id, problem := p.mapping.ID.one(r, "id")
	if problem != nil || id == "" {
		return problem
	}
	if first, twice := ids[id]; twice {
		return &Problem{r.number, p.mapping.ID.Column, "same-id", fmt.Sprintf("row %d has the same id", first),
			"an id of its own for each row, or a mapping without id"}
	}
	ids[id] = r.number
	return nil
}

// Events is how many events the plan has.
func (p *Plan) Events() int { return len(p.places) }

// An Event is one to be recorded, and the row that it is of.
type Event struct {
	Row  int
	JSON []byte
}

// Batch returns the events from the i-th on: at most n of them, and about most bytes.
func (p *Plan) Batch(i, n, most int) (events []Event, err error) {
	size := 0
	for ; i < len(p.places) && len(events) < n && size < most; i++ {
		e, err := p.read(p.places[i])
		if err != nil {
			return nil, err
		}
		events, size = append(events, e), size+len(e.JSON)
	}
	return events, nil
}

var errChanged = errors.New("the file is not what it was: it changed while it was imported")

// read makes the event of a place.
func (p *Plan) read(at place) (Event, error) {
	raw := make([]byte, at.length)
	if _, err := p.from.ReadAt(raw, at.offset); err != nil && !errors.Is(err, io.EOF) {
		return Event{}, err
	}

	r := row{number: at.row}
	if p.mapping.Format == "csv" {
		record, err := p.mapping.csvReader(bytes.NewReader(raw)).Read()
		if err != nil || len(record) != len(p.head) {
			return Event{}, errChanged
		}
		r.get = inCSV(p.head, record)
	} else {
		get, problem := inJSON(at.row, raw)
		if problem != nil {
			return Event{}, errChanged
		}
		r.get = get
	}

	answers, problem := p.mapping.answersOf(r)
	if problem != nil || int(at.answer) >= len(answers) {
		return Event{}, errChanged
	}

	event, problem := p.mapping.event(r, answers[at.answer], p.file)
	if problem != nil {
		return Event{}, errChanged
	}
	return Event{at.row, event}, nil
}

// Table reads a CSV file of two columns with a head: a value, and what it means.
func Table(file io.Reader) (map[string]string, error) {
	text, _ := withoutMark(file)
	records, err := csv.NewReader(text).ReadAll()
	if err != nil || len(records) == 0 || len(records[0]) != 2 {
		return nil, errors.New("a table is a CSV file of two columns with a head: a value, and what it means")
	}

	table := make(map[string]string, len(records))
	for i, r := range records[1:] {
		if to, twice := table[r[0]]; twice && to != r[1] {
			return nil, fmt.Errorf("row %d of the table says of a value that it means something else than a row "+
				"before: leave one of them out", i+1)
		}
		table[r[0]] = r[1]
	}
	return table, nil
}
