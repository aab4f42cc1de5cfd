package callout

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"consentledger/api/nats/natsservice"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
)

// whoIs returns in which account of its server a connection is, and as which user. The
// error says what is to be changed.
func whoIs(ctx context.Context, nc *nats.Conn) (account, user string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, UserInfo, nil)
	if last := nc.LastError(); err != nil && errors.Is(last, nats.ErrPermissionViolation) {
		return "", "", fmt.Errorf("the ledger's user of NATS lacks a permission for auth callout: %w", last)
	}
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", UserInfo, err)
	}

	var says struct {
		Data struct {
			User    string `json:"user"`
			Account string `json:"account"`
		} `json:"data"`
	}
	if err := json.Unmarshal(m.Data, &says); err != nil || says.Data.Account == "" {
		return "", "", errors.New("the NATS server does not say in which account the ledger is: is it older than 2.10?")
	}
	return says.Data.Account, says.Data.User, nil
}

// A Dial connects to one server, with a password and nothing else.
type Dial func(address, password string) (*nats.Conn, error)

// A Misconfigured says what is wrong with a server's configuration, and what would be
// right.
type Misconfigured struct{ Server, Says string }

func (m *Misconfigured) Error() string { return "the NATS server " + m.Server + ": " + m.Says }

// How long a server may take until it asks: who listens where is told from one server of
// a cluster to the next. Then it does not ask.
const (
	asksWithin = 10 * time.Second
	asksAgain  = 250 * time.Millisecond
)

// Check tries every server that the connection knows, with a password that the ledger has
// signed itself for this moment: the server must ask about it, and take the answer. It
// returns how many have answered; the error is a [Misconfigured], [ErrNoneTried], or ctx is
// done. Who comes by such a password may do nothing.
//
// It answers about passwords of its own, and about nobody else: so it may run beside a
// ledger that answers, and without one.
func (s *Service) Check(ctx context.Context, dial Dial) (checked int, err error) {
	w := &watcher{service: s, asked: map[string]error{}}
	sub, err := s.Conn.Subscribe(Subject, w.hear)
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection is closed: then it is gone
	if err := natsservice.Listens(ctx, s.Conn); err != nil {
		return 0, err
	}

	for _, address := range s.Conn.Servers() {
		found, err := w.check(ctx, bare(address), dial)
		if err != nil {
			s.noteIf(err)
			return checked, err
		}
		if found {
			checked++
		}
	}
	if checked == 0 && ctx.Err() == nil {
		return 0, ErrNoneTried
	}
	return checked, ctx.Err()
}

// ErrNoneTried says that every server has gone away meanwhile: nobody has seen whether they ask.
var ErrNoneTried = errors.New("none of the NATS servers answers now, so that whether they ask could not be seen")

// bare returns the address of a server without a password that may stand in it.
func bare(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// noteIf notes what is wrong with a server's configuration, for [Service.Trouble].
func (s *Service) noteIf(err error) {
	if _, is := errors.AsType[*Misconfigured](err); is {
		s.trouble.note(err, s.Now())
	}
}

// A watcher hears what servers ask while they are checked.
type watcher struct {
	service *Service

	mu     sync.Mutex
	asked  map[string]error // by the passwords of checks: why the server will not take the answer
	unread error            // why a question could not be read
}

// hear takes a question, and answers it if it is about a check.
func (w *watcher) hear(m *nats.Msg) {
	s := w.service
	q, err := s.Keys.open(m)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.unread = err
		return
	}
	now, secret := s.Now(), q.secret()
	if !s.Keys.isProbe(secret, now) {
		return
	}

	w.asked[secret] = q.misled
	if text, err := s.Keys.encode(q, s.probe(q, now), nil); err == nil {
		_ = m.Respond(text) // a second answer, where a ledger gives one, too, is not looked at
	}
}

// check tries one server. Not found says that it does not answer: others are away, and
// come back. The one that the ledger is connected to is there, however its answer fails, and
// is asked again for as long as any that refuses.
func (w *watcher) check(ctx context.Context, address string, dial Dial) (found bool, err error) {
	until := time.Now().Add(asksWithin)
	connected := bare(w.service.Conn.ConnectedUrl()) == address
	for again := false; ; again = true {
		password, err := w.service.Keys.newProbe(w.service.Now())
		if err != nil {
			return false, err
		}
		nc, err := dial(address, password)
		if err == nil {
			defer nc.Close()
			return true, w.letIn(ctx, nc, address, password)
		}
		late := time.Now().After(until)
		if !refused(err) && (!connected || late) {
			return false, nil
		}

		if why := w.refusal(password, again); why != "" {
			return true, &Misconfigured{address, why}
		}
		if late {
			return true, &Misconfigured{address, w.service.unasked()}
		}
		select {
		case <-time.After(asksAgain):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// unasked says why a server may ask nobody.
func (s *Service) unasked() string {
	last := s.Conn.LastError()
	if errors.Is(last, nats.ErrPermissionViolation) && strings.Contains(last.Error(), Subject) {
		return "the ledger's user may not hear what it asks: let it subscribe to " + Subject
	}
	return "it does not ask the ledger whom to let in: give its authorization an auth_callout with the issuer " +
		s.Keys.Issuer + " and the account " + s.account + ", which the ledger is in, and the same to every server of " +
		"the cluster"
}

// refusal says why a server refused a password, as far as that is known; empty: it may
// take another one. One answer alone may have come too late.
func (w *watcher) refusal(password string, again bool) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	misled, asked := w.asked[password]
	switch {
	case misled != nil:
		return misled.Error()
	case w.unread != nil:
		return w.unread.Error()
	case asked && again:
		return "it asks, and does not take the answer: its own log says why"
	}
	return ""
}

// letIn looks whether a server that let in a password has asked about it. What it asks
// reaches the watcher a moment after whoever answered it.
func (w *watcher) letIn(ctx context.Context, nc *nats.Conn, address, password string) error {
	for until := time.Now().Add(asksWithin); ; {
		w.mu.Lock()
		_, asked := w.asked[password]
		w.mu.Unlock()
		if asked {
			return nil
		}
		if time.Now().After(until) {
			break
		}
		select {
		case <-time.After(asksAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}

	// Another process of the ledger may read what this one cannot, and have answered.
	w.mu.Lock()
	unread := w.unread
	w.mu.Unlock()
	if unread != nil {
		return &Misconfigured{address, unread.Error()}
	}

	_, own, err := whoIs(ctx, w.service.Conn)
	if err != nil {
		return err
	}
	if _, other, err := whoIs(ctx, nc); err == nil && own != "" && own == other {
		return nil // it goes by our certificate, and so tells nothing of others
	}
	return &Misconfigured{address, "it lets in who comes without asking: give its authorization the auth_callout " +
		"that " +
		"the other servers have, with the issuer " + w.service.Keys.Issuer}
}

// refused reports whether a server does not let somebody in, and is there. Who waited too
// long for the answer is told so, or hung up on, or pinged, which the client takes for no answer.
func refused(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) ||
		// It closes before it has read all, or before all is written.
		errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		strings.Contains(strings.ToLower(err.Error()), "authentication timeout") ||
		strings.Contains(err.Error(), "expected 'PONG', got 'PING'")
}

// How long the password of a check is good, and who comes by it stays.
const (
	probeGood  = time.Minute
	probeStays = 10 * time.Second
	probeName  = "consentledger-check"
)

// newProbe returns a password for a check, as in consentledger-check.1767225600.NONCE.SIGNATURE.
// Every process that has the same seed knows it.
func (k Keys) newProbe(now time.Time) (string, error) {
	says := fmt.Sprintf("%s.%d.%s", probeName, now.Add(probeGood).Unix(), rand.Text())
	signature, err := k.sign.Sign([]byte(says))
	return says + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// isProbe reports whether a password was made by [Keys.newProbe], and is good now.
func (k Keys) isProbe(secret string, now time.Time) bool {
	if !strings.HasPrefix(secret, probeName+".") {
		return false
	}
	last := strings.LastIndex(secret, ".")
	signature, err := base64.RawURLEncoding.DecodeString(secret[last+1:])
	if err != nil || k.sign.Verify([]byte(secret[:last]), signature) != nil {
		return false
	}

	// From here on all is as this program wrote it.
	parts := strings.Split(secret, ".")
	until, err := strconv.ParseInt(parts[1], 10, 64)
	return err == nil && now.Unix() < until
}

// probe returns the user of a check, who may do nothing.
func (s *Service) probe(q *question, now time.Time) *jwt.UserClaims {
	u := s.newUser(q, probeName)
	u.Pub.Deny.Add(">")
	u.Sub.Deny.Add(">")
	u.Expires = now.Add(probeStays).Unix()
	return u
}
