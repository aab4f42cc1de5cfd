package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// called are the methods that the API has.
var called = []string{http.MethodGet, http.MethodPost, http.MethodPut}

func newCall() *cobra.Command {
	var headers []string
	kind := "application/json"
	c := &cobra.Command{Use: "call METHOD PATH [FILE]", Short: "Call any operation of the HTTP API, and print its answer",
		Long: "Call any operation of the HTTP API, and print its answer as it comes. The operations stand in\n" +
			"/openapi.json and on the page /ui/api, which writes the call of each. FILE is the body, and - is\n" +
			"standard input. The key is shown as by every other verb: it stands in no argument.",
		Example: "  consentledger call GET '/v1/apps/smartkey/obligations?state=overdue'\n" +
			"  consentledger call POST '/v1/apps/smartkey/events?dry_run' withdrawal.json",
		Args: cobra.RangeArgs(2, 3), RunE: func(c *cobra.Command, args []string) error {
			method, path := strings.ToUpper(args[0]), args[1]
			if !slices.Contains(called, method) {
				return exit.Usage(fmt.Errorf("METHOD: want one of %s", strings.Join(called, ", ")))
			}
			if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
				return exit.Usage(fmt.Errorf("PATH: want a path of the server, as in /v1/apps; --server says which server"))
			}
			given, err := headersOf(headers)
			if err != nil {
				return err
			}
			var body []byte
			if len(args) == 3 {
				if body, err = files.ReadInput(c, "FILE", args[2], files.MaxPolicyFile); err != nil {
					return err
				}
			} else {
				kind = ""
			}

			answer, err := remote.Answer(c.Context(), c, method, path, kind, body, given...)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if answer.Header.Get("Content-Type") != "application/x-ndjson" {
				_, err = io.Copy(c.OutOrStdout(), answer.Body)
				return err
			}
			return remote.CopyLines(c.OutOrStdout(), answer.Body, "the answer")
		}}
	c.Flags().StringArrayVar(&headers, "header", nil,
		"a header of the request, as in 'Consent-Reason: audit'; may stand several times")
	c.Flags().StringVar(&kind, "content-type", kind, "the type of FILE")
	return c
}

// headersOf reads headers as they are written in a request. Who asks is said by the key alone.
func headersOf(lines []string) (all [][2]string, err error) {
	for _, line := range lines {
		name, value, has := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !has || name == "" || strings.ContainsAny(line, "\r\n") {
			return nil, exit.Usage(fmt.Errorf("--header: want a name, a colon and a value, as in 'Consent-Reason: audit'"))
		}
		if strings.EqualFold(name, "Authorization") {
			return nil, exit.Usage(fmt.Errorf("--header: what stands on a command line, everybody on the machine can read: "+
				"put the key into %s, or into the file that --key-file names", remote.KeyVariable))
		}
		all = append(all, [2]string{name, strings.TrimSpace(value)})
	}
	return all, nil
}
