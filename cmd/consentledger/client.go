package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

// errUnreachable says that no server answered.
var errUnreachable = errors.New("the server cannot be reached")

// A problemError is a server's answer that is not what was asked for.
type problemError struct {
	status int
	code   string
	detail string
}

func (e *problemError) Error() string {
	if e.code == "" {
		return fmt.Sprintf("the server says %d: %s", e.status, e.detail)
	}
	return e.code + ": " + e.detail
}

func (e *problemError) exitCode() int {
	switch {
	case e.status == http.StatusNotFound:
		return exitNotFound
	case e.status == http.StatusConflict:
		return exitConflict
	case e.status >= 500:
		return exitUnavailable
	}
	return exitError
}

// call asks the server and returns the body of its answer.
func call(c *cobra.Command, method, path, contentType string, body []byte) ([]byte, error) {
	r, err := open(c.Context(), c, method, path, contentType, body)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func open(ctx context.Context, c *cobra.Command, method, path, contentType string, body []byte) (io.ReadCloser, error) {
	server, err := c.Flags().GetString("server")
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(server, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, usageError{err}
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the URL may name a person
		}
		return nil, fmt.Errorf("%w at %s: %w; is it running? start it with: consentledger serve", errUnreachable, server, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var p struct{ Code, Detail, Title string }
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(text, &p) != nil || p.Detail == "" && p.Title == "" {
		p.Detail = strings.TrimSpace(string(text))
	}
	if p.Detail == "" {
		p.Detail = p.Title
	}
	return nil, &problemError{resp.StatusCode, p.Code, p.Detail}
}

func callJSON(c *cobra.Command, method, path string, in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return call(c, method, path, "application/json", body)
}

// readInput reads a file, or standard input for "-".
func readInput(c *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(c.InOrStdin())
	}
	return os.ReadFile(name)
}

func outputFlag(c *cobra.Command) {
	c.Flags().StringP("output", "o", "table", "how to print: table, json, jsonl or csv")
}

// printRows prints answers as -o says. Rows is a JSON array of objects; columns
// are the members that a table shows.
func printRows(c *cobra.Command, rows []json.RawMessage, columns ...string) error {
	form, err := c.Flags().GetString("output")
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	switch form {
	case "jsonl":
		for _, r := range rows {
			var line bytes.Buffer
			if err := json.Compact(&line, r); err != nil {
				return err
			}
			fmt.Fprintln(out, line.String())
		}
		return nil
	case "json":
		text, err := json.MarshalIndent(rows, "", "  ")
		fmt.Fprintln(out, string(text))
		return err
	case "table", "csv":
		return printTable(out, form, rows, columns)
	}
	return usageError{fmt.Errorf("-o %s: want table, json, jsonl or csv", form)}
}

func printTable(out io.Writer, form string, rows []json.RawMessage, columns []string) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	head := table.Row{}
	for _, name := range columns {
		head = append(head, name)
	}
	t.AppendHeader(head)
	for _, r := range rows {
		var members map[string]any
		if err := json.Unmarshal(r, &members); err != nil {
			return err
		}
		row := table.Row{}
		for _, name := range columns {
			row = append(row, cell(members[name]))
		}
		t.AppendRow(row)
	}
	if form == "csv" {
		fmt.Fprintln(out, t.RenderCSV())
		return nil
	}
	fmt.Fprintln(out, t.Render())
	return nil
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64, bool:
		return fmt.Sprint(v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// member returns one member of a JSON object as rows: an array as it is, a
// missing one as none.
func member(object []byte, name string) ([]json.RawMessage, error) {
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
