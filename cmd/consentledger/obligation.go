package main

import "github.com/spf13/cobra"

func newObligation() *cobra.Command {
	c := &cobra.Command{Use: "obligation", Short: "What is owed by a date"}
	c.AddCommand(obligationListCommand(), obligationShowCommand())
	return c
}
