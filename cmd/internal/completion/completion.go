// Package completion lets a shell complete what the running server knows: apps, purposes and
// versions of policies, requests, incidents and what else is named by an id; and the words that
// a flag takes.
package completion

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"consentledger/cmd/internal/policies"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// completionPatience is how long a shell waits for a server that completes a word.
const completionPatience = 2 * time.Second

// Names has the shell complete what a running server knows: apps, and the
// purposes and versions of the policies of the app that is named. Without a server
// nothing is completed.
func Names(c *cobra.Command) {
	for _, sub := range c.Commands() {
		Names(sub)
	}

	for flag, list := range map[string]func(*cobra.Command) []string{"app": knownApps, "purpose": knownPurposes,
		"version": knownVersions} {
		if c.Flags().Lookup(flag) != nil && c.Runnable() {
			c.RegisterFlagCompletionFunc(flag,
				func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
					return completed(c, list), cobra.ShellCompDirectiveNoFileComp
				})
		}
	}

	nextWords(c)
	choices(c)

	if c.ValidArgsFunction != nil || len(c.ValidArgs) > 0 {
		return
	}

	args := strings.Fields(c.Use)
	for i, arg := range args {
		args[i] = strings.Trim(arg, "[]")
	}

	c.ValidArgsFunction = func(c *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(given)+1 >= len(args) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		switch args[len(given)+1] {
		case "APP":
			return completed(c, knownApps), cobra.ShellCompDirectiveNoFileComp
		case "VERSION", "OLD", "NEW":
			return completed(c, knownVersions), cobra.ShellCompDirectiveNoFileComp
		}
		named := func(c *cobra.Command) []string { return listed(c, args[len(given)+1]) }
		if names := completed(c, named); len(names) > 0 {
			return names, cobra.ShellCompDirectiveNoFileComp
		}
		if strings.Contains(args[len(given)+1], "FILE") {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// completed asks the server, as long as a person who presses a key waits.
func completed(c *cobra.Command, list func(*cobra.Command) []string) []string {
	ctx := c.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionPatience)
	defer cancel()
	c.SetContext(ctx)
	return list(c)
}

func knownApps(c *cobra.Command) (names []string) {
	answer, err := remote.Get(c, "/v1/apps")
	if err != nil {
		return nil
	}

	var known struct {
		Apps []struct {
			App     string `json:"app"`
			Handler string `json:"handler"`
		} `json:"apps"`
	}
	if json.Unmarshal(answer, &known) != nil {
		return nil
	}

	for _, a := range known.Apps {
		names = append(names, a.App+"\t"+a.Handler)
	}
	return names
}

// appOf returns the app that the line names already.
func appOf(c *cobra.Command) string {
	if f := c.Flags().Lookup("app"); f != nil {
		return f.Value.String()
	}
	return ""
}

func knownPurposes(c *cobra.Command) []string {
	if appOf(c) == "" {
		return nil
	}
	known, err := policies.Declared(c, appOf(c))
	if err != nil {
		return nil
	}
	return known.Purposes
}

func knownVersions(c *cobra.Command) (names []string) {
	if appOf(c) == "" {
		return nil
	}

	versions, err := policies.Versions(c, appOf(c))
	if err != nil {
		return nil
	}

	for _, v := range versions {
		says := v.Policy
		if v.InForce {
			says += ", in force"
		}
		names = append(names, v.Version+"\t"+says)
	}
	return names
}
