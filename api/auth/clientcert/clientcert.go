// Package clientcert authenticates programs by their certificates of TLS (mTLS). That a
// certificate comes from an authority that is trusted, TLS has verified before; this
// package says whose it is, by a file, see package roles.
package clientcert

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/roles"
)

// Certificates are those that somebody comes in by. Its methods may be called
// concurrently.
type Certificates struct {
	entries []roles.Certificate
	names   auth.Pseudonyms
	now     func() time.Time
}

// New returns the certificates of a file.
func New(f *roles.File, names auth.Pseudonyms, now func() time.Time) (*Certificates, error) {
	if len(f.Certificates) == 0 {
		return nil, errors.New("no certificate has a role: name some under certificates")
	}
	return &Certificates{f.Certificates, names, now}, nil
}

// Why somebody with a certificate is not let in.
const (
	Expired auth.Denied   = "this certificate has expired: connect again with another"
	Unknown auth.Unmapped = "this certificate has no role here: its subject, URI and DNS names are none of those in " +
		"the file of roles"
	Several auth.Unmapped = "this certificate has several names here, and so is nobody's: one entry of the file of " +
		"roles should recognise it"
)

// Authenticate returns whose certificate that is. Every certificate of one entry is the
// same principal, also one that takes the place of another.
func (c *Certificates) Authenticate(leaf *x509.Certificate) (auth.Principal, error) {
	if now := c.now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return auth.Principal{}, Expired
	}

	var found []roles.Certificate
	for _, e := range c.entries {
		if recognises(e, leaf) {
			found = append(found, e)
		}
	}

	switch len(found) {
	case 0:
		return auth.Principal{}, Unknown
	case 1:
		e := found[0]
		return auth.Principal{
			Pseudonym: c.names.Of("certificate", e.Name),
			Key:       Prefix + e.Name,
			Bindings:  []auth.Binding{e.Binding},
			Ends:      leaf.NotAfter,
		}, nil
	}
	return auth.Principal{}, Several
}

// NamesGroups reports whether an entry gives roles in groups of apps.
func (c *Certificates) NamesGroups() bool {
	return slices.ContainsFunc(c.entries, func(e roles.Certificate) bool { return len(e.Binding.Groups) > 0 })
}

// Bindings returns what the holder of a certificate may do, by the pseudonym that records
// have; nil: it is nobody's.
func (c *Certificates) Bindings(principal string) []auth.Binding {
	for _, e := range c.entries {
		if c.names.Of("certificate", e.Name) == principal {
			return []auth.Binding{e.Binding}
		}
	}
	return nil
}

// Prefix begins what stands for the id of a key, where there is a certificate: it names
// inboxes on NATS, and no id of a key has a hyphen.
const Prefix = "cert-"

// recognises reports whether an entry is of a certificate. Names are compared whole, and
// the common name is no DNS name.
func recognises(e roles.Certificate, leaf *x509.Certificate) bool {
	switch {
	case e.Subject != "":
		return whole(leaf.Subject) && leaf.Subject.String() == e.Subject
	case e.DNS != "":
		return slices.Contains(leaf.DNSNames, e.DNS)
	}
	for _, uri := range leaf.URIs {
		if uri.String() == e.URI {
			return true
		}
	}
	return false
}

// whole reports whether a subject has one common name and one serial number at most: of
// several, what is compared would show the last one alone.
func whole(subject pkix.Name) bool {
	commonName, serialNumber := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 5}
	names, numbers := 0, 0
	for _, a := range subject.Names {
		switch {
		case a.Type.Equal(commonName):
			names++
		case a.Type.Equal(serialNumber):
			numbers++
		}
	}
	return names <= 1 && numbers <= 1
}
