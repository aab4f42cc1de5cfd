package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// Rows prints a list.
func Rows(c *cobra.Command, rows []json.RawMessage, columns ...string) error {
	p := NewPrinter(c, columns...)
	for _, r := range rows {
		if err := p.Row(r); err != nil {
			return err
		}
	}
	return p.End()
}

// List prints the rows that an answer has as one of its members.
func List(c *cobra.Command, answer []byte, member string, columns ...string) error {
	rows, err := Member(answer, member)
	if err != nil {
		return err
	}
	return Rows(c, rows, columns...)
}

// One prints a single object: as JSON it is an object, not a list.
func One(c *cobra.Command, object json.RawMessage, columns ...string) error {
	if Form(c) != "json" {
		return Rows(c, []json.RawMessage{object}, columns...)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, bytes.TrimSpace(object), "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), text.String())
	return err
}

// Member returns one member of a JSON object as rows: an array as it is, a
// missing one as none.
func Member(object []byte, name string) ([]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	var rows []json.RawMessage
	if members[name] == nil {
		return nil, nil
	}
	err := json.Unmarshal(members[name], &rows)
	return rows, err
}

// Values prints a row for each of some values of our own.
func Values[T any](c *cobra.Command, values []T, columns ...string) error {
	rows := make([]json.RawMessage, len(values))
	for i, v := range values {
		rows[i] = Object(v)
	}
	return Rows(c, rows, columns...)
}

// Object writes a value of our own as a row.
func Object(v any) json.RawMessage {
	row, err := json.Marshal(v)
	if err != nil {
		panic("consentledger: a row does not make JSON: " + err.Error())
	}
	return row
}

// Noted is [One], and tells what the answer notes.
func Noted(c *cobra.Command, answer json.RawMessage, columns ...string) error {
	if err := Notes(c, answer); err != nil {
		return err
	}
	return One(c, answer, columns...)
}

// Notes tells what an answer notes, beside what is printed of it.
func Notes(c *cobra.Command, answer []byte) error {
	var said struct {
		Notes []string `json:"notes"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return err
	}
	for _, note := range said.Notes {
		fmt.Fprintln(c.ErrOrStderr(), "note: "+note)
	}
	return nil
}

// Said returns those of the columns of which an object says something.
func Said(object []byte, columns ...string) []string {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return columns
	}
	return slices.DeleteFunc(columns,
		func(name string) bool { return members[name] == nil || string(members[name]) == "null" })
}
