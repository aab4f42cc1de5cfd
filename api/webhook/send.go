package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"consentledger/api/nats/outbox"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// maxAnswer is how much of an answer is read, so that the connection can be used again.
// What it says is nothing to the ledger.
const maxAnswer = 4 << 10

// A failure is why an event was not taken. It is shown to whoever manages the webhook, and
// holds nothing that was sent or answered.
type failure struct {
	says  string
	gone  bool          // the receiver wants nothing any more
	after time.Duration // it asks for this pause
}

func (f *failure) Error() string { return f.says }

// errPlain says that a webhook is not encrypted, which was allowed when it was added.
var errPlain = &failure{says: "its address is not https, and what is sent names persons: add it with https, or start " +
	"serve with --webhook-allow-private again"}

// send sends an event once.
func (h *Hooks) send(ctx context.Context, c *http.Client, s stored, e outbox.Event) error {
	if !h.Private && !strings.HasPrefix(s.URL, "https://") {
		return errPlain
	}
	signature, now := "", time.Now()
	secrets, err := h.secrets(ctx, s, now)
	if err != nil {
		return err
	}
	for _, secret := range secrets {
		signs, err := standardwebhooks.NewWebhookRaw(secret)
		if err != nil {
			return err
		}
		one, err := signs.Sign(e.ID, now, e.Body)
		if err != nil {
			return err
		}
		signature = strings.TrimSpace(signature + " " + one)
	}

	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(e.Body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/cloudevents+json")
	r.Header.Set("User-Agent", "consentledger")
	r.Header.Set(standardwebhooks.HeaderWebhookID, e.ID)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	answer, err := c.Do(r)
	if err != nil {
		return &failure{says: unsent(err)}
	}
	defer answer.Body.Close()
	io.CopyN(io.Discard, answer.Body, maxAnswer) // a body that breaks off changes no status
	return judge(answer)
}

// judge returns why an answer says that an event was not taken.
func judge(answer *http.Response) error {
	status := answer.StatusCode
	switch {
	case status/100 == 2:
		return nil
	case status == http.StatusGone:
		return &failure{says: "the receiver answered 410: it wants nothing any more", gone: true}
	case status/100 == 3:
		return &failure{says: fmt.Sprintf("the receiver answered %d, and redirects are not followed: add a webhook "+
			"with the address that it has now", status)}
	}

	f := &failure{says: fmt.Sprintf("the receiver answered %d", status)}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		f.after = time.Duration(min(seconds, 24*3600)) * time.Second
	}
	return f
}

// unsent says why there was no answer, without the address, and without what came: HTTP's
// own errors repeat it, and a receiver may send back what it got.
func unsent(err error) string {
	if u, is := errors.AsType[*url.Error](err); is {
		if u.Timeout() {
			return "the receiver did not answer in time"
		}
		err = u.Err
	}
	if errors.Is(err, errPrivate) {
		return errPrivate.Error()
	}
	if dns, is := errors.AsType[*net.DNSError](err); is && dns.IsNotFound {
		return "its name is not known"
	}
	if op, is := errors.AsType[*net.OpError](err); is {
		return "no connection to the receiver: " + op.Err.Error()
	}
	if cert, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		return "the receiver's certificate is not taken: " + cert.Err.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the receiver closed the connection without an answer"
	}
	return "what the receiver sent is no answer of HTTP, or not over TLS"
}

// secrets returns those that sign now, the newest first. They are read for each attempt:
// one that has ended signs nothing from then on, whichever process ended it.
func (h *Hooks) secrets(ctx context.Context, s stored, now time.Time) (all [][]byte, err error) {
	if s, err = h.one(ctx, s.App, s.ID); err != nil {
		return nil, err
	}

	var names []string
	for name, key := range s.keys {
		if key.Until == 0 || key.Until > now.UnixMilli() {
			names = append(names, name)
		}
	}

	slices.Sort(names)
	slices.Reverse(names)
	for _, name := range names {
		secret, err := h.Unseal(ctx, string(s.App), s.ID, s.keys[name].Sealed)
		if err != nil {
			return nil, fmt.Errorf("the secret of webhook %s: %w", s.ID, err)
		}
		all = append(all, secret)
	}

	if len(all) == 0 {
		return nil, fmt.Errorf("webhook %s has no secret: rotate it", s.ID)
	}
	return all, nil
}
