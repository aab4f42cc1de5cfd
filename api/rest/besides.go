package rest

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/eventstore/ledger"
)

// keyHeader names the header that gives an id to an event that has none.
const keyHeader = "Idempotency-Key"

// besides are the headers that stand beside the events of a request. What is wrong
// with one refuses a grant. An opt-out is taken without it, and its record names it.
type besides struct {
	sent       []byte      // the body, which may be signed
	signatures []string    // as they were sent
	ours       http.Header // Consent-..., all of them
	keys       []string
	key        string // empty: none, or none that can be read
	keyErr     error  // why it cannot be read
}

func besidesOf(h http.Header, sent []byte) besides {
	b := besides{sent: sent, signatures: h.Values(parse.SignatureHeader), ours: maps.Clone(h),
		keys: h.Values(keyHeader)}
	maps.DeleteFunc(b.ours, func(name string, _ []string) bool { return !strings.HasPrefix(name, "Consent-") })
	switch {
	case len(b.keys) > 1:
		b.keyErr = bad(keyHeader + " stands twice: send it once")
	case len(b.keys) == 1 && strings.TrimSpace(b.keys[0]) == "":
		b.keyErr = bad(keyHeader + " is empty: give it a value, or leave it out")
	case len(b.keys) == 1:
		b.key, b.keyErr = parseKey(b.keys[0])
	}
	return b
}

// read reads an event, which named reads with a key as its id, or by its own if the
// key is empty. It is of a batch's row, from 1; zero: it came alone. Form says why
// it cannot be signed; nil: it can. The key that is returned is the one by which the
// event is known; empty: it is known by its own id.
func (b besides) read(
	row int, form error, named func(key string) (ledger.Request, error),
) (ledger.Request, string, error) {
	key := b.key
	if key != "" && row > 0 {
		key += "/" + strconv.Itoa(row)
	}

	req, err := ledger.Request{}, b.keyErr
	if err == nil {
		req, err = named(key)
	}
	if b.keyErr != nil || errors.Is(err, errKeyAndID) {
		own, bad := named("")
		if bad != nil || !domain.IsOptOut(own.Command) {
			return ledger.Request{}, key, err
		}
		own.Unread = own.Unread.With(strings.ToLower(keyHeader), strings.Join(b.keys, ", "))
		req, key, err = own, "", nil
	}
	if err != nil {
		return ledger.Request{}, key, err
	}
	if req, err = parse.Sign(req, b.signatures, b.sent, form); err == nil {
		err = parse.StrayHeaders(&req, b.ours, parse.SignatureHeader)
	}
	if err != nil {
		return ledger.Request{}, key, err
	}
	return req, key, nil
}
