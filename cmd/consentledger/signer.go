package main

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

var errTwoVersions = errors.New("name two versions by their hashes, or one policy file, and not both")

func newSigner() *cobra.Command {
	c := &cobra.Command{
		Use: "signer", Short: "Make keys by which a back end or a device signs what it sends",
	}
	c.AddCommand(&cobra.Command{
		Use: "new KEYFILE", Short: "Make an Ed25519 key (PEM, PKCS #8, mode 0600) and print its public half",
		Long: "Make an Ed25519 key (PEM, PKCS #8, mode 0600) and print its public half. Register it by an operator's event:\n" +
			`  consentledger record --operator --app smartkey --type signer.registered --data '{"name":"backend","key":"<what is printed>"}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				return err
			}
			der, err := x509.MarshalPKCS8PrivateKey(private)
			if err != nil {
				return err
			}
			if err := files.CheckOut("KEYFILE", args[0]); err != nil {
				return err
			}
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return exit.Usage(fmt.Errorf("KEYFILE: %s is there already, and may be a key that is in use: name a new file", args[0]))
			}
			if err != nil {
				return files.NamedBy("KEYFILE", err)
			}
			if err := errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Close()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), base64.StdEncoding.EncodeToString(public))
			return err
		},
	})
	return c
}

// A signingKey is what a command signs with: nothing, if no file is named.
type signingKey struct{ file, signer string }

func (k *signingKey) flags(c *cobra.Command) {
	c.Flags().StringVar(&k.file, "sign", "", "sign what is sent with this key file; see: signer new")
	c.Flags().StringVar(&k.signer, "signer", "", "the signer whose key it is, as it was registered")
	c.MarkFlagsRequiredTogether("sign", "signer")
}

// headers returns the header that signs body, if there is a key.
func (k signingKey) headers(body []byte) ([][2]string, error) {
	if k.file == "" {
		return nil, nil
	}
	signature, err := sign(k.file, k.signer, body)
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
