package intake

import (
	"strings"
	"time"

	"consentledger/api/nats/subject"
	"consentledger/api/wire/parse"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
)

// readMessage reads a CloudEvent from a message, structured or binary, and returns
// its type if the headers say it. A type in the subject is what the sender may
// say: an event of another type is refused.
func readMessage(sentTo string, header nats.Header, data []byte) (req ledger.Request, hint string, err error) {
	if req, hint, err = parseEvent(sentTo, header, data); err != nil {
		return req, hint, err
	}
	if err := parse.StrayHeaders(&req, header, parse.SignatureHeader); err != nil {
		return ledger.Request{}, hint, err
	}
	if said, has := subject.Type(sentTo); has && said != parse.TypeOf(req) {
		return ledger.Request{}, hint, refusal.Refusal{Code: refusal.Malformed, Path: "type",
			Text: "type must be the one that the subject ends with, as in " +
				subject.Of("smartkey", subject.In+"consent.withdrawn")}
	}
	return req, hint, nil
}

func parseEvent(sentTo string, header nats.Header, data []byte) (req ledger.Request, hint string, err error) {
	app, err := appOf(sentTo)
	if err != nil {
		return ledger.Request{}, "", err
	}

	// The content type alone tells the mode, so two would be two messages. One that
	// is no JSON's is no reason here: nobody's browser sends it.
	mode, err := parse.ModeOf(header)
	if err != nil && parse.Repeated(header, "Content-Type") {
		return ledger.Request{}, "",
			refusal.Refusal{Code: refusal.Malformed, Path: "content-type",
				Text: "the header Content-Type stands twice: send it once"}
	}

	if mode == 0 {
		return ledger.Request{}, "", err
	}
	if mode == parse.Binary {
		hint = parse.BinaryType(header)
	}

	var form error // why it cannot be signed
	switch mode {
	case parse.Batch:
		return ledger.Request{}, hint, errBatch
	case parse.Binary:
		form = parse.ErrSignedForm
		req, err = parse.BinaryEvent(app, header, data, "")
	case parse.Structured, parse.Plain:
		req, err = parse.Event(app, data)
	}
	if err == nil {
		req, err = parse.Sign(req, signatures(header), data, form)
	}
	return req, hint, err
}

// errBatch refuses what does not come in this form over NATS.
var errBatch error = refusal.Refusal{Code: refusal.Malformed, Path: "content-type",
	Text: "a message holds one event: send the events of a batch one by one"}

// signatures returns the values of the header of signatures, however its name
// is written.
func signatures(header nats.Header) (values []string) {
	for name, v := range header {
		if strings.EqualFold(name, parse.SignatureHeader) {
			values = append(values, v...)
		}
	}
	return values
}

// dated returns a request that says no time as of when its message came, see [parse.CameAt].
func (c Config) dated(req ledger.Request, came time.Time) ledger.Request {
	return parse.CameAt(req, deadline.At(came), c.Ledger.Now())
}

// appOf returns whose subject it is.
func appOf(sentTo string) (ident.AppName, error) {
	name, _ := subject.Parse(sentTo)
	app, err := ident.ParseAppName(name)
	if err != nil {
		return "", refusal.Refusal{Code: refusal.UnknownApp, Text: "the third token of the subject: " + err.Error()}
	}
	return app, nil
}
