package readmodel

import (
	"regexp"
	"strconv"
	"strings"
)

// Statements are written for both engines, in what SQLite and PostgreSQL have in
// common: conflicts name their columns, flags are compared with 0, an order that
// matters is asked for. What is left is put into PostgreSQL's words here.

// forPostgres writes a statement as PostgreSQL reads it: "?" as "$1", and CROSS JOIN,
// by which SQLite is told the order of a join, as JOIN. It has no "?" in a text.
func forPostgres(statement string) string {
	var b strings.Builder
	parts := strings.Split(strings.ReplaceAll(statement, "CROSS JOIN", "JOIN"), "?")
	for i, part := range parts {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}

// types are SQLite's, and what holds the same in PostgreSQL. A text is sorted by its
// bytes. Fields are a JSON object in the views, that ->> reads it.
var types = []struct {
	sqlite   *regexp.Regexp
	postgres string
}{
	{regexp.MustCompile(`\bINTEGER\b`), "bigint"},
	{regexp.MustCompile(`\bTEXT\b`), `text COLLATE "C"`},
	{regexp.MustCompile(`\bBLOB\b`), "bytea"},
	{regexp.MustCompile(`\) WITHOUT ROWID;`), ");"},
	{regexp.MustCompile(`\b(nullif\((?:\w\.)?fields, ''\)) AS fields\b`), "$1::json AS fields"},
}

// schemaForPostgres writes the DDL of a read model as PostgreSQL reads it.
func schemaForPostgres(schema string) string {
	schema = forPostgres(schema)
	for _, t := range types {
		schema = t.sqlite.ReplaceAllString(schema, t.postgres)
	}
	return schema
}

// functions are those of SQLite that statements and views use, in PostgreSQL.
const functions = `
CREATE FUNCTION hex(bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN upper(encode($1, 'hex'));
CREATE FUNCTION instr(text, text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN strpos($1, $2);
-- of a Julian day at midnight
CREATE FUNCTION date(numeric) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN to_char(date '0001-01-01' + ($1 - 1721425.5)::integer, 'YYYY-MM-DD');
-- of the present, whatever is asked for
CREATE FUNCTION julianday(text) RETURNS double precision LANGUAGE sql STABLE STRICT PARALLEL SAFE
	RETURN extract(epoch FROM now())::double precision / 86400 + 2440587.5;
`

// viewNames returns the views that a schema makes.
func viewNames(schema string) (names []string) {
	for _, m := range regexp.MustCompile(`CREATE VIEW (\w+)`).FindAllStringSubmatch(schema, -1) {
		names = append(names, m[1])
	}
	return names
}
