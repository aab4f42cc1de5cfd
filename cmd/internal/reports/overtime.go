package reports

import (
	"encoding/json"
	"fmt"
	"net/url"

	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// An answers is how many answers there are, as the API counts them.
type answers struct {
	Given     int64 `json:"given"`
	Refused   int64 `json:"refused"`
	Withdrawn int64 `json:"withdrawn"`
	Signal    int64 `json:"signal"`
	Imported  int64 `json:"imported"`
}

// PrintOverTime prints what people answered over time, a row for each day, or week, and value. As JSON
// it is one document.
func PrintOverTime(c *cobra.Command, app string, query url.Values) error {
	answer, err := remote.Get(c, remote.App(app)+"/consents/over-time?"+query.Encode())
	if err != nil {
		return err
	}
	if output.Form(c) == "json" {
		return output.One(c, answer)
	}

	var list struct {
		Values []struct {
			Value   string
			Others  int
			Periods []struct {
				Day string `json:"day"`
				answers
			}
		}
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return err
	}

	by := query.Get("by")
	var rows []json.RawMessage
	for _, v := range list.Values {
		value := v.Value
		switch {
		case v.Others > 0:
			value = fmt.Sprintf("(%d others)", v.Others)
		case value == "" && by == "purpose":
			value = "(everything)"
		case value == "":
			value = "(not said)"
		case value == "*" && by == "build":
			value = "(other builds)"
		}
		for _, p := range v.Periods {
			rows = append(rows, output.Object(struct {
				Value string `json:"value"`
				Day   string `json:"day"`
				answers
			}{value, p.Day, p.answers}))
		}
	}
	if err := output.Rows(c, rows, "value", "day", "given", "refused", "withdrawn", "signal", "imported"); err != nil {
		return err
	}
	if len(rows) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "nobody but tests answered anything in these days")
	}
	if output.Form(c) != "table" {
		return nil
	}
	return output.One(c, answer, "period", "from", "until", "as_of")
}
