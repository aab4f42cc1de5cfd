package main

import "github.com/spf13/cobra"

func newRequest() *cobra.Command {
	c := &cobra.Command{Use: "request", Short: "What persons ask for, and what became of it"}
	c.AddCommand(requestListCommand(), requestShowCommand())
	return c
}
