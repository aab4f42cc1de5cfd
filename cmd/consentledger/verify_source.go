package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"consentledger/projections/transparency/merkle"
)

// A dirSource is a log in a directory.
type dirSource string

// Read implements [verify.Source].
func (d dirSource) Read(ctx context.Context, paths ...string) ([][]byte, error) {
	files := make([][]byte, len(paths))
	for i, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data, err := d.read(path)
		if errors.Is(err, fs.ErrNotExist) {
			data, err = d.wider(path)
		}
		if err != nil {
			return nil, err
		}
		files[i] = data
	}
	return files, nil
}

func (d dirSource) read(path string) ([]byte, error) {
	return readPlainFile(filepath.Join(string(d), filepath.FromSlash(path)), merkle.MaxBundle)
}

// wider returns a partial tile from one that is wider: a log that grows while
// it is read keeps no others for long. Nil: there is none.
func (d dirSource) wider(path string) ([]byte, error) {
	t, err := merkle.ParsePath(path)
	if err != nil || t.W == merkle.Width {
		return nil, nil
	}
	for w := t.W + 1; w <= merkle.Width; w++ {
		data, err := d.read(merkle.Path(merkle.Tile{H: t.H, L: t.L, N: t.N, W: w}))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		case t.L < 0:
			return prefixOrAll(data, t.W), nil
		}
		return data[:min(len(data), t.W*merkle.HashSize)], nil
	}
	return nil, nil
}

// prefixOrAll returns the first entries of a bundle, or all of one that is
// damaged: whoever verifies it will say so.
func prefixOrAll(bundle []byte, entries int) []byte {
	if p, err := merkle.Prefix(bundle, entries); err == nil {
		return p
	}
	return bundle
}

// An httpSource is a log that is served.
type httpSource struct {
	base   string
	client *http.Client
}

func newHTTPSource(base string) httpSource {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	return httpSource{strings.TrimRight(base, "/") + "/", &http.Client{Transport: transport, Timeout: time.Minute}}
}

// Read implements [verify.Source]. It asks for all files at once.
func (s httpSource) Read(ctx context.Context, paths ...string) ([][]byte, error) {
	files, errs := make([][]byte, len(paths)), make([]error, len(paths))
	var crew sync.WaitGroup
	for i, path := range paths {
		crew.Go(func() { files[i], errs[i] = s.get(ctx, path) })
	}
	crew.Wait()
	return files, errors.Join(errs...)
}

func (s httpSource) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		return nil, usageError{errors.New("want an address as in http://127.0.0.1:8080/log/smartkey")}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, merkle.MaxBundle+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w any more: %s: %w", errUnreachable, path, err)
	case resp.StatusCode == http.StatusNotFound:
		return nil, nil
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %w", path, problemOf(resp.StatusCode, data))
	case len(data) > merkle.MaxBundle:
		return nil, notAuthentic{fmt.Errorf("%s: it is longer than any file of a log", path)}
	}
	return data, nil
}
