package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"consentledger/api/imports"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/progress"
	"consentledger/cmd/internal/remote"
	"consentledger/domain"

	"github.com/spf13/cobra"
)

// An importing is what the flags of import say.
type importing struct {
	app, mapping, filteredBy, without string
	dryRun, skipBad, offline          bool
}

func newImport() *cobra.Command {
	var in importing
	c := &cobra.Command{
		Use: "import FILE", Short: "Bring consents that are kept elsewhere: CSV or NDJSON, by a mapping of columns", Args: cobra.ExactArgs(1),
		Long: `Bring consents that are kept elsewhere: CSV or NDJSON, by a mapping of its columns
(docs/import.md). First the whole file is read; what is wrong with a row is printed as
a line of JSON, with the row's number and what would be right, and nothing is sent
while a row is wrong. With --dry-run that is all.

Then each person's oldest answer comes first. Running it again records nothing twice,
so what was interrupted is simply run again. What is imported is marked as imported;
its evidence is never stronger than that.`,
		Example: `  consentledger import show-preset fides > mapping.yaml                         # begin with what is there, and say what your purposes are
  consentledger import --app shop --mapping mapping.yaml --dry-run consents.csv
  consentledger import --app shop --mapping mapping.yaml consents.csv`,
		RunE: func(c *cobra.Command, args []string) error { return in.run(c, args[0]) },
	}
	appFlag(c, &in.app)
	f := c.Flags()
	f.StringVar(&in.mapping, "mapping", "", "the file that says what the columns are")
	f.BoolVar(&in.dryRun, "dry-run", false, "say what is wrong with which row, and send nothing")
	f.BoolVar(&in.offline, "offline", false, "with --dry-run: do not ask the server what the app's policies declare")
	f.BoolVar(&in.skipBad, "skip-bad", false, "import the other rows where some are wrong")
	f.StringVar(&in.without, "without", "", "a file with the ids of persons who are left out, one a line: your list of erased persons")
	f.StringVar(&in.filteredBy, "filtered-by", "", "who says that no erased person is in the file, as in operator:ann; needed once anybody was erased from the app")
	c.MarkFlagRequired("mapping")
	c.AddCommand(newImportPreset())
	return c
}

func newImportPreset() *cobra.Command {
	names := strings.Join(imports.Presets(), ", ")
	return &cobra.Command{
		Use: "show-preset NAME", Aliases: []string{"preset"}, Short: "Print a mapping to begin with: " + names, Args: cobra.ExactArgs(1), ValidArgs: imports.Presets(),
		Example: "  consentledger import show-preset fides > mapping.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			text, has := imports.Preset(args[0])
			if !has {
				return exit.NotFound(fmt.Errorf("no preset of that name; there are: %s", names))
			}
			_, err := c.OutOrStdout().Write(text)
			return err
		},
	}
}

func (in importing) run(c *cobra.Command, name string) error {
	if in.offline && !in.dryRun {
		return exit.Usage(errors.New("--offline: only with --dry-run: what is sent is held to the app's policies"))
	}
	text, err := files.ReadInput(c, "--mapping", in.mapping, files.MaxPolicyFile)
	if err != nil {
		return err
	}
	mapping, err := imports.ParseMapping(in.mapping, text)
	if err != nil {
		return exit.Usage(err)
	}
	without, err := in.leftOut(c)
	if err != nil {
		return err
	}

	from, size, file, err := importedFile(name)
	if err != nil {
		return err
	}
	defer from.Close()
	file.FilteredBy = in.filteredBy
	if file.Tables, err = in.tables(mapping); err != nil {
		return err
	}
	if !in.offline {
		if file.Known, err = knownPolicies(c, in.app); err != nil {
			return err
		}
	}

	out := json.NewEncoder(c.OutOrStdout())
	wrong := 0
	plan, err := mapping.Look(from, size, file, without, func(p imports.Problem) error {
		wrong++
		return out.Encode(p)
	})
	if err != nil {
		return exit.Usage(fmt.Errorf("%s: %w", name, err))
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s: %d rows: %d events to record, %d rows skipped, %d rows wrong\n", name, plan.Rows, plan.Events(), plan.Skipped, wrong)
	switch {
	case wrong > 0 && (in.dryRun || !in.skipBad):
		return fmt.Errorf("%d rows are wrong, and nothing was sent; mend them or the mapping, or import the others with --skip-bad", wrong)
	case in.dryRun:
		return nil
	}
	return in.send(c, plan, out)
}

// leftOut reads the list of persons who are left out.
func (in importing) leftOut(c *cobra.Command) (func(string) bool, error) {
	if in.without == "" {
		return func(string) bool { return false }, nil
	}
	text, err := files.ReadInput(c, "--without", in.without, files.MaxInput)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, err := domain.ParsePersonKey(line)
		if err != nil {
			return nil, exit.Usage(fmt.Errorf("--without: line %d: %w", number, err))
		}
		ids[key.String()] = true
	}
	return func(subject string) bool { return ids[subject] }, nil
}

// importedFile opens the file and returns its hash, by which its rows are known.
func importedFile(name string) (f *os.File, size int64, file imports.File, err error) {
	if f, err = files.OpenInput(name); err != nil {
		return nil, 0, file, files.NamedBy("FILE", files.OrNotFound(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = exit.Usage(fmt.Errorf("FILE: %s: want a plain file: it is read twice", name))
	}
	h := sha256.New()
	if err == nil {
		size, err = io.Copy(h, f)
	}
	if err != nil {
		return nil, 0, file, errors.Join(err, f.Close())
	}
	h.Sum(file.Hash[:0])
	return f, size, file, nil
}

// tables reads the tables that the mapping names, beside it.
func (in importing) tables(m imports.Mapping) (map[string]map[string]string, error) {
	tables := map[string]map[string]string{}
	if m.Subject.Table == "" {
		return tables, nil
	}
	if !filepath.IsLocal(m.Subject.Table) {
		return nil, exit.Usage(fmt.Errorf("subject.table: %s is not below the mapping's folder", m.Subject.Table))
	}
	text, err := files.ReadOwnFile(filepath.Join(filepath.Dir(in.mapping), m.Subject.Table), files.MaxInput)
	if err != nil {
		return nil, files.NamedBy("subject.table", err)
	}
	tables[m.Subject.Table], err = imports.Table(bytes.NewReader(text))
	return tables, err
}

// knownPolicies asks what the app's policies declare.
func knownPolicies(c *cobra.Command, app string) (*imports.Known, error) {
	path := remote.App(app) + "/policies"
	answer, err := remote.Get(c, path)
	if err != nil {
		return nil, err
	}
	var list struct {
		Policies []struct {
			Version   string    `json:"version"`
			Effective time.Time `json:"effective"`
		} `json:"policies"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, err
	}
	if len(list.Policies) == 0 {
		return nil, exit.NotFound(errors.New("the app has no policy yet: publish the version that people agreed to; see consentledger policy new"))
	}
	known := &imports.Known{First: list.Policies[0].Effective}
	for _, p := range list.Policies {
		if p.Effective.Before(known.First) {
			known.First = p.Effective
		}
		known.Versions = append(known.Versions, p.Version)
		whole, err := remote.Get(c, path+"/"+url.PathEscape(p.Version))
		if err != nil {
			return nil, err
		}
		var version struct {
			Document struct {
				Purposes, Acts []struct {
					ID string `json:"id"`
				}
			} `json:"document"`
		}
		if err := json.Unmarshal(whole, &version); err != nil {
			return nil, err
		}
		for _, x := range version.Document.Purposes {
			known.Purposes = append(known.Purposes, x.ID)
		}
		for _, x := range version.Document.Acts {
			known.Acts = append(known.Acts, x.ID)
		}
	}
	known.Purposes = slices.Compact(slices.Sorted(slices.Values(known.Purposes)))
	known.Acts = slices.Compact(slices.Sorted(slices.Values(known.Acts)))
	return known, nil
}

// How many events and about how many bytes are sent at once: the server takes 1000,
// in 1 MiB.
const (
	importRows  = 500
	importBytes = 512 << 10
)

// importTries is how often a batch is sent that the server cannot record just now.
const importTries = 8

// send records the plan's events, batch after batch: so each person's stay in order.
func (in importing) send(c *cobra.Command, plan *imports.Plan, out *json.Encoder) error {
	tell := progress.To(c.ErrOrStderr())
	refused := 0
	for i := 0; i < plan.Events(); {
		events, err := plan.Batch(i, importRows, importBytes)
		if err != nil {
			return err
		}
		problems, err := in.sendBatch(c, events)
		if err != nil {
			return fmt.Errorf("%w; %d of %d events are recorded: run the same command again, nothing is recorded twice", err, i-refused, plan.Events())
		}
		for _, p := range problems {
			refused++
			if err := out.Encode(p); err != nil {
				return err
			}
		}
		i += len(events)
		tell(int64(i), int64(plan.Events()))
	}
	fmt.Fprintf(c.ErrOrStderr(), "recorded %d, refused %d; what was recorded before is counted as recorded\n", plan.Events()-refused, refused)
	if refused > 0 {
		return fmt.Errorf("%d events were refused", refused)
	}
	return nil
}

// An importedRow is what became of one event.
type importedRow struct {
	Status  int `json:"status"`
	Problem *struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"problem"`
}

// sendBatch records events, and returns those that were refused. What cannot be
// recorded now is sent again, with all that comes after it: a person's events stay in
// order, and what was recorded gets the same receipt.
func (in importing) sendBatch(c *cobra.Command, events []imports.Event) (refused []imports.Problem, err error) {
	body := []byte{'['}
	for i, e := range events {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, e.JSON...)
	}
	body = append(body, ']')

	for try := 1; ; try++ {
		rows, wait, err := in.post(c, body)
		if err == nil && len(rows) != len(events) {
			return nil, errors.New("the answer to a batch has another number of rows")
		}
		again := slices.IndexFunc(rows, func(r importedRow) bool { return r.Status >= 500 || r.Status == http.StatusTooManyRequests })
		if err == nil && again < 0 {
			return refusedOf(rows, events), nil
		}
		if err == nil {
			err = fmt.Errorf("row %d could not be recorded now: %s", events[again].Row, rows[again].why())
		}
		if wait == 0 || try == importTries {
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-c.Context().Done():
			return nil, c.Context().Err()
		}
	}
}

func (r importedRow) why() string {
	if r.Problem == nil {
		return "status " + strconv.Itoa(r.Status)
	}
	return r.Problem.Detail
}

// refusedOf returns what was refused for good.
func refusedOf(rows []importedRow, events []imports.Event) (refused []imports.Problem) {
	for i, r := range rows {
		if r.Status/100 == 2 {
			continue
		}
		p := imports.Problem{Row: events[i].Row, Problem: r.why()}
		if r.Problem != nil {
			p.Code = r.Problem.Code
		}
		refused = append(refused, p)
	}
	return refused
}

// post sends a batch. Wait is how long to wait before it is sent again; zero: never.
func (in importing) post(c *cobra.Command, body []byte) (rows []importedRow, wait time.Duration, err error) {
	resp, err := remote.Send(c.Context(), c, http.MethodPost, remote.App(in.app)+"/events", "application/cloudevents-batch+json", body)
	if err != nil {
		return nil, time.Second, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, time.Second, err
	}
	if resp.StatusCode/100 != 2 {
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
			seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
			wait = time.Duration(cmp.Or(seconds, 1)) * time.Second
		}
		return nil, wait, exit.ProblemOf(resp.StatusCode, text)
	}
	var answer struct {
		Results []importedRow `json:"results"`
	}
	err = json.Unmarshal(text, &answer)
	return answer.Results, time.Second, err
}
