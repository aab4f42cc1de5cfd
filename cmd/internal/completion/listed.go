package completion

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/steps"
	"consentledger/domain/catalog"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A listing is where a running server lists what an argument names.
type listing struct {
	path   string   // below the app's, unless it begins with a slash
	rows   string   // the member with the rows
	name   string   // the member of a row that is the argument
	beside []string // members that say which one it is; none names a person
}

// listings are by the group of verbs and the argument.
var listings = map[string]listing{
	"request ID":   {"requests", "cases", "id", []string{"types", "state"}},
	"incident ID":  {"incidents", "cases", "id", []string{"state"}},
	"webhook ID":   {"webhooks", "webhooks", "id", []string{"url", "state"}},
	"erasure JOB":  {"erasures", "jobs", "id", []string{"of", "state"}},
	"proposal ID":  {"proposals", "proposals", "id", []string{"kind", "state"}},
	"key ID":       {"/v1/access/keys", "keys", "id", []string{"name", "state"}},
	"rejected SEQ": {"/v1/rejected", "rejected", "seq", []string{"app", "code"}},
}

// listed returns what an argument may be, as the server lists it.
func listed(c *cobra.Command, argument string) (names []string) {
	l, has := listings[c.Parent().Name()+" "+argument]
	if !has {
		return nil
	}
	path := l.path
	if !strings.HasPrefix(path, "/") {
		if appOf(c) == "" {
			return nil
		}
		path = remote.App(appOf(c)) + "/" + path
	}
	answer, err := remote.Get(c, path)
	if err != nil {
		return nil
	}

	var members map[string]json.RawMessage
	var rows []map[string]any
	if json.Unmarshal(answer, &members) != nil || json.Unmarshal(members[l.rows], &rows) != nil {
		return nil
	}
	for _, row := range rows {
		var says []string
		for _, member := range l.beside {
			if value := textOf(row[member]); value != "" {
				says = append(says, value)
			}
		}
		names = append(names, textOf(row[l.name])+"\t"+strings.Join(says, ", "))
	}
	return names
}

// textOf returns what stands in a member, as one line.
func textOf(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case []any:
		var all []string
		for _, one := range value {
			all = append(all, textOf(one))
		}
		return strings.Join(all, " ")
	case float64:
		return fmt.Sprintf("%.0f", value)
	}
	return fmt.Sprint(value)
}

// oneOf is how the help of a flag lists all that it takes.
var oneOf = regexp.MustCompile(`(?:^|: )one of ([a-z0-9][a-z0-9._-]*(?:, [a-z0-9][a-z0-9._-]*)+)`)

// choices has a shell complete the flags that take one of some words.
func choices(c *cobra.Command) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if found := oneOf.FindStringSubmatch(f.Usage); found != nil {
			fixed(c, f.Name, strings.Split(found[1], ", "))
		}
	})
	switch strings.TrimPrefix(c.CommandPath(), "consentledger ") {
	case "record", "replay":
		fixed(c, "type", parse.Types())
	case "webhook add":
		fixed(c, "type", slices.Concat(wire.ConsentTypes, wire.ObligationTypes))
	}
}

// stepFlags are the flags of steps whose words the policy says, or the request.
var stepFlags = []string{"elements", "codes", "channel", "types", "reason"}

// nextWords has a shell complete those flags of a step with what they may say now of the
// request or the incident that the line names.
func nextWords(c *cobra.Command) {
	of := catalog.Case("")
	for _, rule := range catalog.StepRules {
		if steps.Words[rule.Kind] == c.Name() && c.HasParent() && c.Parent().Name() == string(rule.Of) {
			of = rule.Of
		}
	}
	if of == "" {
		return
	}

	for _, flag := range stepFlags {
		if c.Flags().Lookup(flag) == nil {
			continue
		}
		c.RegisterFlagCompletionFunc(flag,
			func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
				words := completed(c, func(c *cobra.Command) []string { return nextOf(c, of, args, flag) })
				return words, cobra.ShellCompDirectiveNoFileComp
			})
	}
}

// nextOf returns what a flag of a step may say now.
func nextOf(c *cobra.Command, of catalog.Case, args []string, flag string) (words []string) {
	if len(args) == 0 || appOf(c) == "" {
		return nil
	}
	next, err := steps.Next(c, appOf(c), of, args[0])
	if err != nil {
		return nil
	}
	for _, step := range next {
		if steps.Words[catalog.Step(step.Type)] != c.Name() {
			continue
		}
		for _, f := range step.Fields {
			for _, o := range f.Options {
				if f.Name == flag {
					words = append(words, o.Code+"\t"+o.Title)
				}
			}
		}
	}
	return words
}

// fixed has a shell complete a flag with some words, unless something else does.
func fixed(c *cobra.Command, flag string, words []string) {
	if _, has := c.GetFlagCompletionFunc(flag); !has {
		c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}
