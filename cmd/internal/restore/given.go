package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/projections/transparency"

	"filippo.io/age"
)

// keepLogFile keeps a piece of a file that the logs stand on, by its name below log.
func keepLogFile(kept map[string][]byte, path string, data []byte) {
	if name, is := strings.CutPrefix(path, "log/"); is && !strings.Contains(name, "/") {
		kept[name] = append(kept[name], data...)
	}
}

// treesOf returns what the trees have to give: what was signed, and what was published.
func treesOf(ctx context.Context, kept map[string][]byte, checkpoints []string) (*transparency.Roots, error) {
	roots, err := transparency.RootsOf(kept)
	if err != nil {
		return nil, exit.NotAuthentic(err)
	}

	for _, at := range checkpoints {
		text, err := readCheckpoint(ctx, at)
		if err != nil {
			return nil, err
		}
		if _, err := roots.Published(text); err != nil {
			return nil, exit.Conflict(fmt.Errorf("--checkpoint: %s: %w", at, err))
		}
	}
	return roots, nil
}

// readCheckpoint reads what somebody published.
func readCheckpoint(ctx context.Context, at string) ([]byte, error) {
	if !strings.HasPrefix(at, "http://") && !strings.HasPrefix(at, "https://") {
		text, err := files.ReadPlainFile(at, files.MaxOwnFile)
		if err != nil {
			return nil, files.Unread("--checkpoint", err)
		}
		return text, nil
	}

	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, exit.Usage(errors.New("--checkpoint: want a file, or a URL as in " +
			"https://ledger.example.com/log/shop/checkpoint"))
	}

	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("--checkpoint: %w: %w", exit.ErrUnreachable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("--checkpoint: %s says %s", at, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, files.MaxOwnFile))
}

// readIdentities reads the identities in files. No error holds a byte of one.
func readIdentities(list []string) ([]age.Identity, error) {
	var all []age.Identity
	for _, name := range list {
		text, err := files.ReadOwnFile(name, files.MaxKeyFile)
		if err != nil {
			return nil, files.Unread("--identity", err)
		}
		ids, err := age.ParseIdentities(strings.NewReader(string(text)))
		if err != nil {
			return nil, exit.Usage(fmt.Errorf("--identity: %s holds no identity as consentledger backup new-identity "+
				"or age-keygen writes it", name))
		}
		all = append(all, ids...)
	}
	return all, nil
}
