// Package lawfulnessview prints where persons stood in the past: differences between two moments, and findings
// of whether something was lawful.
package lawfulnessview

import (
	"context"
	"encoding/json"
	"fmt"

	"consentledger/api/lawfulness"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/output"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

	gojson "github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
)

// PrintDiff prints a row for every purpose for which something changed.
func PrintDiff(c *cobra.Command, answer json.RawMessage, d lawfulness.Diff) error {
	if output.Form(c) == "json" {
		return output.One(c, answer)
	}

	var rows []json.RawMessage
	for _, x := range d.Purposes {
		var by []string
		if x.ByTime {
			by = append(by, "time")
		}
		for _, e := range x.By {
			by = append(by, e.Type+" "+e.EventID)
		}
		rows = append(rows, output.Object(map[string]any{"purpose": x.Purpose, "was": stood(x.Before),
			"is": stood(x.After), "by": by, "before": x.Before, "after": x.After}))
	}
	return output.Rows(c, rows, "purpose", "was", "is", "by")
}

// stood says in a few words where somebody stood.
func stood(s lawfulness.Stand) string {
	return fmt.Sprintf("%s (%s)", map[bool]string{true: "allowed", false: "not allowed"}[s.Allowed], s.Status)
}

// Lawful prints every page. As JSON it is one object: the first page with the
// findings of all.
func Lawful(c *cobra.Command, data, app string, r lawfulness.LawfulRequest) error {
	r.Limit = 1000
	form := output.Form(c)
	p := output.NewPrinter(c, "person", "answer", "stood", "basis", "version", "act", "evidence", "events", "later",
		"after_withdrawal")
	var whole *lawfulness.Lawful
	for {
		answer, err := history.Ask(c, data, app, "/lawful", r,
			func(ctx context.Context, l *ledger.Ledger, name ident.AppName) (any, error) {
				return lawfulness.LawfulOf(ctx, l, name, r)
			})
		if err != nil {
			return err
		}
		var page lawfulness.Lawful
		if err := json.Unmarshal(answer, &page); err != nil {
			return err
		}
		if form == "json" {
			if whole == nil {
				whole = &page
			} else {
				whole.Findings = append(whole.Findings, page.Findings...)
			}
		} else if err := printFindings(p, form, page.Findings); err != nil {
			return err
		}
		if r.Cursor = page.Next; r.Cursor == "" {
			break
		}
	}

	if whole == nil {
		return p.End()
	}

	whole.Next = ""
	text, err := gojson.Marshal(whole)
	if err != nil {
		return err
	}
	return output.One(c, text)
}

func printFindings(p *output.Printer, form string, findings []lawfulness.Finding) error {
	for _, f := range findings {
		var row any = f
		if form != "jsonl" {
			row = findingCells(f)
		}
		if err := p.Row(output.Object(row)); err != nil {
			return err
		}
	}
	return nil
}

func findingCells(f lawfulness.Finding) map[string]any {
	s := f.Stood
	row := map[string]any{"person": f.Person, "stood": stood(s), "basis": s.Basis, "version": s.Version, "act": s.Act,
		"evidence": s.Evidence, "events": s.Events}
	if s.Ground != nil {
		row["basis"] = "exempt: " + s.Ground.Code + map[bool]string{true: " (doubtful)"}[s.Ground.Doubtful]
	}
	if f.Answer != nil {
		row["answer"] = f.Answer.Recorded + " " + map[bool]string{true: "yes", false: "no"}[f.Answer.Allowed]
	}
	if f.Later != nil {
		row["later"] = stood(f.Later.Stood)
	}
	if f.After != nil {
		row["after_withdrawal"] = f.After.Events
	}
	return row
}
