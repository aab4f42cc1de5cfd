// Package remote asks the running server for a verb: at the address that --server says, and
// with the key that whoever calls the program has.
package remote

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
	"os"
	"strings"

	"consentledger/cmd/internal/configfile"
	"consentledger/cmd/internal/exit"

	"github.com/spf13/cobra"
)

// Flags gives the program the flags that say which server it asks, and with which key.
func Flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.String("server", configfile.ServerDefault, "the running server's HTTP address (environment: "+
		configfile.ServerVariable+")")
	if at := os.Getenv(configfile.ServerVariable); at != "" {
		_ = f.Lookup("server").Value.Set(at) // a text takes every one; the default stays what it is
	}
	f.String("key-file", "", "a file with the key to show to the server (environment: "+KeyVariable+", "+
		KeyFileVariable+")")
	configfile.FromEnvironment(f, "server", configfile.ServerVariable)
	configfile.FromEnvironment(f, "key-file", KeyVariable, KeyFileVariable)
}

// Call asks the server and returns the body of its answer. An answer that is not what was
// asked for is an [exit.ProblemError].
func Call(c *cobra.Command, method, path, contentType string, body []byte, headers ...[2]string) ([]byte, error) {
	only := asksOnly(c, method)
	if only {
		path = foretelling(path)
	}
	r, err := Open(c.Context(), c, method, path, contentType, body, headers...)
	if err != nil {
		return nil, err
	}
	defer r.Close()

	answer, err := io.ReadAll(r)
	if err == nil && only {
		return nil, &Foretold{Answer: answer}
	}
	return answer, err
}

// Open is [Call] for an answer that is read while it comes.
func Open(
	ctx context.Context, c *cobra.Command, method, path, contentType string, body []byte, headers ...[2]string,
) (io.ReadCloser, error) {
	resp, err := Answer(ctx, c, method, path, contentType, body, headers...)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Answer is [Open] for an answer whose headers count, too.
func Answer(
	ctx context.Context, c *cobra.Command, method, path, contentType string, body []byte, headers ...[2]string,
) (*http.Response, error) {
	resp, err := Send(ctx, c, method, path, contentType, body, headers...)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}

	err = exit.ProblemOf(resp.StatusCode, text)
	if resp.StatusCode == http.StatusUnauthorized {
		err = fmt.Errorf("%w; a verb shows the key in %s, or in the file that --key-file names", err, KeyVariable)
	}
	return nil, err
}

// Send asks the server, and returns its answer whatever it says.
func Send(
	ctx context.Context, c *cobra.Command, method, path, contentType string, body []byte, headers ...[2]string,
) (*http.Response, error) {
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
			return nil, fmt.Errorf("%w at %s: %w; on Linux SSL_CERT_FILE may name a file with the authority of its "+
				"certificate, and --server a name that is in it", exit.ErrUnreachable, server, err)
		}
		return nil, fmt.Errorf("%w at %s: %w; is it running? start it with: consentledger serve", exit.ErrUnreachable,
			server, err)
	}
	return resp, nil
}

// App returns the path under which the server has what belongs to an app.
func App(app string) string { return "/v1/apps/" + url.PathEscape(app) }

// Get asks for what is at a path.
func Get(c *cobra.Command, path string, headers ...[2]string) ([]byte, error) {
	return Call(c, http.MethodGet, path, "", nil, headers...)
}

// Post sends in as JSON, or nothing if it is nil.
func Post(c *cobra.Command, path string, in any) ([]byte, error) {
	if in == nil {
		return Call(c, http.MethodPost, path, "", nil)
	}
	return withJSON(c, http.MethodPost, path, in)
}

// Put sends in as JSON.
func Put(c *cobra.Command, path string, in any) ([]byte, error) {
	return withJSON(c, http.MethodPut, path, in)
}

func withJSON(c *cobra.Command, method, path string, in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return Call(c, method, path, "application/json", body)
}
