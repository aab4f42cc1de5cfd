package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// An HTTPTransport reaches the ledger by HTTP.
type HTTPTransport struct {
	Client *http.Client // nil: http.DefaultClient
	Key    string       // the API key, sent as a bearer token; empty: none

	base string
	err  error // why base cannot be one
}

// HTTP returns a transport to the ledger at a URL, as in https://consent.example.com.
func HTTP(base string) *HTTPTransport {
	u, err := url.Parse(base)
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil) {
		err = errors.New("want a URL such as https://consent.example.com, without user, password and query")
	}
	return &HTTPTransport{base: strings.TrimRight(base, "/"), err: err}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

func (h *HTTPTransport) send(ctx context.Context, app string, r request) (answer, error) {
	if h.err != nil {
		return answer{}, fmt.Errorf("client: the ledger's URL: %w", h.err)
	}
	path, kind := "/events", "application/cloudevents+json"
	switch r.verb {
	case batchVerb:
		kind = "application/cloudevents-batch+json"
	case checkVerb:
		path, kind = "/check", "application/json"
	case promptVerb:
		path, kind = "/subjects/prompt", "application/json"
	case pictureVerb:
		path, kind = "/pictures", http.DetectContentType(r.body)
	case recordVerb:
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.base+"/v1/apps/"+app+path, bytes.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", kind)
	if h.Key != "" {
		req.Header.Set("Authorization", "Bearer "+h.Key)
	}
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(req.Header))

	client := h.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, withoutURL(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("reading the ledger's answer: %w", err)
	}
	return answer{status: res.StatusCode, after: retryAfter(res.Header), body: body}, nil
}

// withoutURL returns an error of package http that does not repeat the address.
func withoutURL(err error) error {
	if u, is := errors.AsType[*url.Error](err); is {
		return fmt.Errorf("asking the ledger: %w", u.Err)
	}
	return err
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
