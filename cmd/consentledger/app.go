package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func newApp() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List the apps", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		answer, err := call(c, http.MethodGet, "/v1/apps", "", nil)
		if err != nil {
			return err
		}
		rows, err := member(answer, "apps")
		if err != nil {
			return err
		}
		return printRows(c, rows, "app", "policies")
	}}
	show := &cobra.Command{Use: "show APP", Short: "Show one app", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		answer, err := call(c, http.MethodGet, "/v1/apps/"+url.PathEscape(args[0]), "", nil)
		if err != nil {
			return err
		}
		return printOne(c, answer, "app", "handler", "environment", "jurisdiction", "time_zone", "locales")
	}}
	outputFlag(list)
	outputFlag(show)
	app := &cobra.Command{Use: "app", Short: "Register apps: who may record"}
	app.AddCommand(newAppAdd(), list, show)
	return app
}

func newAppAdd() *cobra.Command {
	var in struct {
		Handler      string   `json:"handler"`
		Group        string   `json:"group,omitempty"`
		Environment  string   `json:"environment"`
		Jurisdiction string   `json:"jurisdiction"`
		TimeZone     string   `json:"time_zone"`
		Locales      []string `json:"locales"`
	}
	c := &cobra.Command{Use: "add APP", Short: "Register an app, or change what is known about it", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		_, err := callJSON(c, http.MethodPut, "/v1/apps/"+url.PathEscape(args[0]), in)
		return err
	}}
	f := c.Flags()
	f.StringVar(&in.Handler, "handler", "", "who answers for the app (the personal information handler)")
	f.StringVar(&in.Group, "group", "", "the apps of one handler that answer requests together")
	f.StringVar(&in.Environment, "environment", "test", "test or production")
	f.StringVar(&in.Jurisdiction, "jurisdiction", "CN", "whose law applies")
	f.StringVar(&in.TimeZone, "time-zone", "Asia/Shanghai", "where its days begin and end")
	f.StringSliceVar(&in.Locales, "locales", []string{"en"}, "the languages it shows texts in")
	return c
}
