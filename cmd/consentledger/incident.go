package main

import (
	"consentledger/cmd/internal/steps"
	"consentledger/domain/catalog"

	"github.com/spf13/cobra"
)

func newIncident() *cobra.Command {
	c := &cobra.Command{Use: "incident", Short: "What happened to personal data, who was told, and when"}
	c.AddCommand(incidentListCommand(), incidentShowCommand())
	c.AddCommand(steps.Verbs(catalog.Incident)...)
	return c
}
