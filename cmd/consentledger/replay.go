package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"

	"consentledger/api/wire"
	"consentledger/domain"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
)

func newReplay() *cobra.Command {
	var data, person string
	filters := url.Values{}
	c := &cobra.Command{
		Use:   "replay",
		Short: "Stream history as NDJSON, oldest first",
		Long:  "Stream history as NDJSON, oldest first: from the running server, or with --data from the directory of a stopped one.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, name := range []string{"app", "from", "to", "type"} {
				v, err := c.Flags().GetString(name)
				if err != nil {
					return err
				}
				if v != "" {
					filters.Set(name, v)
				}
			}
			if person != "" && filters.Get("app") == "" {
				return usageError{fmt.Errorf("--subject wants --app: a person is known to an app")}
			}
			if data != "" {
				return replayDir(c, data, filters, person)
			}
			if person != "" {
				filters.Set("person", person)
			}
			r, err := open(c.Context(), c, http.MethodGet, "/v1/replay?"+filters.Encode(), "", nil)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(c.OutOrStdout(), r)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "", "the data directory of a stopped server")
	f.StringVar(&person, "subject", "", "only this person, as in user-1 (needs --app)")
	f.String("app", "", "only this app")
	f.String("from", "", "only what was recorded at or after, RFC 3339")
	f.String("to", "", "only what was recorded before, RFC 3339")
	f.String("type", "", "only this event type, as in consent.given.v1")
	return c
}

func replayDir(c *cobra.Command, path string, filters url.Values, person string) error {
	d, err := openDataDir(c.Context(), path, "", false)
	if err != nil {
		return err
	}
	defer d.close()
	from, to, err := span(filters)
	if err != nil {
		return err
	}
	history := d.ledger.Replay(c.Context(), 0)
	if person != "" {
		who, err := domain.ParsePersonKey(person)
		if err != nil {
			return usageError{err}
		}
		history = d.ledger.History(c.Context(), domain.AppName(filters.Get("app")), who)
	}
	for e, err := range history {
		if err != nil {
			return err
		}
		skip := filters.Get("app") != "" && string(e.Stream.App) != filters.Get("app") ||
			filters.Get("type") != "" && e.Type != filters.Get("type") ||
			e.Recorded < from || to != 0 && e.Recorded >= to
		if skip {
			continue
		}
		entry, err := wire.EntryOf(e)
		if err != nil {
			return err
		}
		line, err := json.Marshal(entry)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", line); err != nil {
			return err
		}
	}
	return nil
}

func span(filters url.Values) (from, to domain.Instant, err error) {
	if v := filters.Get("from"); v != "" {
		if from, err = domain.ParseInstant(v); err != nil {
			return 0, 0, usageError{fmt.Errorf("--from: %w", err)}
		}
	}
	if v := filters.Get("to"); v != "" {
		if to, err = domain.ParseInstant(v); err != nil {
			return 0, 0, usageError{fmt.Errorf("--to: %w", err)}
		}
	}
	return from, to, nil
}

func newStatus() *cobra.Command {
	return &cobra.Command{Use: "status", Short: "How the server is: positions, lag, health", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		answer, err := call(c, http.MethodGet, "/v1/status", "", nil)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), string(answer))
		return err
	}}
}

func newSchema() *cobra.Command {
	schema := &cobra.Command{Use: "schema", Short: "The event types, each with an example"}
	schema.AddCommand(
		&cobra.Command{Use: "list", Short: "List the event types", Args: cobra.NoArgs, Run: func(c *cobra.Command, _ []string) {
			for _, e := range wire.Examples() {
				fmt.Fprintln(c.OutOrStdout(), e.Type)
			}
		}},
		&cobra.Command{Use: "show TYPE", Short: "Show an example of one type", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			for _, e := range wire.Examples() {
				if e.Type == args[0] {
					_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", e.Event)
					return err
				}
			}
			return usageError{fmt.Errorf("no event type %q; see: schema list", args[0])}
		}},
	)
	return schema
}
