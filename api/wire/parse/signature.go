package parse

import (
	"encoding/base64"
	"strings"

	"consentledger/domain"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"
)

// SignatureHeader names the header that holds a signer's signature over the
// bytes of one structured event, exactly as they were sent:
//
//	Consent-Signature: backend;<the 64 bytes of an Ed25519 signature in base64>
const SignatureHeader = "Consent-Signature"

// Signature reads the values of a [SignatureHeader] over original. None
// means that the event is not signed.
func Signature(values []string, original []byte) (*ledger.Signature, error) {
	if len(values) == 0 {
		return nil, nil
	}
	signer, text, _ := strings.Cut(values[0], ";")
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	s := &ledger.Signature{Signer: strings.TrimSpace(signer), Original: original}
	if len(values) > 1 || err != nil || len(b) != len(s.Signature) || !IsName(s.Signer, 64) {
		return nil, malformed("the header " + SignatureHeader +
			" stands once and holds a signer's name, a semicolon and the 64 bytes of the signature in base64")
	}
	copy(s.Signature[:], b)
	return s, nil
}

// Sign puts the signature beside a request that was read of original, if values of a
// [SignatureHeader] hold one. Form says why what came cannot be signed; nil: it can.
// A header that holds no signature refuses a grant. An opt-out is taken as unsigned.
func Sign(req ledger.Request, values []string, original []byte, form error) (ledger.Request, error) {
	if len(values) == 0 {
		return req, nil
	}

	signed, err := Signature(values, original)
	if err == nil {
		err = form
	}
	switch {
	case err == nil:
		req.Signed = signed
	case domain.IsOptOut(req.Command):
		req.Unread = req.Unread.With(ledger.SignatureName, strings.Join(values, ", "))
	default:
		return ledger.Request{}, err
	}
	return req, nil
}

// ErrSignedForm refuses a signature over what is not one structured event.
var ErrSignedForm error = refusal.Refusal{Code: refusal.Malformed,
	Text: "a signature is over the bytes of one structured event: neither binary mode nor a batch can be signed"}
