package webhook

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"consentledger/api/outgoing"
)

// errPrivate says that a name leads to an address that no webhook goes to.
var errPrivate = errors.New("its name leads to an address that is not of the internet; serve --webhook-allow-private " +
	"allows it")

// client returns what requests are sent with. It follows no redirects.
func (h *Hooks) client(answer time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: answer / 2}
	if !h.Private {
		dialer.Control = outgoing.PublicAlone(errPrivate)
	}

	return &http.Client{
		Timeout: answer,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: h.Roots},
			TLSHandshakeTimeout:    answer / 2,
			MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
		},
	}
}
