// Package signing signs what a back end or a device sends, by an Ed25519 key in a file.
package signing

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"

	"github.com/spf13/cobra"
)

// A Key is what a verb signs with: nothing, if no file is named.
type Key struct {
	File   string // PEM, PKCS #8
	Signer string // whose key it is, as it was registered
}

// Flags gives a verb the flags that name the key.
func (k *Key) Flags(c *cobra.Command) {
	c.Flags().StringVar(&k.File, "sign", "", "sign what is sent with this key file; see: signer new")
	c.Flags().StringVar(&k.Signer, "signer", "", "the signer whose key it is, as it was registered")
	c.MarkFlagsRequiredTogether("sign", "signer")
}

// Headers returns the header that signs body; none without a key.
func (k Key) Headers(body []byte) ([][2]string, error) {
	if k.File == "" {
		return nil, nil
	}
	signature, err := sign(k.File, k.Signer, body)
	return [][2]string{{"Consent-Signature", signature}}, err
}

// sign returns the header that signs body by the key in a file.
func sign(keyFile, signer string, body []byte) (string, error) {
	text, err := files.ReadOwnFile(keyFile, files.MaxKeyFile)
	if err != nil {
		return "", fmt.Errorf("--sign: %w", err)
	}

	block, _ := pem.Decode(text)
	if block == nil {
		return "", fmt.Errorf("--sign %s: want a PEM file; make one with: consentledger signer new", keyFile)
	}

	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return "", fmt.Errorf("--sign %s: want an Ed25519 key in PKCS #8", keyFile)
	}
	return signer + ";" + base64.StdEncoding.EncodeToString(ed25519.Sign(private, body)), nil
}

// NewKey makes a key in a new file, which what names, for its owner alone, and returns the
// public half as it is registered.
func NewKey(what, name string) (string, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", err
	}

	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", err
	}
	if err := files.CheckOut(what, name); err != nil {
		return "", err
	}

	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return "", exit.Usage(fmt.Errorf("%s: %s is there already, and may be a key that is in use: name a new file",
			what, name))
	}
	if err != nil {
		return "", files.NamedBy(what, err)
	}
	if err := errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Close()); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(public), nil
}
