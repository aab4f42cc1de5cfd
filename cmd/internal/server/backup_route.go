package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"consentledger/api/edge"
	"consentledger/api/wire"
	"consentledger/cmd/internal/files"
	"consentledger/eventstore/backup"

	"filippo.io/age"
)

// A BackupRequest is the body of POST /v1/backup.
type BackupRequest struct {
	Recipients string `json:"recipients,omitempty" doc:"as a file of age has them, one a line; absent: those of the server's --backup-recipients"`
}

// makeBackup answers with both files of a backup, each encrypted for those whom the
// request names, and then with what was sent. There is one at a time. What breaks on the
// way cuts the answer off: nobody takes it for whole.
func (h *Server) makeBackup(w http.ResponseWriter, r *http.Request) {
	edge.Limit(w, r, 10*time.Second)
	takes := edge.Route{Types: takesJSON.Types, NoDryRun: onlyReads}
	if err := takes.Check(r); err != nil {
		edge.Write(w, refusedOf(err))
		return
	}

	var asked BackupRequest
	body, err := io.ReadAll(io.LimitReader(r.Body, files.MaxKeyFile))
	if err == nil {
		err = json.Unmarshal(body, &asked)
	}
	if err != nil {
		edge.Write(w, edge.Plain(http.StatusBadRequest, `the body is not JSON of the form {"recipients": "age1..."}`))
		return
	}

	to, err := h.readersOf(asked.Recipients)
	if no, is := errors.AsType[*edge.Refused](err); is {
		edge.Write(w, no.Problem)
		return
	}
	if err != nil {
		h.Log.Error("a backup could not be begun", "error", err)
		edge.Write(w, edge.Plain(http.StatusInternalServerError,
			"the server's list of recipients cannot be read: its log says why"))
		return
	}
	if err := hasAll(h.Dir.path); err != nil {
		edge.Write(w, edge.Plain(http.StatusConflict, err.Error()))
		return
	}

	if !h.backingUp.TryLock() {
		edge.Write(w, edge.Plain(http.StatusConflict, "a backup is being made: wait until it is done"))
		return
	}
	defer h.backingUp.Unlock()
	h.sendBackup(w, r, to)
}

// readersOf returns for whom a backup is encrypted. Its files hold the logs' signing keys,
// so where somebody has to be authenticated, who asks does not choose who reads.
func (h *Server) readersOf(asked string) ([]age.Recipient, error) {
	refused := func(status int, text string) error { return &edge.Refused{Problem: edge.Plain(status, text)} }
	var known map[string]bool
	switch {
	case h.Config.BackupTo != "":
		text, err := files.ReadOwnFile(h.Config.BackupTo, files.MaxKeyFile)
		if err != nil {
			return nil, files.Unread("--backup-recipients", err)
		}
		if known = recipientLines(string(text)); len(recipientLines(asked)) == 0 {
			asked = string(text)
		}
	case h.keys != nil:
		return nil, refused(http.StatusConflict,
			"this server authenticates, and nobody has said who may read its backups: start serve with "+
				"--backup-recipients FILE")
	case len(recipientLines(asked)) == 0:
		return nil, refused(http.StatusBadRequest,
			"say who can read the backup, with --recipient or --recipients-file; consentledger backup new-identity "+
				"makes a recipient")
	}

	for line := range recipientLines(asked) {
		if known != nil && !known[line] {
			return nil, refused(http.StatusForbidden,
				"recipients: one of them is not among those of the server's --backup-recipients")
		}
	}
	to, err := age.ParseRecipients(strings.NewReader(asked))
	if err != nil {
		return nil, refused(http.StatusBadRequest, "recipients: want one or more lines as in age1...")
	}
	return to, nil
}

// recipientLines are the recipients in a text.
func recipientLines(text string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all[line] = true
		}
	}
	return all
}

func (h *Server) sendBackup(w http.ResponseWriter, r *http.Request, to []age.Recipient) {
	began := time.Now() // it holds what was recorded then
	parts := multipart.NewWriter(patient{w, http.NewResponseController(w)})
	w.Header().Set("Content-Type", "multipart/mixed; boundary="+parts.Boundary())
	w.Header().Set("Cache-Control", "no-store")
	part := func(name, kind string) (io.Writer, error) {
		return parts.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf("form-data; name=%q", name)},
			"Content-Type":        {kind},
		})
	}

	report, err := backupSource{h.Dir.path, h.Dir.DB}.write(r.Context(), to, func(kind backup.Kind) (io.Writer, error) {
		return part(string(kind), "application/octet-stream")
	})
	if err == nil {
		var last io.Writer
		if last, err = part("report", "application/json"); err == nil {
			err = json.NewEncoder(last).Encode(report)
		}
	}
	if err == nil {
		err = parts.Close()
	}
	if err != nil {
		h.Log.Error("a backup could not be finished", "error", err)
		panic(http.ErrAbortHandler) // the status was sent: cut the answer off
	}
	h.backedUp.Store(began.UnixMilli())
	h.Log.Info("a backup was made", "id", report.ID, "position", uint64(report.Position), "recipients", len(to))
}

// A patient writer waits a while for who reads, and not for ever: a snapshot is kept
// meanwhile.
type patient struct {
	io.Writer
	rc *http.ResponseController
}

const backupPatience = 5 * time.Minute

func (p patient) Write(b []byte) (int, error) {
	if err := p.rc.SetWriteDeadline(time.Now().Add(backupPatience)); err != nil &&
		!errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.Writer.Write(b)
}

// refusedOf is what is told of a request that a route does not take.
func refusedOf(err error) wire.Problem {
	if no, is := errors.AsType[*edge.Refused](err); is {
		return no.Problem
	}
	return edge.Plain(http.StatusBadRequest, "the request could not be read")
}
