// Package callout lets a NATS server that runs by itself ask the ledger whom to let in: it
// answers the server's auth callout. So keys, tokens of an identity provider and client
// certificates are the same principals there, with the same subjects, as at the embedded
// server: [auth.Ways.Connect] decides for both.
//
// The server asks on [Subject], in the account that its configuration
// names, and takes an answer that is signed with the account key that it names as well.
// Several processes share the questions by a queue group. Nothing is kept between two
// questions, so that any process answers any of them.
//
// The answer is a user JWT. It ends with the key, the token or the certificate, and after
// [Config.Renew] at the latest: then the server ends the connection, the client connects
// anew by itself, and the ledger is asked again. So whose key is revoked is out by then.
//
// The library github.com/synadia-io/callout.go does the same work on the wire. It is not
// among the modules that the Go module proxy gives, so that nobody could build the ledger
// by it; what it would do is [Service] and [Keys], on jwt and nkeys.
package callout

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"consentledger/api/auth"
	"consentledger/api/nats/natsservice"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
)

// What the ledger's NATS user needs to answer, beside intake.Permissions: it hears
// Subscribe, and publishes to Publish. A server lets nobody else hear them or answer.
var (
	Subscribe = []string{Subject}
	Publish   = []string{"$SYS._INBOX.>", UserInfo}
)

const (
	// Subject is where servers ask.
	Subject = "$SYS.REQ.USER.AUTH"

	// UserInfo is where the ledger asks in which account it is itself.
	UserInfo = "$SYS.REQ.USER.INFO"

	// Queue is the group of the processes that answer.
	Queue = "consentledger-callout"

	encryptedHeader = "Nats-Server-Xkey"
	audience        = "nats-authorization-request"
)

// A Config is what Run stands on.
type Config struct {
	Conn    *nats.Conn
	Keys    Keys
	Renew   time.Duration // after which a connection is looked at anew
	Ways    auth.Ways
	Trusted *x509.CertPool // the authorities of certificates; nil: nobody comes by one
	Now     func() time.Time
	Log     *slog.Logger
	Count   func(Outcome) // is told of each question what came of it; nil: nobody is
}

// atOnce is how many questions are worked on at once. A token may have to wait for the
// keys of its provider; who is one too many waits in the subscription.
const atOnce = 64

// answerWithin is how long the ledger works on a question. The server waits no longer
// than its authorization.timeout, 2 s unless it says more.
const answerWithin = 5 * time.Second

// A Service answers servers that ask whom to let in. Its methods may be called
// concurrently.
type Service struct {
	Config
	account string // of Conn, where who is let in is put: see [Service.Locate]
	trouble trouble
}

// New returns a Service that does not run yet.
func New(c Config) *Service { return &Service{Config: c} }

// Locate finds in which account the connection is. It is called before Run and Check.
func (s *Service) Locate(ctx context.Context) (err error) {
	s.account, _, err = whoIs(ctx, s.Conn)
	return err
}

// Run answers until ctx is done, and then what it has in hand. It calls ready once the
// server knows that it listens.
func (s *Service) Run(ctx context.Context, ready func()) error {
	var work sync.WaitGroup
	places := make(chan struct{}, atOnce)
	sub, err := s.Conn.QueueSubscribe(Subject, Queue, func(m *nats.Msg) {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			s.respond(context.WithoutCancel(ctx), m)
		})
	})
	if err != nil {
		return err
	}

	if err := natsservice.Listens(ctx, s.Conn); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	ready()

	<-ctx.Done()
	closed := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(closed) })
	if sub.Drain() == nil && s.Conn.IsConnected() {
		select {
		case <-closed:
		case <-time.After(answerWithin): // who is not answered asks another process
		}
	}
	work.Wait()
	_ = s.Conn.FlushTimeout(answerWithin)
	return nil
}

// respond answers a question. One that cannot be read is not answered: nobody is let in
// by silence.
func (s *Service) respond(ctx context.Context, m *nats.Msg) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	q, err := s.Keys.open(m)
	if err != nil {
		s.count(Unread)
		if s.trouble.note(err, s.Now()) {
			s.Log.Error("a NATS server asks whom to let in, and cannot be answered", "why", err)
		}
		return
	}
	if q.misled != nil && s.trouble.note(q.misled, s.Now()) {
		s.Log.Error("a NATS server will not take the answer", "server", q.Server.Name, "why", q.misled)
	}

	user, refused := s.user(ctx, q)
	s.Ways.NoteDenied("nats", refused)
	if !s.Keys.isProbe(q.secret(), s.Now()) { // a check of our own is no client's
		s.count(outcomeOf(refused))
	}
	text, err := s.Keys.encode(q, user, refused)
	if err == nil {
		err = m.Respond(text)
	}
	if err != nil {
		s.Log.Error("a NATS server asks whom to let in, and cannot be answered", "server", q.Server.Name, "why", err)
	}
}

// Why a connection is refused, beside what package auth says. The server writes it into
// its log; whoever connects is told that they are not authorised, and no more.
var (
	errKind = errors.New("the ledger lets in clients: no leaf nodes, and none by MQTT")
	errAway = errors.New("the ledger cannot tell now who this is: connect again")
)

// user returns the user that a question is about, or why there is none.
func (s *Service) user(ctx context.Context, q *question) (*jwt.UserClaims, error) {
	if !strings.EqualFold(q.ClientInformation.Kind, "client") || q.ClientInformation.MQTT != "" {
		return nil, errKind
	}
	now, secret := s.Now(), q.secret()
	if s.Keys.isProbe(secret, now) {
		return s.probe(q, now), nil
	}

	var leaf *x509.Certificate
	if secret == "" { // what a connection says itself goes before its certificate
		var err error
		if leaf, err = leafOf(s.Trusted, q.TLS, now); err != nil {
			return nil, err
		}
	}
	p, err := s.Ways.Connect(ctx, secret, leaf)
	if errors.Is(err, auth.ErrAway) {
		return nil, errAway
	}
	if err != nil {
		return nil, err
	}
	return s.claims(q, p, now), nil
}

// claims returns the user that a principal is.
func (s *Service) claims(q *question, p auth.Principal, now time.Time) *jwt.UserClaims {
	publish, subscribe := p.Permissions()
	u := s.newUser(q, strings.TrimPrefix(p.Inbox(), auth.InboxOf("")))
	u.Pub.Allow.Add(publish...)
	u.Sub.Allow.Add(subscribe...)
	u.Expires = ends(p.Ends, now.Add(s.Renew-rand.N(s.Renew/5))) // not all that came at once come again at once
	return u
}

// newUser returns a user of the account of the ledger who may do nothing yet. Its name
// stands in the server's log and in what it shows: it is that of the key or of the
// certificate, or a pseudonym.
func (s *Service) newUser(q *question, name string) *jwt.UserClaims {
	u := jwt.NewUserClaims(q.UserNkey)
	u.Name, u.Audience = name, s.account
	u.AllowedConnectionTypes.Add(jwt.ConnectionTypeStandard, jwt.ConnectionTypeWebsocket)
	return u
}

// ends returns the sooner of two times, in whole seconds that have passed by then: a JWT
// has no finer ones, and nobody stays a second longer than their key.
func ends(a, b time.Time) int64 {
	if b.Before(a) {
		a = b
	}
	return a.Unix()
}

// troubleStays is how long what went wrong with a server's question counts. Servers are
// checked more often than that. Meanwhile the same is told once: every client that
// connects makes the server ask.
const troubleStays = 90 * time.Second

// A trouble is what was wrong with a question a short while ago.
type trouble struct {
	mu   sync.Mutex
	err  error
	at   time.Time
	told time.Time
}

// note takes down what was wrong. It reports whether that is to be told: it is new, or was
// told long ago.
func (t *trouble) note(err error, now time.Time) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	news = t.err == nil || t.err.Error() != err.Error() || now.Sub(t.told) > troubleStays
	t.err, t.at = err, now
	if news {
		t.told = now
	}
	return news
}

// Trouble returns why servers cannot be answered as they ask, nil: nothing is known.
func (s *Service) Trouble() error {
	s.trouble.mu.Lock()
	defer s.trouble.mu.Unlock()
	if s.trouble.err == nil || s.Now().Sub(s.trouble.at) > troubleStays {
		return nil
	}
	return s.trouble.err
}
