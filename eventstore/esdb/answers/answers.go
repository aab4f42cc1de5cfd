// Package answers plays recorded questions to a server that speaks
// EventStoreDB's protocol, and tells where its answers differ.
//
// The table was recorded at a real EventStoreDB 23.10.8, frame by frame. Its
// first line explains its fields and placeholders.
package answers

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

//go:embed testdata/answers.jsonl.gz
var recorded []byte

// A Line is one step of a scenario.
type Line struct {
	Scenario string `json:"scenario"`
	Case     string `json:"case"`
	Kind     string `json:"kind"` // "": a call, or the continuation of one

	Method      string            `json:"method"`
	Metadata    map[string]string `json:"metadata"`
	Requests    []json.RawMessage `json:"requests"`
	HalfClose   *bool             `json:"half_close"`
	Call        string            `json:"call"`
	Continues   bool              `json:"continues"`
	Cancel      bool              `json:"cancel"`
	Open        bool              `json:"open"`
	LeftOpen    bool              `json:"left_open"`
	Brief       bool              `json:"brief"`
	Fresh       bool              `json:"fresh_database"`
	Responses   []any             `json:"-"`
	Status      *Status           `json:"status"`
	Trailers    map[string]string `json:"trailers"`
	TrailerOnly bool              `json:"trailers_only"`
	HTTPStatus  int               `json:"http_status"`

	// Of a setup, an interleave, a pause.
	IDPrefix string            `json:"id_prefix"`
	Streams  []string          `json:"streams"`
	Events   int               `json:"events"`
	From     int               `json:"from"`
	Then     []json.RawMessage `json:"then"`
	Millis   int               `json:"ms"`
}

// A Status is how a call ended. A nil code: none came.
type Status struct {
	Code    *int   `json:"code"`
	Details string `json:"details"`
}

// Asks says whether the line is a question with an answer, and not a
// preparation or a note.
func (l *Line) Asks() bool { return l.Kind == "" }

// Load reads a table, one line of JSON a step, also compressed. An empty path
// is the table that is built in.
func Load(path string) ([]*Line, error) {
	data := recorded
	if path != "" {
		var err error
		if data, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	var source io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(source)
		if err != nil {
			return nil, fmt.Errorf("recorded answers: %w", err)
		}
		source = z
	}

	var lines []*Line
	scanner := bufio.NewScanner(source)
	scanner.Buffer(nil, 16<<20)
	for n := 1; scanner.Scan(); n++ {
		line := &Line{}
		var other struct {
			About     json.RawMessage `json:"about"`
			Responses json.RawMessage `json:"responses"`
		}
		if err := json.Unmarshal(scanner.Bytes(), &other); err != nil {
			return nil, fmt.Errorf("recorded answers: line %d: %w", n, err)
		}
		if other.About != nil {
			continue
		}
		if err := json.Unmarshal(scanner.Bytes(), line); err != nil {
			return nil, fmt.Errorf("recorded answers: line %d: %w", n, err)
		}
		if other.Responses != nil {
			responses, err := parse(other.Responses)
			if err != nil {
				return nil, fmt.Errorf("recorded answers: line %d: %w", n, err)
			}
			line.Responses, _ = responses.([]any)
		}
		lines = append(lines, line)
	}
	return lines, scanner.Err()
}

// parse reads JSON with its numbers as they are written.
func parse(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}
