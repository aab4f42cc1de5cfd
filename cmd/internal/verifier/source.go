package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/projections/transparency/merkle"
)

// An httpSource is a log that is served.
type httpSource struct {
	base    string
	client  *http.Client
	showKey func(*http.Request) error // nil: no key is shown
}

// NewHTTPSource reads the log at base, and shows each request to showKey first, if that
// is not nil.
func NewHTTPSource(base string, showKey func(*http.Request) error) httpSource {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	return httpSource{base: strings.TrimRight(base, "/") + "/", client: client, showKey: showKey}
}

// Read implements [verify.Source]. It asks for all files at once.
func (s httpSource) Read(ctx context.Context, paths ...string) ([][]byte, error) {
	files, errs := make([][]byte, len(paths)), make([]error, len(paths))
	var workers sync.WaitGroup
	for i, path := range paths {
		workers.Go(func() { files[i], errs[i] = s.get(ctx, path) })
	}
	workers.Wait()
	return files, errors.Join(errs...)
}

func (s httpSource) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		return nil, exit.Usage(errors.New("want an address as in http://127.0.0.1:8080/log/smartkey"))
	}

	if s.showKey != nil {
		if err := s.showKey(req); err != nil {
			return nil, err
		}
	}

	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", exit.ErrUnreachable, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, merkle.MaxBundle+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w any more: %s: %w", exit.ErrUnreachable, path, err)
	case resp.StatusCode == http.StatusNotFound:
		return nil, nil
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %w", path, exit.ProblemOf(resp.StatusCode, data))
	case len(data) > merkle.MaxBundle:
		return nil, exit.NotAuthentic(fmt.Errorf("%s: it is longer than any file of a log", path))
	}
	return data, nil
}
