package callout

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"consentledger/api/auth"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// Keys are what the ledger answers with.
type Keys struct {
	Issuer string // the public account key, as auth_callout.issuer names it
	XKey   string // the public curve key, as auth_callout.xkey names it; empty: nothing is encrypted

	sign  nkeys.KeyPair
	curve nkeys.KeyPair // nil: nothing is encrypted
}

// Why a seed is none. They do not repeat it.
var (
	errSeed  = errors.New("want the seed of an account key (SA...), as nats auth nkey gen account prints it")
	errCurve = errors.New("want the seed of a curve key (SX...), as nats auth nkey gen x25519 prints it")
)

// ParseSeed returns the Keys of the seed of an account key, as a file holds it.
func ParseSeed(text []byte) (Keys, error) {
	kind, _, err := nkeys.DecodeSeed(bytes.TrimSpace(text))
	if err != nil || kind != nkeys.PrefixByteAccount {
		return Keys{}, errSeed
	}
	k := Keys{}
	if k.sign, err = nkeys.FromSeed(bytes.TrimSpace(text)); err == nil {
		k.Issuer, err = k.sign.PublicKey()
	}
	if err != nil {
		return Keys{}, errSeed
	}
	return k, nil
}

// WithCurve returns k with the seed of a curve key: what servers ask is encrypted for it.
func (k Keys) WithCurve(text []byte) (_ Keys, err error) {
	if k.curve, err = nkeys.FromCurveSeed(bytes.TrimSpace(text)); err == nil {
		k.XKey, err = k.curve.PublicKey()
	}
	if err != nil {
		return Keys{}, errCurve
	}
	return k, nil
}

// A question is what a server asks.
type question struct {
	*jwt.AuthorizationRequestClaims
	encrypted string // for whom the answer is; empty: it is not encrypted
	misled    error  // why the server will not take the answer; nil: it will
}

// secret returns what the client says as its token or its password.
func (q *question) secret() string {
	return cmp.Or(q.ConnectOptions.Token, q.ConnectOptions.Password)
}

// What is wrong with how a server asks. Each names what is to be changed.
var (
	errPlain = errors.New("it asks in the clear, and the ledger has a key to ask with: put xkey into its " +
		"auth_callout, or leave out --nats-callout-xkey")
	errSealed = errors.New("it asks encrypted, and the ledger has no key to read it: say --nats-callout-xkey, or " +
		"take xkey out of its auth_callout")
	errNoQuestion = errors.New("the message is no question of a NATS server that is made for now")
)

// open reads what a server asks.
func (k Keys) open(m *nats.Msg) (*question, error) {
	text, from := m.Data, m.Header.Get(encryptedHeader)
	switch {
	case from == "" && k.curve != nil:
		return nil, errPlain
	case from != "" && k.curve == nil:
		return nil, errSealed
	case from != "":
		var err error
		if text, err = k.curve.Open(text, from); err != nil {
			return nil, fmt.Errorf("it encrypts for another key: auth_callout.xkey of that server has to be %s", k.XKey)
		}
	}

	claims, err := jwt.DecodeAuthorizationRequestClaims(string(text))
	if err != nil {
		return nil, errNoQuestion
	}
	checks := jwt.CreateValidationResults()
	claims.Validate(checks)
	if checks.IsBlocking(true) || claims.Audience != audience || claims.Issuer != claims.Server.ID {
		return nil, errNoQuestion
	}

	q := &question{AuthorizationRequestClaims: claims, encrypted: from}
	if claims.Subject != k.Issuer {
		q.misled = fmt.Errorf("auth_callout.issuer of that server is %s, and the ledger signs as %s: put the "+
			"ledger's there, or give --nats-callout the seed of the other", claims.Subject, k.Issuer)
	}
	return q, nil
}

// encode returns the answer to a question: a user, or why there is none.
func (k Keys) encode(q *question, user *jwt.UserClaims, refused error) ([]byte, error) {
	answer := jwt.NewAuthorizationResponseClaims(q.UserNkey)
	answer.Audience = q.Server.ID
	if refused != nil {
		answer.Error = refused.Error()
	} else {
		text, err := user.Encode(k.sign)
		if err != nil {
			return nil, err
		}
		answer.Jwt = text
	}

	text, err := answer.Encode(k.sign)
	if err != nil || q.encrypted == "" {
		return []byte(text), err
	}
	return k.curve.Seal([]byte(text), q.encrypted)
}

// leafOf returns the certificate that a client showed to a server, once it is verified
// here as well: a server of NATS may trust more authorities than the ledger does.
func leafOf(trusted *x509.CertPool, shown *jwt.ClientTLS, now time.Time) (*x509.Certificate, error) {
	if trusted == nil || shown == nil {
		return nil, nil
	}
	texts := []string(shown.Certs)
	if len(shown.VerifiedChains) > 0 {
		texts = shown.VerifiedChains[0]
	}
	if len(texts) == 0 {
		return nil, nil
	}

	var chain []*x509.Certificate
	for _, text := range texts {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, errCertificate
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errCertificate
		}
		chain = append(chain, one)
	}
	between := x509.NewCertPool()
	for _, one := range chain[1:] {
		between.AddCert(one)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: trusted, Intermediates: between, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, errCertificate
	}
	return chain[0], nil
}

const errCertificate auth.Denied = "this certificate comes from no authority of --tls-client-ca, or does not hold now"
