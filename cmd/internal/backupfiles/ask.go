package backupfiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore/backup"

	"github.com/spf13/cobra"
)

// askBackup has the running server make the backup.
func askBackup(
	c *cobra.Command, lines string, open func(backup.Kind) (io.Writer, error),
) (*server.BackupReport, error) {
	body, err := json.Marshal(server.BackupRequest{Recipients: lines})
	if err != nil {
		return nil, err
	}

	resp, err := remote.Send(c.Context(), c, http.MethodPost, "/v1/backup", "application/json", body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return nil, err
		}
		return nil, exit.ProblemOf(resp.StatusCode, text)
	}

	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return nil, errors.New("the server's answer is not a backup: is it of this version?")
	}

	report, err := readBackup(multipart.NewReader(resp.Body, params["boundary"]), open)
	if err != nil {
		return nil, fmt.Errorf("the backup was not finished, and nothing is kept of it: %w", err)
	}
	return report, nil
}

// readBackup reads both files and what the server says that it sent.
func readBackup(r *multipart.Reader, open func(backup.Kind) (io.Writer, error)) (*server.BackupReport, error) {
	got := map[backup.Kind]server.WrittenFile{}
	for _, kind := range []backup.Kind{backup.Log, backup.Vault} {
		p, err := nextPart(r, string(kind))
		if err != nil {
			return nil, err
		}
		w, err := open(kind)
		if err != nil {
			return nil, err
		}
		out := server.NewCounting(w)
		if _, err := io.Copy(out, p); err != nil {
			return nil, err
		}
		got[kind] = out.Written(backup.Total{})
	}

	p, err := nextPart(r, "report")
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(p, files.MaxOwnFile))
	if err != nil {
		return nil, err
	}
	report := new(server.BackupReport)
	if err := json.Unmarshal(text, report); err != nil {
		return nil, errors.New("what it says of them is no JSON")
	}
	if report.Log.Sum != got[backup.Log].Sum || report.Vault.Sum != got[backup.Vault].Sum {
		return nil, errors.New("what arrived is not what was sent")
	}
	return report, nil
}

func nextPart(r *multipart.Reader, name string) (*multipart.Part, error) {
	p, err := r.NextRawPart()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && p.FormName() != name {
		err = fmt.Errorf("it sent %.20q, want %q", p.FormName(), name)
	}
	return p, err
}
