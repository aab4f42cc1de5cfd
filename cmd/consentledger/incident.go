package main

import (
	"consentledger/domain/catalog"

	"github.com/spf13/cobra"
)

func newIncident() *cobra.Command {
	c := &cobra.Command{Use: "incident", Short: "What happened to personal data, who was told, and when"}
	c.AddCommand(incidentListCommand(), incidentShowCommand())
	c.AddCommand(newSteps(catalog.Incident)...)
	return c
}
