package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"consentledger/api/wire"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/tune"
	"consentledger/domain"

	"github.com/spf13/cobra"
)

func newReplay() *cobra.Command {
	var data string
	var check bool
	var r wire.ReplayRequest
	c := &cobra.Command{
		Use:   "replay",
		Short: "Stream history as NDJSON, oldest first",
		Long: `Stream history as NDJSON, oldest first: from the running server, or with --data
from the directory of a stopped one. Both give the same bytes.

The server records who replays, why and how many entries, before it shows any; say it
with --reason, --why and --by. These records are left out of a replay, unless --replays
or --type data.accessed asks for them. A directory is only looked at: nothing is
recorded, and it says so.

How somebody stood at any moment, as it was known at any other, tells: consentledger
state --valid-at --known-at; what changed between two: consentledger replay diff.

With --check every projection is built once more from the first record, beside
the live one and up to its position, and their tables are compared: a row for
each, and exit code 8 if one differs. Of the logs the roots are compared.`,
		Example: `  consentledger replay --app smartkey --subject user-1
  consentledger replay --data data --from 2026-03-01T00:00:00Z --to 2026-04-01T00:00:00Z --type consent.withdrawn
  consentledger replay --check --data data -o table`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if check {
				if r != (wire.ReplayRequest{}) {
					return exit.Usage(errors.New("--check compares all there is: it takes no app, person, type, time or position"))
				}
				return replayCheck(c, data)
			}
			if _, err := wire.SelectionOf(r); err != nil {
				return wrongFlag(err)
			}

			out := bufio.NewWriterSize(c.OutOrStdout(), 1<<16) // one write for each record takes longer than the record
			c.SetOut(out)
			p := output.NewPrinter(c, "position", "recorded", "at", "type", "stream", "event_id")
			err := replay(c, data, r, p.Line)
			if err == nil {
				err = p.End()
			}
			return errors.Join(err, out.Flush())
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "", "the data directory of a stopped server")
	f.StringVar(&r.App, "app", "", "only this app")
	f.StringVar(&r.Subject, "subject", "", "only this person, as in user-1 (needs --app)")
	f.StringVar(&r.Type, "type", "", "only this event type, as in consent.given")
	f.StringVar(&r.From, "from", "", "begin with the first record of this time or later, RFC 3339")
	f.StringVar(&r.To, "to", "", "end before the first record of this time or later, RFC 3339")
	f.StringVar(&r.After, "after", "", "only what comes after this position")
	f.BoolVar(&r.Replays, "replays", false, "also the records of who replayed")
	readerFlags(c, &r.Reader)
	f.BoolVar(&check, "check", false, "build every projection once more, and compare")
	output.FlagOr(c, "jsonl")
	c.AddCommand(newReplayDiff())
	return c
}

// wrongFlag turns a refusal that names a member into one that names a flag.
func wrongFlag(err error) error {
	if r, ok := errors.AsType[domain.Refusal](err); ok {
		return exit.Usage(errors.New("--" + r.Text))
	}
	return err
}

// replay reads from the server, or from the directory if one is named.
func replay(c *cobra.Command, data string, r wire.ReplayRequest, do func(json.RawMessage) error) error {
	if data != "" {
		return replayDir(c, data, r, do)
	}
	return replayServer(c, r, do)
}

// replayServer asks in a body: what names a person stays out of URLs.
func replayServer(c *cobra.Command, r wire.ReplayRequest, do func(json.RawMessage) error) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	answer, err := remote.Open(c.Context(), c, http.MethodPost, "/v1/replay", "application/json", body)
	if err != nil {
		return err
	}
	defer answer.Close()
	askWhy(c, "", r.Reader)
	lines := bufio.NewReader(answer)
	for {
		line, err := lines.ReadBytes('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case err != nil:
			return fmt.Errorf("%w any more, the history broke off: %w; ask again with --after and the last position", exit.ErrUnreachable, err)
		case bytes.HasPrefix(line, []byte(`{"error":`)):
			return brokeOff(line)
		}
		if err := do(line); err != nil {
			return err
		}
	}
}

// brokeOff reads the line that a replay ends with when it cannot go on.
func brokeOff(line []byte) error {
	var last struct{ Error wire.Problem }
	if err := json.Unmarshal(line, &last); err != nil {
		return err
	}
	return &exit.ProblemError{Status: last.Error.Status, Code: last.Error.Code, Detail: "the history broke off: " + last.Error.Detail}
}

// unrecorded says that a directory is read without a trace: whoever has it can read
// it with other programs too, and evidence is not changed by looking at it.
func unrecorded(c *cobra.Command) {
	fmt.Fprintln(c.ErrOrStderr(), "a directory is only looked at: that it is read is not recorded")
}

func replayDir(c *cobra.Command, path string, r wire.ReplayRequest, do func(json.RawMessage) error) (err error) {
	tune.GC() // every record leaves garbage, and little lives
	d, err := server.OpenDataDir(c.Context(), path, "", false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	unrecorded(c)
	selection, err := wire.AskedSelection(r, d.Ledger.Now())
	if err != nil {
		return err
	}
	entries, err := d.Ledger.Select(c.Context(), selection)
	if err != nil {
		return err
	}
	var line []byte
	for e, err := range entries {
		if err == nil {
			line, err = wire.AppendLine(line[:0], e)
		}
		if err == nil {
			err = do(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
