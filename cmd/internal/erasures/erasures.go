// Package erasures asks a running server about erasures of many: what the verbs of erasure do beyond
// their flags.
package erasures

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"consentledger/api/rest"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// Columns are what a table shows of an erasure of many.
var Columns = []string{"id", "of", "state", "persons", "erased", "already", "kept", "unknown", "began", "ended",
	"reason", "digest", "error"}

// Path returns the path of an app's erasures of many, and what follows it.
func Path(c *cobra.Command, parts ...string) (string, error) {
	app, err := c.Flags().GetString("app")
	if err != nil {
		return "", err
	}
	path := "/v1/apps/" + url.PathEscape(app) + "/erasures"
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path, nil
}

// Ask asks the server something of jobs; in nil: without a body.
func Ask(c *cobra.Command, method string, in any, parts ...string) ([]byte, error) {
	path, err := Path(c, parts...)
	if err != nil {
		return nil, err
	}
	if method == http.MethodGet {
		return remote.Get(c, path)
	}
	return remote.Post(c, path, in)
}

// Begin begins a job. The ids of a file are handed over in parts; whoever was cut
// off in between begins again with the same --id.
func Begin(c *cobra.Command, in rest.NewErasure, file string) ([]byte, error) {
	ids := c.InOrStdin()
	if file != "" && file != "-" { // a file that cannot be read begins nothing
		f, err := files.OpenInput(file)
		if err != nil {
			return nil, exit.Usage(fmt.Errorf("--file: %w", err))
		}
		defer f.Close()
		ids = f
	}

	answer, err := Ask(c, http.MethodPost, in)
	if err != nil {
		return nil, err
	}

	var job rest.ErasureJob
	if err := json.Unmarshal(answer, &job); err != nil {
		return nil, err
	}
	if file == "" && job.NeedsApprover {
		return Ask(c, http.MethodGet, nil, job.ID)
	}
	if file == "" {
		return answer, nil
	}
	if job.State != "draft" { // it was begun before
		return answer, nil
	}
	if err := handOver(c, job.ID, ids); err != nil {
		return nil, fmt.Errorf("job %s is a draft, and erases nobody: %w", job.ID, err)
	}
	if job.NeedsApprover {
		return Ask(c, http.MethodGet, nil, job.ID)
	}
	return Ask(c, http.MethodPost, nil, job.ID, "start")
}

// idsInPart is how many ids are handed over at once.
const idsInPart = 5000

// handOver hands over ids, a line each.
func handOver(c *cobra.Command, job string, in io.Reader) error {
	part := rest.ErasurePart{Part: 1}
	send := func() error {
		if len(part.Subjects) == 0 {
			return nil
		}
		_, err := Ask(c, http.MethodPost, part, job, "subjects")
		if err != nil {
			return fmt.Errorf("ids %d to %d: %w", (part.Part-1)*idsInPart+1, (part.Part-1)*idsInPart+len(part.Subjects),
				err)
		}
		part = rest.ErasurePart{Part: part.Part + 1}
		return nil
	}

	lines := bufio.NewScanner(in)
	for lines.Scan() {
		id := strings.TrimSpace(strings.TrimSuffix(lines.Text(), "\r"))
		if id == "" {
			continue
		}
		if part.Subjects = append(part.Subjects, id); len(part.Subjects) == idsInPart {
			if err := send(); err != nil {
				return err
			}
		}
	}
	return errors.Join(lines.Err(), send())
}

// Await tells how far a job is until it has ended.
func Await(c *cobra.Command, answer []byte) error {
	var job rest.ErasureJob
	said := ""
	for {
		if err := json.Unmarshal(answer, &job); err != nil {
			return err
		}
		line := fmt.Sprintf("%d of %d erased, %d may not be erased", job.Erased+job.Already, job.Persons, job.Kept)
		if job.Error != "" {
			line += "; " + job.Error
		}
		if line != said {
			fmt.Fprintln(c.ErrOrStderr(), line)
			said = line
		}
		if job.State != "running" {
			return output.One(c, answer, Columns...)
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-c.Context().Done():
			return c.Context().Err()
		}
		var err error
		if answer, err = Ask(c, http.MethodGet, nil, job.ID); err != nil {
			return err
		}
	}
}

// TellApprover says what a job waits for, and by which digest it is approved.
func TellApprover(c *cobra.Command, answer []byte) {
	var job rest.ErasureJob
	if json.Unmarshal(answer, &job) == nil && job.NeedsApprover {
		fmt.Fprintf(c.ErrOrStderr(),
			"nobody is erased yet: another principal with the role approver starts it; give them this digest:\n"+
				"  consentledger erasure start --app %s %s --digest %s\n",
			c.Flag("app").Value, job.ID, job.Digest)
	}
}
