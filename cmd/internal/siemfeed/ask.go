package siemfeed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"consentledger/api/siem"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// Ask asks the server for events after a cursor.
func Ask(ctx context.Context, c *cobra.Command, app, after string) (lines []byte, to string, err error) {
	query := url.Values{}
	for name, value := range map[string]string{"app": app, "after": after} {
		if value != "" {
			query.Set(name, value)
		}
	}

	path := "/v1/siem"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	resp, err := remote.Answer(ctx, c, http.MethodGet, path, "", nil)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if lines, err = io.ReadAll(resp.Body); err != nil {
		return nil, "", fmt.Errorf("%w: %w", exit.ErrUnreachable, err)
	}
	if to = resp.Header.Get(siem.CursorHeader); to == "" {
		return nil, "", errors.New("the server says not how far its answer goes: it is older than this program")
	}
	return lines, to, nil
}
