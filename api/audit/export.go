package audit

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"consentledger/api/audit/bundle"
	"consentledger/domain"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections/transparency/merkle"
)

// An Exporter makes evidence bundles of the logs, see package bundle, and
// receipts of single consents.
//
//	POST /v1/apps/<app>/export      {"subject", "from", "to", "disclose", "lang"}
type Exporter struct {
	Logs interface {
		Logs
		VerifierKey(app domain.AppName) (string, error)
	}
	Ledger interface {
		Pseudonym(ctx context.Context, app domain.AppName, who domain.PersonKey) (string, bool, error)
		App(ctx context.Context, app domain.AppName) (domain.Reference, error)
		Disclose(ctx context.Context, e codec.Entry, of string) ([]ledger.Disclosure, error)
	}
	Blobs interface {
		Get(ctx context.Context, h blobs.Hash) ([]byte, bool, error)
	}
	Rejected func(ctx context.Context) (int, error) // messages that wait; nil: not known
	Software bundle.Software
	Now      func() time.Time
	Log      *slog.Logger
}

// maxExport bounds what is asked.
const maxExport = 1 << 16

// An exportRequest is what is asked: without a subject and a span, everything.
type exportRequest struct {
	Subject  string `json:"subject"`  // account:ID, device:ID or ID
	From     string `json:"from"`     // RFC 3339, of recording times
	To       string `json:"to"`       // not included
	Disclose bool   `json:"disclose"` // show the personal parts: of the subject, or of everybody
	Lang     string `json:"lang"`     // en, zh: of the report
}

// ServeHTTP answers with a bundle.
func (x *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := server{logs: x.Logs, log: x.Log}
	app, err := domain.ParseAppName(r.PathValue("app"))
	if err != nil {
		s.fail(w, r, badRequest(err.Error()))
		return
	}
	var ask exportRequest
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxExport))
	d.DisallowUnknownFields()
	if err := d.Decode(&ask); err != nil {
		s.fail(w, r, badRequest(`want an object such as {"subject": "account:ID", "disclose": true, "lang": "zh"}, or {} for the whole log`))
		return
	}
	f, err := os.CreateTemp("", "consentledger-export-*")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := x.write(r.Context(), f, app, ask); err != nil {
		s.fail(w, r, err)
		return
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="evidence-`+string(app)+`.zip"`)
	w.Header().Set("Cache-Control", "no-store")
	if _, err := io.Copy(w, f); err != nil {
		x.Log.WarnContext(r.Context(), "an export broke off", "err", err)
	}
}

// write makes the bundle that was asked for.
func (x *Exporter) write(ctx context.Context, w io.Writer, app domain.AppName, ask exportRequest) error {
	s, err := x.selection(ctx, app, ask)
	if err != nil {
		return err
	}
	m := bundle.Maker{
		Tiles:    func(t merkle.Tile) ([]byte, error) { return x.Logs.Tile(app, t) },
		Blob:     x.blob,
		Software: x.Software, Now: x.Now(), Report: bundle.Report(ask.Lang),
	}
	if m.Checkpoint, err = x.Logs.Checkpoint(app); err != nil {
		return err
	}
	text, _, _ := strings.Cut(string(m.Checkpoint), "\n\n")
	if m.Tree, err = merkle.ParseCheckpoint(text + "\n"); err != nil {
		return err
	}
	if m.Key, err = x.Logs.VerifierKey(app); err != nil {
		return err
	}
	if x.Rejected != nil {
		n, err := x.Rejected(ctx)
		if err != nil {
			return err
		}
		m.Rejected = &n
	}
	if ask.Disclose {
		m.Parts = func(ctx context.Context, record []byte) ([]bundle.Part, error) {
			return x.parts(ctx, record, s.Subject)
		}
	}
	_, err = m.Write(ctx, w, s)
	return err
}

func (x *Exporter) selection(ctx context.Context, app domain.AppName, ask exportRequest) (bundle.Selection, error) {
	s := bundle.Selection{App: app}
	for _, t := range []struct {
		name, text string
		to         *domain.Instant
	}{{"from", ask.From, &s.From}, {"to", ask.To, &s.To}} {
		var err error
		if t.text == "" {
			continue
		}
		if *t.to, err = domain.ParseInstant(t.text); err != nil {
			return s, badRequest(t.name + ": " + err.Error())
		}
	}
	if ask.Subject == "" {
		return s, nil
	}
	who, err := domain.ParsePersonKey(ask.Subject)
	if err != nil {
		return s, badRequest("subject: " + err.Error())
	}
	pseudonym, found, err := x.Ledger.Pseudonym(ctx, app, who)
	if err == nil && !found {
		err = errNobody
	}
	s.Subject = pseudonym
	return s, err
}

const errNobody = badRequest("subject: nothing is known of this person; who was erased is known by nobody's id")

func (x *Exporter) blob(ctx context.Context, hash string) ([]byte, bool, error) {
	h, err := blobs.ParseHash(hash)
	if err != nil {
		return nil, false, nil
	}
	return x.Blobs.Get(ctx, h)
}

// parts opens what a record says about one person, or about everybody.
func (x *Exporter) parts(ctx context.Context, record []byte, of string) ([]bundle.Part, error) {
	e, err := entryOf(record)
	if err != nil {
		return nil, err
	}
	open, err := x.Ledger.Disclose(ctx, e, of)
	if err != nil {
		return nil, err
	}
	var parts []bundle.Part
	for _, d := range open {
		parts = append(parts, bundle.Part{Event: e.ID.String(), Role: d.Role, Ref: d.Ref, Text: []byte(d.Text.Reveal()), Opening: d.Opening[:]})
	}
	return parts, nil
}
