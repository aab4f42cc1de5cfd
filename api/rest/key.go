package rest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"

	"consentledger/api/wire"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An Idempotency-Key is one thing on every route that takes it: the name of what
// is sent. The same key with the same body is answered as before, and with another
// one refused; see [keyReused]. What leaves no record, since it is no news, leaves
// no key either.

// parseKey reads an Idempotency-Key, which may be quoted, as the draft of the
// IETF wants. Without the header there is none.
func parseKey(header string) (string, error) {
	text := strings.TrimSpace(header)
	key := text
	if quoted := strings.HasPrefix(text, `"`); quoted {
		key = strings.TrimSuffix(strings.TrimPrefix(text, `"`), `"`)
	}
	if text != "" && (key == "" || len(key) > maxKey ||
		strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' })) {
		return "", bad("the Idempotency-Key is a text of 1 to 255 printable characters without spaces, quoted or not")
	}
	return key, nil
}

const maxKey = 255

// withID gives an event the id that comes of a key.
func withID(body []byte, id string) ([]byte, error) {
	if id == "" {
		return body, nil
	}

	d := jsontext.NewDecoder(bytes.NewBuffer(bytes.Clone(body)), lenient)
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return body, nil // who parses it says what is wrong
	}

	with := append(make([]byte, 0, len(body)+len(id)+16), `{"id":"`+strings.ReplaceAll(id, `\`, `\\`)+`"`...)
	for d.PeekKind() != '}' {
		name, err := d.ReadValue()
		if err != nil {
			return body, nil
		}
		name = name.Clone()
		v, err := d.ReadValue()
		switch text, _ := jsontext.AppendUnquote(nil, name); {
		case err != nil:
			return body, nil
		case string(text) == "id" && v.Kind() == 'n':
			continue // a null is left out
		case string(text) == "id":
			return nil, errKeyAndID
		}
		with = append(append(append(append(with, ','), name...), ':'), v...)
	}

	end := int(d.InputOffset())
	return append(with, body[end:]...), nil
}

// lenient reads what an opt-out may hold: what is wrong with an event is for who
// parses it.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

var errKeyAndID error = bad("an event that has an id comes without Idempotency-Key: it is known by its id, and may " +
	"be sent again with it")

// keyReused tells a key that was used for something else from an id.
func keyReused(key string, err error) error {
	if r, no := errors.AsType[refusal.Refusal](err); key != "" && no && r.Code == refusal.IDReused {
		return failure{wire.Problem{
			Type:    "urn:consentledger:problem:idempotency-key-reused",
			Title:   "Idempotency-Key used for something else",
			Status:  http.StatusUnprocessableEntity,
			Code:    "idempotency-key-reused",
			Detail:  "this Idempotency-Key came before with something else: send the same again, or take a new key",
			Outcome: wire.Refused,
		}}
	}
	return err
}

// ownSource is the source of what comes by a route of its own and not as an event.
const ownSource = "rest"

// executeKeyed records what comes by a route of its own, under its key. Without
// one the same request again is another request.
func (s *server) executeKeyed(ctx context.Context, header string, req ledger.Request) (ledger.Receipt, error) {
	key, err := parseKey(header)
	if err != nil {
		return ledger.Receipt{}, err
	}

	req.Source, req.ID = ownSource, key
	switch {
	case key == "":
		req.ID = rand.Text()
	case key != header:
		req.Former = ledger.Name{Source: ownSource, ID: header} // earlier programs took the quotes for a part of it
	}
	r, err := s.execute(ctx, req)
	return r, keyReused(key, err)
}
