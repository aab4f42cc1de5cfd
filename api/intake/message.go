package intake

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
)

// parse reads a CloudEvent from a message, structured or binary, and returns
// its type if the headers say it. A type in the subject is what the sender may
// say: an event of another type is refused.
func parse(subject string, header nats.Header, data []byte) (req ledger.Request, hint string, err error) {
	if req, hint, err = parseEvent(subject, header, data); err != nil {
		return req, hint, err
	}
	if said, has := typeOf(subject); has && said != wire.TypeOf(req) {
		return ledger.Request{}, hint, domain.Refusal{Code: domain.Malformed, Path: "type",
			Text: "type must be the one that the subject ends with, as in consent.v1.smartkey.in.consent.withdrawn"}
	}
	return req, hint, nil
}

func parseEvent(subject string, header nats.Header, data []byte) (req ledger.Request, hint string, err error) {
	app, err := appOf(subject)
	if err != nil {
		return ledger.Request{}, "", err
	}
	attrs, binary, err := attributes(header)
	if err != nil {
		return ledger.Request{}, attrs["type"], err
	}
	signed, err := wire.ParseSignature(signatures(header), data)
	switch {
	case err != nil:
		return ledger.Request{}, attrs["type"], err
	case binary && signed != nil:
		return ledger.Request{}, attrs["type"], wire.ErrSignedForm
	case binary:
		req, err = wire.ParseBinary(app, attrs, data)
		return req, attrs["type"], err
	}
	req, err = wire.ParseEvent(app, data)
	req.Signed = signed
	return req, "", err
}

// signatures returns the values of the header of signatures, however its name
// is written.
func signatures(header nats.Header) (values []string) {
	for name, v := range header {
		if strings.EqualFold(name, wire.SignatureHeader) {
			values = append(values, v...)
		}
	}
	return values
}

// appOf returns the app in "consent.v1.<app>.…".
func appOf(subject string) (domain.AppName, error) {
	rest, _ := strings.CutPrefix(subject, "consent.v1.")
	name, _, _ := strings.Cut(rest, ".")
	app, err := domain.ParseAppName(name)
	if err != nil {
		return "", domain.Refusal{Code: domain.UnknownApp, Text: "the third token of the subject: " + err.Error()}
	}
	return app, nil
}

// typeOf returns the type in "consent.v1.<app>.in.<type>", which may be of no
// kind that is known. Other subjects have none.
func typeOf(subject string) (kind string, has bool) {
	rest, _ := strings.CutPrefix(subject, "consent.v1.")
	_, rest, _ = strings.Cut(rest, ".")
	return strings.CutPrefix(rest, "in.")
}

// attributes returns the attributes in the ce- headers of binary mode.
func attributes(header nats.Header) (attrs map[string]string, binary bool, err error) {
	for name, values := range header {
		lower := strings.ToLower(name)
		if lower == "content-type" && len(values) > 0 && strings.HasPrefix(strings.ToLower(values[0]), "application/cloudevents") {
			return nil, false, nil
		}
		name, isCE := strings.CutPrefix(lower, "ce-")
		if !isCE {
			continue
		}
		if attrs == nil {
			attrs = make(map[string]string, len(header))
		}
		value, bad := decode(values)
		if _, twice := attrs[name]; twice || bad {
			err = domain.Refusal{Code: domain.Malformed, Text: "a ce- header stands once and holds percent-encoded UTF-8"}
		}
		attrs[name] = value
	}
	return attrs, attrs != nil, err
}

// decode takes the percent-encoding off, once.
func decode(values []string) (string, bool) {
	if len(values) != 1 {
		return "", true
	}
	value := values[0]
	if strings.IndexByte(value, '%') >= 0 {
		plain, err := url.PathUnescape(value)
		if err != nil {
			return "", true
		}
		value = plain
	}
	return value, !utf8.ValidString(value)
}
