package steps

import (
	"encoding/json"
	"net/url"
	"strings"

	"consentledger/api/rest"
	"consentledger/cmd/internal/remote"
	"consentledger/domain/catalog"

	"github.com/spf13/cobra"
)

// Next asks the server which steps of a request or an incident are possible now.
func Next(c *cobra.Command, app string, of catalog.Case, id string) ([]rest.NextStep, error) {
	answer, err := remote.Get(c, remote.App(app)+"/"+string(of)+"s/"+url.PathEscape(id)+"/next")
	if err != nil {
		return nil, err
	}
	var next rest.NextSteps
	err = json.Unmarshal(answer, &next)
	return next.Steps, err
}

// A Call is a step as it is taken on the command line.
type Call struct {
	Verb  string `json:"verb"`
	Flags string `json:"flags"` // those that it takes, with what they may say; in brackets: it may be left out
	Says  string `json:"says"`
}

// CallOf returns how a step is taken on the command line.
func CallOf(step rest.NextStep) Call {
	var flags []string
	for _, f := range step.Fields {
		var codes []string
		for _, o := range f.Options {
			codes = append(codes, o.Code)
		}
		value := strings.ReplaceAll(strings.ToUpper(f.Name), "_", "-")
		if len(codes) > 0 {
			value = strings.Join(codes, "|")
		}
		flag := "--" + strings.ReplaceAll(f.Name, "_", "-") + " " + value
		if !f.Required {
			flag = "[" + flag + "]"
		}
		flags = append(flags, flag)
	}
	return Call{Verb: Words[catalog.Step(step.Type)], Flags: strings.Join(flags, " "), Says: step.Says}
}
