package main

import "github.com/spf13/cobra"

func newIncident() *cobra.Command {
	c := &cobra.Command{Use: "incident", Short: "What happened to personal data"}
	c.AddCommand(incidentListCommand(), incidentShowCommand())
	return c
}
