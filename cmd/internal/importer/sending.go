package importer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"consentledger/api/imports"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/progress"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// send records the plan's events, batch after batch: so each person's stay in order.
func (in Import) send(c *cobra.Command, plan *imports.Plan, out *json.Encoder) error {
	tell := progress.To(c.ErrOrStderr())
	refused := 0
	for i := 0; i < plan.Events(); {
		events, err := plan.Batch(i, importRows, importBytes)
		if err != nil {
			return err
		}
		problems, err := in.sendBatch(c, events)
		if err != nil {
			return fmt.Errorf("%w; %d of %d events are recorded: run the same command again, nothing is recorded twice",
				err, i-refused, plan.Events())
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

	fmt.Fprintf(c.ErrOrStderr(), "recorded %d, refused %d; what was recorded before is counted as recorded\n",
		plan.Events()-refused, refused)
	if refused > 0 {
		return fmt.Errorf("%d events were refused", refused)
	}
	return nil
}

// sendBatch records events, and returns those that were refused. What cannot be
// recorded now is sent again, with all that comes after it: a person's events stay in
// order, and what was recorded gets the same receipt.
func (in Import) sendBatch(c *cobra.Command, events []imports.Event) (refused []imports.Problem, err error) {
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
		again := slices.IndexFunc(rows,
			func(r importedRow) bool { return r.Status >= 500 || r.Status == http.StatusTooManyRequests })
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

// post sends a batch. Wait is how long to wait before it is sent again; zero: never.
func (in Import) post(c *cobra.Command, body []byte) (rows []importedRow, wait time.Duration, err error) {
	resp, err := remote.Send(c.Context(), c, http.MethodPost, remote.App(in.App)+"/events",
		"application/cloudevents-batch+json", body)
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

// How many events and about how many bytes are sent at once: the server takes 1000,
// in 1 MiB.
const (
	importRows  = 500
	importBytes = 512 << 10
)

// importTries is how often a batch is sent that the server cannot record just now.
const importTries = 8

// An importedRow is what became of one event.
type importedRow struct {
	Status  int `json:"status"`
	Problem *struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"problem"`
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
