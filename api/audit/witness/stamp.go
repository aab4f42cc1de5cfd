package witness

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"consentledger/domain/ident"
	"consentledger/projections/transparency"

	"github.com/notaryproject/tspclient-go"
)

// Stamps has checkpoints stamped by an authority that says what time it is
// (RFC 3161). A stamp proves that the log was as long as it says before that
// time, to whoever trusts the authority. Its methods may be called
// concurrently, Run once.
type Stamps struct {
	Logs   Logs
	URL    string         // of the authority
	Roots  *x509.CertPool // whom its certificate must come from; nil: whom this machine trusts
	Shelf  Shelf          // of what is kept: <app>-<size>.checkpoint and .tsr
	Every  time.Duration  // zero: a day
	Client *http.Client   // nil: the usual one
	Log    *slog.Logger

	mu     sync.Mutex
	newest map[ident.AppName]int64 // the largest tree that was stamped
}

// A Stamp is a signed checkpoint and the authority's response, as it came.
type Stamp struct {
	Checkpoint []byte
	Response   []byte
	Time       time.Time
}

// Run has the logs stamped on a schedule until ctx is done. A log that has not
// grown is not stamped again.
func (s *Stamps) Run(ctx context.Context) error {
	every := s.Every
	if every == 0 {
		every = 24 * time.Hour
	}
	return schedule(ctx, every, s.Logs, s.Log, "a log could not be stamped", s.Stamp)
}

// Stamp has one log's newest checkpoint stamped, and keeps the stamp once it
// is verified.
func (s *Stamps) Stamp(ctx context.Context, app ident.AppName) error {
	signed, err := s.Logs.Checkpoint(app)
	if errors.Is(err, transparency.ErrNotThere) || errors.Is(err, transparency.ErrNotReady) {
		return nil
	}
	if err != nil {
		return err
	}

	c, err := unsigned(signed)
	if err != nil {
		return err
	}

	before, err := s.size(app)
	if err != nil || c.Size <= before {
		return err
	}

	response, err := s.ask(ctx, signed)
	if err != nil {
		return err
	}
	if _, err := VerifyStamp(ctx, signed, response, s.Roots); err != nil {
		return err
	}

	name := stampName(app, c.Size)
	if err := s.Shelf.Write(name+".checkpoint", signed); err != nil {
		return err
	}
	if err := s.Shelf.Write(name+".tsr", response); err != nil {
		return err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest[app] = c.Size
	return nil
}

// ask asks the authority for a stamp.
func (s *Stamps) ask(ctx context.Context, signed []byte) ([]byte, error) {
	request, err := tspclient.NewRequest(tspclient.RequestOptions{Content: signed, HashAlgorithm: crypto.SHA256})
	if err != nil {
		return nil, err
	}

	body, err := request.MarshalBinary()
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}

	r.Header.Set("Content-Type", tspclient.MediaTypeTimestampQuery)
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}

	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK ||
		kind != tspclient.MediaTypeTimestampReply {
		return nil, fmt.Errorf("the time-stamping authority answers with the status %d and the type %q",
			resp.StatusCode, kind)
	}

	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return nil, err
	}

	var response tspclient.Response
	if err := response.UnmarshalBinary(text); err != nil {
		return nil, err
	}
	return text, response.Validate(request)
}

// VerifyStamp says when an authority stamped a signed checkpoint. That the
// checkpoint is the log's is not checked here.
func VerifyStamp(ctx context.Context, signed, response []byte, roots *x509.CertPool) (time.Time, error) {
	var r tspclient.Response
	if err := r.UnmarshalBinary(response); err != nil {
		return time.Time{}, fmt.Errorf("this is no response of a time-stamping authority: %w", err)
	}

	token, err := r.SignedToken()
	if err != nil {
		return time.Time{}, err
	}

	info, err := token.Info()
	if err != nil {
		return time.Time{}, err
	}

	stamped, err := info.Validate(signed)
	if err != nil {
		return time.Time{}, fmt.Errorf("the stamp is not of this checkpoint: %w", err)
	}

	// The certificate is judged as of the time that it says: stamps outlive
	// certificates.
	if _, err := token.Verify(ctx, x509.VerifyOptions{Roots: roots, CurrentTime: stamped.Value}); err != nil {
		return time.Time{}, fmt.Errorf("the stamp's signature: %w", err)
	}
	return stamped.Value.UTC(), nil
}

func stampName(app ident.AppName, size int64) string { return fmt.Sprintf("%s-%d", app, size) }

// own reports whether no other process stamps.
func (s *Stamps) own() bool {
	_, own := s.Shelf.(Dir)
	return own
}

// size returns the size of the largest tree of an app that was stamped.
func (s *Stamps) size(app ident.AppName) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, known := s.newest[app]; known && s.own() {
		return n, nil
	}

	names, err := s.Shelf.Names(string(app) + "-")
	if err != nil {
		return 0, err
	}

	var size int64
	for _, name := range names {
		number, stamp := strings.CutSuffix(strings.TrimPrefix(name, string(app)+"-"), ".tsr")
		if !stamp {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %s is not a number of records", name, number)
		}
		size = max(size, n)
	}

	if s.newest == nil {
		s.newest = map[ident.AppName]int64{}
	}

	s.newest[app] = size
	return size, nil
}

// Newest returns the newest stamp of a log.
func (s *Stamps) Newest(ctx context.Context, app ident.AppName) (Stamp, error) {
	if !slices.Contains(s.Logs.Logged(), app) {
		return Stamp{}, transparency.ErrNotThere
	}

	size, err := s.size(app)
	if err != nil {
		return Stamp{}, err
	}
	if size == 0 {
		return Stamp{}, transparency.ErrNotThere
	}

	var stamp Stamp
	stamp.Checkpoint, err = s.Shelf.Read(stampName(app, size) + ".checkpoint")
	if err == nil {
		stamp.Response, err = s.Shelf.Read(stampName(app, size) + ".tsr")
	}
	if err != nil {
		return Stamp{}, err
	}

	stamp.Time, err = VerifyStamp(ctx, stamp.Checkpoint, stamp.Response, s.Roots)
	return stamp, err
}
