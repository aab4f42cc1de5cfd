package main

import (
	"crypto/x509"
	"fmt"

	"consentledger/api/audit/witness"
)

// rootsOf reads certificates. Without a file they are those that this machine
// trusts: nil.
func rootsOf(file string, read fileReader) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := read(file, maxStampFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return pool, nil
}

// policyOf reads a file that names witnesses.
func policyOf(file string, read fileReader) (witness.Policy, error) {
	text, err := read(file, maxPolicyFile)
	if err != nil {
		return witness.Policy{}, err
	}
	p, err := witness.ParsePolicy(text)
	if err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}
