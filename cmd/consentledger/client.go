package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"consentledger/cmd/internal/exit"

	"github.com/spf13/cobra"
)

// call asks the server and returns the body of its answer.
func call(c *cobra.Command, method, path, contentType string, body []byte, headers ...[2]string) ([]byte, error) {
	r, err := open(c.Context(), c, method, path, contentType, body, headers...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func open(ctx context.Context, c *cobra.Command, method, path, contentType string, body []byte, headers ...[2]string) (io.ReadCloser, error) {
	resp, err := send(ctx, c, method, path, contentType, body, headers...)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	err = exit.ProblemOf(resp.StatusCode, text)
	if resp.StatusCode == http.StatusUnauthorized {
		err = fmt.Errorf("%w; a verb shows the key in %s, or in the file that --key-file names", err, accessKeyVariable)
	}
	return nil, err
}

// send asks the server, and returns its answer whatever it says.
func send(ctx context.Context, c *cobra.Command, method, path, contentType string, body []byte, headers ...[2]string) (*http.Response, error) {
	server, err := c.Flags().GetString("server")
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(server, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("--server: want an address as in http://127.0.0.1:8080"))
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for _, h := range headers {
		req.Header.Set(h[0], h[1])
	}
	if err := showKey(c, req); err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the URL may name a person
		}
		if _, bad := errors.AsType[*tls.CertificateVerificationError](err); bad {
			return nil, fmt.Errorf("%w at %s: %w; on Linux SSL_CERT_FILE may name a file with the authority of its certificate, and --server a name that is in it", exit.ErrUnreachable, server, err)
		}
		return nil, fmt.Errorf("%w at %s: %w; is it running? start it with: consentledger serve", exit.ErrUnreachable, server, err)
	}
	return resp, nil
}

func callJSON(c *cobra.Command, method, path string, in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return call(c, method, path, "application/json", body)
}
