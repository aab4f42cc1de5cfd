package main

import "github.com/spf13/cobra"

// The groups of verbs in the program's help, by who uses them.
var (
	appTeams        = &cobra.Group{ID: "apps", Title: "App teams record, and ask:"}
	privacyOfficers = &cobra.Group{ID: "officers", Title: "Privacy officers keep promises, and dates:"}
	auditors        = &cobra.Group{ID: "auditors", Title: "Auditors look back, and verify:"}
	operators       = &cobra.Group{ID: "operators", Title: "Operators run the ledger:"}
)

// addGrouped gives the program verbs that one group of people uses most.
func addGrouped(root *cobra.Command, group *cobra.Group, verbs ...*cobra.Command) {
	root.AddGroup(group)
	for _, verb := range verbs {
		verb.GroupID = group.ID
	}
	root.AddCommand(verbs...)
}
