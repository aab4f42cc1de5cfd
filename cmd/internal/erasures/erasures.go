// Package erasures asks a running server about erasures of many: what the verbs of erasure do beyond
// their flags.
package erasures

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
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

// Describe puts into a list, of each job that waits for an approver, what the job says of
// itself: its digest, too. For that the server reads all that was handed over, so that a list
// does not have it.
func Describe(c *cobra.Command, jobs []json.RawMessage) error {
	for i, row := range jobs {
		var job rest.ErasureJob
		if err := json.Unmarshal(row, &job); err != nil {
			return err
		}
		if job.State != "draft" || !job.NeedsApprover {
			continue
		}
		answer, err := Ask(c, http.MethodGet, nil, job.ID)
		if err != nil {
			return err
		}
		jobs[i] = answer
	}
	return nil
}

// CheckNew refuses a file for a certificate that is there, before anything is asked; of an
// empty name there is none.
func CheckNew(file string) error {
	if err := files.CheckOut("--file", file); err != nil || file == "" {
		return err
	}
	info, err := os.Lstat(file)
	if err != nil {
		return nil // it is new
	}
	what := fmt.Sprintf("a file of %d bytes, written %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339))
	if !info.Mode().IsRegular() {
		what = "no plain file"
	}
	return exit.Usage(fmt.Errorf("--file: %s is there already (%s), and is not written over: check it with "+
		"consentledger verify erasure, and name a new file, or move it away", file, what))
}

// WriteNew writes a certificate to a new file. What could not be written whole is removed: it
// verifies nowhere.
func WriteNew(file string, r io.Reader) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return CheckNew(file)
	}
	if err != nil {
		return exit.Usage(fmt.Errorf("--file: %w", err))
	}
	if err = CopyWhole(f, r); err == nil {
		return f.Close()
	}
	return fmt.Errorf("the certificate did not come whole, and %s is removed: %w", file,
		errors.Join(err, f.Close(), os.Remove(file)))
}

// CopyWhole copies a certificate as it comes. The line that it ends with if the server cannot go
// on is an error, and no part of it.
func CopyWhole(to io.Writer, r io.Reader) error {
	return remote.CopyLines(to, r, "the certificate")
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
