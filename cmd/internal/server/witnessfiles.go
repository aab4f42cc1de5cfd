package server

import (
	"crypto/x509"
	"fmt"

	"consentledger/api/audit/witness"
	"consentledger/cmd/internal/files"
)

// RootsOf reads certificates. Without a file they are those that this machine
// trusts: nil.
func RootsOf(file string, read files.FileReader) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := read(file, files.MaxStampFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return pool, nil
}

// PolicyOf reads a file that names witnesses.
func PolicyOf(file string, read files.FileReader) (witness.Policy, error) {
	text, err := read(file, files.MaxPolicyFile)
	if err != nil {
		return witness.Policy{}, err
	}
	p, err := witness.ParsePolicy(text)
	if err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}
