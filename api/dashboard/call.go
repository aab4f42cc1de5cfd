package dashboard

import "strings"

// A call is a request to the API, as it is sent and as it is shown.
type call struct {
	method, target string
	kind           string // of the body; empty: there is none
	headers        []apiHeader
	body           []byte
}

// keyOf stands for the key in a call that is shown: a shell puts it there.
const keyOf = `-H "Authorization: Bearer $CONSENTLEDGER_KEY"`

// curl is the call for a shell, by curl.
func (c *call) curl(address string, file bool) string {
	lines := []string{"curl"}
	if c.method != "GET" {
		lines[0] += " -X " + c.method
	}
	lines[0] += " " + quote(address+c.target)
	lines = append(lines, keyOf)
	for _, h := range c.headers {
		lines = append(lines, "-H "+quote(h.Name+": "+h.Value))
	}
	if c.kind == "" {
		return inLines(lines)
	}

	lines = append(lines, "-H "+quote("Content-Type: "+c.kind))
	if file {
		return inLines(append(lines, "--data-binary @FILE"))
	}
	return inLines(append(lines, "--data-binary @-")) + c.document()
}

// verb is the call for a shell, by the program's own verb.
func (c *call) verb(file bool) string {
	lines := []string{"consentledger call " + c.method + " " + quote(c.target)}
	for _, h := range c.headers {
		lines = append(lines, "--header "+quote(h.Name+": "+h.Value))
	}
	if c.kind == "" {
		return inLines(lines)
	}

	if c.kind != "application/json" {
		lines = append(lines, "--content-type "+quote(c.kind))
	}
	if file {
		lines[0] += " FILE"
		return inLines(lines)
	}
	lines[0] += " -"
	return inLines(lines) + c.document()
}

// inLines writes a command in lines that a shell reads as one.
func inLines(lines []string) string { return strings.Join(lines, " \\\n  ") }

// document is the body as a shell's here-document, which changes nothing of it.
func (c *call) document() string {
	body := strings.TrimSuffix(string(c.body), "\n")
	end := "END"
	for strings.Contains(body, end) {
		end += "D"
	}
	return " <<'" + end + "'\n" + body + "\n" + end
}

// quote writes a word for a shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
