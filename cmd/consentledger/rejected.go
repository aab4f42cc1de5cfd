package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"consentledger/api/intake"
	"consentledger/api/wire"

	"github.com/spf13/cobra"
)

// withRejected adds the routes of the rejected messages to a handler. They
// stand here because api/rest does not know NATS.
func withRejected(c intake.Config, rest http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", rest)
	mux.HandleFunc("GET /v1/rejected", func(w http.ResponseWriter, r *http.Request) {
		list, err := intake.Rejected(r.Context(), c)
		if list == nil {
			list = []intake.RejectedMessage{}
		}
		answer(w, map[string]any{"rejected": list}, err)
	})
	mux.HandleFunc("POST /v1/rejected/{seq}/retry", func(w http.ResponseWriter, r *http.Request) {
		seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
		var receipt wire.Receipt
		if err == nil {
			receipt, err = intake.Retry(r.Context(), c, seq)
		}
		answer(w, receipt, err)
	})
	mux.HandleFunc("POST /v1/rejected/{seq}/seen", func(w http.ResponseWriter, r *http.Request) {
		seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
		if err == nil {
			err = intake.MarkSeen(r.Context(), c, seq, r.URL.Query().Get("why"))
		}
		answer(w, map[string]bool{"seen": true}, err)
	})
	return mux
}

func answer(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		p := wire.ProblemOf(err)
		w.Header().Set("Content-Type", "application/problem+json")
		v, status = p, p.Status
	}
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer cannot be written", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

func newRejected() *cobra.Command {
	rejected := &cobra.Command{Use: "rejected", Short: "Messages that could not be taken, kept sealed for 30 days"}
	list := &cobra.Command{Use: "list", Short: "List them, with the reasons", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		body, err := call(c, http.MethodGet, "/v1/rejected", "", nil)
		if err != nil {
			return err
		}
		rows, err := member(body, "rejected")
		if err != nil {
			return err
		}
		return printRows(c, rows, "seq", "app", "at", "code", "text", "may_be_no", "seen", "why")
	}}
	outputFlag(list)
	retry := &cobra.Command{Use: "retry SEQ", Short: "Send one to the ledger again, unchanged", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		body, err := call(c, http.MethodPost, "/v1/rejected/"+url.PathEscape(args[0])+"/retry", "", nil)
		fmt.Fprint(c.OutOrStdout(), string(body))
		return err
	}}
	var why string
	seen := &cobra.Command{Use: "seen SEQ", Short: "Say that somebody looked at one, and why it may rest", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		_, err := call(c, http.MethodPost, "/v1/rejected/"+url.PathEscape(args[0])+"/seen?why="+url.QueryEscape(why), "", nil)
		return err
	}}
	seen.Flags().StringVar(&why, "why", "", "why it may rest; kept in the clear, so no personal data")
	seen.MarkFlagRequired("why")
	rejected.AddCommand(list, retry, seen)
	return rejected
}
