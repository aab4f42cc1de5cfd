package clientcert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/clientcert"
	"consentledger/api/auth/roles"
	"consentledger/eventstore/memory"
)

const file = `
certificates:
  - name: shop-back-end
    uri: spiffe://example.com/shop
    roles: [app-writer]
    apps: [shop]
  - name: dashboards
    dns: dashboards.example.com
    roles: [viewer]
    all_apps: true
  - name: desk
    subject: CN=desk,O=Demo\, Ltd
    roles: [support-agent]
    apps: [shop]
`

// twoNames are a subject with two common names, of which Go's own text shows the last.
var twoNames = []pkix.AttributeTypeAndValue{
	{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "Demo, Ltd"},
	{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "somebody"},
	{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "desk"},
}

var now = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// certificate returns one as TLS hands it over: written, and read again.
func certificate(t *testing.T, template x509.Certificate) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACertificateIsOfWhoHasItsName(t *testing.T) {
	f, err := roles.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	names, err := auth.OpenPseudonyms(t.Context(), new(memory.Rows))
	if err != nil {
		t.Fatal(err)
	}
	at := now
	known, err := clientcert.New(f, names, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	uri := func(s string) []*url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return []*url.URL{u}
	}

	for name, c := range map[string]struct {
		template x509.Certificate
		key      string
		want     error
	}{
		"by its URI":                   {x509.Certificate{URIs: uri("spiffe://example.com/shop")}, "cert-shop-back-end", nil},
		"by its DNS name":              {x509.Certificate{DNSNames: []string{"x", "dashboards.example.com"}}, "cert-dashboards", nil},
		"by its subject":               {x509.Certificate{Subject: pkix.Name{CommonName: "desk", Organization: []string{"Demo, Ltd"}}}, "cert-desk", nil},
		"a longer URI":                 {x509.Certificate{URIs: uri("spiffe://example.com/shop/x")}, "", clientcert.Unknown},
		"another host":                 {x509.Certificate{URIs: uri("spiffe://example.org/shop")}, "", clientcert.Unknown},
		"a name under a DNS name":      {x509.Certificate{DNSNames: []string{"a.dashboards.example.com"}}, "", clientcert.Unknown},
		"a DNS name as the subject":    {x509.Certificate{Subject: pkix.Name{CommonName: "dashboards.example.com"}}, "", clientcert.Unknown},
		"another organization":         {x509.Certificate{Subject: pkix.Name{CommonName: "desk", Organization: []string{"Demo"}}}, "", clientcert.Unknown},
		"a common name that holds all": {x509.Certificate{Subject: pkix.Name{CommonName: `desk,O=Demo\, Ltd`}}, "", clientcert.Unknown},
		"of two common names":          {x509.Certificate{Subject: pkix.Name{ExtraNames: twoNames}}, "", clientcert.Unknown},
		"nobody":                       {x509.Certificate{}, "", clientcert.Unknown},
		"of two":                       {x509.Certificate{URIs: uri("spiffe://example.com/shop"), DNSNames: []string{"dashboards.example.com"}}, "", clientcert.Several},
	} {
		p, err := known.Authenticate(certificate(t, c.template))
		if err != c.want || p.Key != c.key || (len(p.Bindings) > 0) != (c.want == nil) {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}

	one, other := certificate(t, x509.Certificate{URIs: uri("spiffe://example.com/shop")}), certificate(t, x509.Certificate{URIs: uri("spiffe://example.com/shop")})
	a, err1 := known.Authenticate(one)
	b, err2 := known.Authenticate(other)
	if err1 != nil || err2 != nil || a.Pseudonym != b.Pseudonym || a.Pseudonym == "" {
		t.Errorf("a certificate that takes the place of another: %q %q", a.Pseudonym, b.Pseudonym)
	}
	at = now.Add(2 * time.Hour) // the connection stands longer than the certificate
	if _, err := known.Authenticate(one); err != clientcert.Expired {
		t.Errorf("one that has expired: %v", err)
	}
}
