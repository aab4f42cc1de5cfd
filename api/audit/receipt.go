package audit

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"consentledger/api/audit/receipt"
	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/transparency/merkle"
)

// A receiptRequest asks for the receipt of a consent.
type receiptRequest struct {
	Event    string `json:"event"`
	Form     string `json:"form"`     // kantara, iso27560
	Disclose bool   `json:"disclose"` // with the person's own words, for the person
}

// Receipt answers with the receipt of a consent, in a form that others read.
//
//	POST /v1/apps/<app>/receipts      {"event", "form", "disclose"}
func (x *Exporter) Receipt(w http.ResponseWriter, r *http.Request) {
	s := server{logs: x.Logs, log: x.Log}
	app, err := domain.ParseAppName(r.PathValue("app"))
	if err != nil {
		s.fail(w, r, badRequest(err.Error()))
		return
	}
	ask := receiptRequest{Form: receipt.Kantara}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxExport))
	d.DisallowUnknownFields()
	if err := d.Decode(&ask); err != nil {
		s.fail(w, r, badRequest(`want an object such as {"event": "01234567-89ab-cdef-0123-456789abcdef", "form": "kantara"}`))
		return
	}
	text, err := x.receipt(r.Context(), app, ask)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(text)
}

func (x *Exporter) receipt(ctx context.Context, app domain.AppName, ask receiptRequest) ([]byte, error) {
	id, err := eventstore.ParseEventID(ask.Event)
	if err != nil {
		return nil, badRequest("event: an event id is written as in 01234567-89ab-cdef-0123-456789abcdef")
	}
	index, err := x.Logs.Find(app, id)
	if err != nil {
		return nil, err
	}
	p, err := x.Logs.Proof(app, index)
	if err != nil {
		return nil, err
	}
	c, err := x.consent(ctx, app, p, ask)
	if err != nil {
		return nil, err
	}
	text, err := receipt.Write(ask.Form, c)
	if err != nil {
		err = badRequest(err.Error())
	}
	return text, err
}

// consent collects what a receipt is written from.
func (x *Exporter) consent(ctx context.Context, app domain.AppName, p merkle.Proof, ask receiptRequest) (c receipt.Consent, err error) {
	if c.Entry, err = entryOf(p.Extra); err != nil {
		return c, err
	}
	given, ok := c.Entry.Event.(domain.ConsentGiven)
	if !ok {
		return c, badRequest("event: the record is a " + c.Entry.Kind() + ": receipts are of consents given")
	}
	ref, err := x.Ledger.App(ctx, app)
	if err != nil {
		return c, err
	}
	c.App, c.Proof = ref.Service.App, p.Format()
	c.Policy, _ = ref.Policies.Version(given.Version)
	if c.Key, err = x.Logs.VerifierKey(app); err != nil {
		return c, err
	}
	if given.Text != (domain.Hash{}) {
		c.TextURL = "/v1/blobs/" + url.PathEscape(given.Text.String())
	}
	if ask.Disclose {
		c.Parts, err = x.parts(ctx, p.Extra, c.Entry.Stream.ID)
	}
	return c, err
}

// entryOf decodes a record as a log has it.
func entryOf(record []byte) (codec.Entry, error) {
	var name struct{ ID, Type, Stream string }
	if err := json.Unmarshal(record, &name); err != nil {
		return codec.Entry{}, err
	}
	id, err := eventstore.ParseEventID(name.ID)
	if err != nil {
		return codec.Entry{}, err
	}
	return codec.Decode(eventstore.Recorded{Record: eventstore.Record{ID: id, Type: name.Type, Data: record}, Stream: eventstore.Stream(name.Stream)})
}
