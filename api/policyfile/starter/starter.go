// Package starter has the policies and the screens that people begin with: one for
// each law and each language, explained line by line, which lint finds nothing
// missing in and which can be published as they are.
package starter

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:embed files
var files embed.FS

// The laws and the languages that there are.
var (
	Laws      = []string{"eu", "cn"}
	Languages = []string{"en", "zh-CN"}
)

// A Choice is which of them somebody begins with, and what is filled in.
type Choice struct {
	Law, Language string
	App           string // its name in the ledger
	Handler       string // who answers for it; empty: the app's name stands for it
}

// Check returns what is wrong with a choice, and what would be right.
func (c Choice) Check() error {
	if !slices.Contains(Laws, c.Law) {
		return fmt.Errorf("--law: want one of %s", strings.Join(Laws, ", "))
	}
	if !slices.Contains(Languages, c.Language) {
		return fmt.Errorf("--language: want one of %s", strings.Join(Languages, ", "))
	}
	return nil
}

// Jurisdiction is that of the policy: the app is registered with the same.
func (c Choice) Jurisdiction() string {
	return map[string]string{"eu": "EU", "cn": "CN"}[c.Law]
}

// TimeZone is where the days of the policy begin and end.
func (c Choice) TimeZone() string {
	return map[string]string{"eu": "Europe/Brussels", "cn": "Asia/Shanghai"}[c.Law]
}

// Policy returns a policy file that names the file text, and the words of that file.
func (c Choice) Policy(text string) (policy, words string) {
	return c.fill("policy", ".yaml", text, ""), c.fill("text", ".txt", text, "")
}

// Surface returns a surface file that names the files text and certificate.
func (c Choice) Surface(text, certificate string) string {
	return c.fill("surface", ".yaml", text, certificate)
}

// Unsigned is what stands for the certificate of a build that has none yet: a
// statement of that, so that its hash is no claim of anything else.
func (c Choice) Unsigned() string {
	return fmt.Sprintf("This build of %s is not signed with a certificate.\n", c.App)
}

// fill returns a file with the names in it. The file was checked to be there.
func (c Choice) fill(what, ext, text, certificate string) string {
	body, err := files.ReadFile("files/" + what + "." + c.Law + "." + c.Language + ext)
	if err != nil {
		panic("starter: " + err.Error())
	}
	handler := c.Handler
	if handler == "" {
		handler = c.App
	}
	return strings.NewReplacer("{{app}}", c.App, "{{handler}}", quoted(handler), "{{handler text}}", handler,
		"{{text}}", quoted(text), "{{certificate}}", quoted(certificate)).Replace(string(body))
}

// quoted returns a text as YAML reads it, whatever is in it: JSON is YAML.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic("starter: a text does not make JSON: " + err.Error())
	}
	return string(b)
}
