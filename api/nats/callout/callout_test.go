package callout

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/trail"
	"consentledger/domain/deadline"
	"consentledger/eventstore/memory"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

func seedOf(t *testing.T, p nkeys.KeyPair, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := p.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

func accountSeed(t *testing.T) []byte { p, err := nkeys.CreateAccount(); return seedOf(t, p, err) }
func curveSeed(t *testing.T) []byte   { p, err := nkeys.CreateCurveKeys(); return seedOf(t, p, err) }
func userSeed(t *testing.T) []byte    { p, err := nkeys.CreateUser(); return seedOf(t, p, err) }

func newKeys(t *testing.T) Keys {
	t.Helper()
	k, err := ParseSeed(append(accountSeed(t), '\n'))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSeedsAreOfTheirKinds(t *testing.T) {
	k := newKeys(t)
	if k, err := k.WithCurve(curveSeed(t)); err != nil || !strings.HasPrefix(k.Issuer, "A") || !strings.HasPrefix(k.XKey, "X") {
		t.Errorf("%s %s %v", k.Issuer, k.XKey, err)
	}
	for name, text := range map[string][]byte{"empty": nil, "a user's": userSeed(t), "a curve's": curveSeed(t), "a public key": []byte(k.Issuer)} {
		if _, err := ParseSeed(text); !errors.Is(err, errSeed) {
			t.Errorf("%s as an account's: %v", name, err)
		}
	}
	for name, text := range map[string][]byte{"empty": nil, "an account's": accountSeed(t)} {
		if _, err := k.WithCurve(text); !errors.Is(err, errCurve) {
			t.Errorf("%s as a curve's: %v", name, err)
		}
	}
}

// A node is a server that asks, as far as a message of it goes.
type node struct {
	*testing.T
	pair  nkeys.KeyPair
	id    string
	curve nkeys.KeyPair
}

func newNode(t *testing.T) node {
	t.Helper()
	pair, err1 := nkeys.CreateServer()
	curve, err2 := nkeys.CreateCurveKeys()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	id, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return node{t, pair, id, curve}
}

// asks returns a question for who has the issuer's seed; with xkey it is encrypted for that.
func (n node) asks(issuer, xkey string, change func(*jwt.AuthorizationRequestClaims)) *nats.Msg {
	n.Helper()
	user, err := nkeys.CreateUser()
	if err != nil {
		n.Fatal(err)
	}
	c := jwt.NewAuthorizationRequestClaims(issuer)
	c.UserNkey, err = user.PublicKey()
	c.Audience, c.Server.ID, c.Expires = audience, n.id, time.Now().Add(time.Minute).Unix()
	c.ClientInformation.Kind = "Client"
	c.ConnectOptions.Password = "clk_secret"
	if change != nil {
		change(c)
	}
	text, err2 := c.Encode(n.pair)
	if err := errors.Join(err, err2); err != nil {
		n.Fatal(err)
	}
	m := nats.NewMsg(Subject)
	m.Data = []byte(text)
	if xkey == "" {
		return m
	}
	public, err := n.curve.PublicKey()
	if err == nil {
		m.Data, err = n.curve.Seal(m.Data, xkey)
	}
	if err != nil {
		n.Fatal(err)
	}
	m.Header.Set(encryptedHeader, public)
	return m
}

// What a server asks is read only if it is made for now, by itself, and encrypted exactly
// where the ledger wants it so. Each error names what to change.
func TestAQuestionIsReadAsItIsMeant(t *testing.T) {
	n, plain := newNode(t), newKeys(t)
	sealed, err := plain.WithCurve(curveSeed(t))
	if err != nil {
		t.Fatal(err)
	}
	other, err := plain.WithCurve(curveSeed(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		keys Keys
		m    *nats.Msg
		want string // in the error; empty: it is read
	}{
		"in the clear":                   {plain, n.asks(plain.Issuer, "", nil), ""},
		"encrypted":                      {sealed, n.asks(plain.Issuer, sealed.XKey, nil), ""},
		"in the clear, with a key":       {sealed, n.asks(plain.Issuer, "", nil), "put xkey into"},
		"encrypted, without a key":       {plain, n.asks(plain.Issuer, sealed.XKey, nil), "--nats-callout-xkey"},
		"encrypted for another":          {sealed, n.asks(plain.Issuer, other.XKey, nil), sealed.XKey},
		"no token":                       {plain, &nats.Msg{Data: []byte("x")}, "no question"},
		"nothing":                        {plain, &nats.Msg{}, "no question"},
		"for another audience":           {plain, n.asks(plain.Issuer, "", func(c *jwt.AuthorizationRequestClaims) { c.Audience = "x" }), "no question"},
		"of another server than it is":   {plain, n.asks(plain.Issuer, "", func(c *jwt.AuthorizationRequestClaims) { c.Server.ID = newNode(t).id }), "no question"},
		"that was to be answered before": {plain, n.asks(plain.Issuer, "", func(c *jwt.AuthorizationRequestClaims) { c.Expires = time.Now().Add(-time.Minute).Unix() }), "no question"},
		"of a user that is none":         {plain, n.asks(plain.Issuer, "", func(c *jwt.AuthorizationRequestClaims) { c.UserNkey = plain.Issuer }), "no question"},
	} {
		q, err := c.keys.open(c.m)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err == nil && (q.secret() != "clk_secret" || q.misled != nil) {
			t.Errorf("%s: %q %v", name, q.secret(), q.misled)
		}
		if err != nil && strings.Contains(err.Error(), "clk_secret") {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}

	foreign := newKeys(t)
	q, err := plain.open(n.asks(foreign.Issuer, "", nil))
	if err != nil || q.misled == nil || !strings.Contains(q.misled.Error(), plain.Issuer) || !strings.Contains(q.misled.Error(), foreign.Issuer) {
		t.Errorf("of another issuer: %v, %v", q, err)
	}
}

// Who is checked is known by every process that has the seed, for a minute, and by no
// other.
func TestThePasswordOfACheckIsGoodForAMinute(t *testing.T) {
	k, now := newKeys(t), time.Now()
	password, err := k.newProbe(now)
	if err != nil {
		t.Fatal(err)
	}
	if !k.isProbe(password, now) || !k.isProbe(password, now.Add(probeGood-2*time.Second)) {
		t.Error("it is not known")
	}
	if k.isProbe(password, now.Add(probeGood)) {
		t.Error("it is known for longer")
	}
	if newKeys(t).isProbe(password, now) {
		t.Error("another ledger knows it")
	}
	later, err := k.newProbe(now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	signature := password[strings.LastIndex(password, "."):]
	for _, bad := range []string{"", probeName, probeName + ".", probeName + "..", password + "A", password[1:],
		later[:strings.LastIndex(later, ".")] + signature, probeName + ".99999999999" + signature} {
		if k.isProbe(bad, now) {
			t.Errorf("%q is taken for one", bad)
		}
	}
}

// Who is refused at a server that asks stands in the trail, as at the embedded one. Nothing
// does while nobody can tell who asks, and nothing of what they showed.
func TestWhoIsRefusedIsInTheTrail(t *testing.T) {
	var counted []Outcome
	s := New(Config{
		Keys: newKeys(t), Trusted: x509.NewCertPool(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Count: func(o Outcome) { counted = append(counted, o) },
		Ways: auth.Ways{Keys: new(auth.Keys), Trail: &trail.Trail{
			Rows: new(memory.Rows), Now: func() deadline.Instant { return deadline.At(time.Now()) },
		}},
	})
	for _, change := range []func(*jwt.AuthorizationRequestClaims){
		func(c *jwt.AuthorizationRequestClaims) { c.ConnectOptions.Password = "" },
		func(c *jwt.AuthorizationRequestClaims) {
			c.ConnectOptions.Password = ""
			c.TLS = &jwt.ClientTLS{Certs: jwt.StringList{"no certificate"}}
		},
		nil, // by a key, while the keys cannot be read
	} {
		s.respond(t.Context(), newNode(t).asks(s.Keys.Issuer, "", change))
	}
	s.respond(t.Context(), nats.NewMsg(Subject))
	password, err := s.Keys.newProbe(s.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*jwt.AuthorizationRequestClaims){
		func(c *jwt.AuthorizationRequestClaims) { c.ConnectOptions.Password = password }, // a check of our own
		func(c *jwt.AuthorizationRequestClaims) { c.ClientInformation.Kind = "Leafnode" },
	} {
		s.respond(t.Context(), newNode(t).asks(s.Keys.Issuer, "", change))
	}
	if want := []Outcome{NoKey, Credential, Away, Unread, OtherKind}; !slices.Equal(counted, want) {
		t.Errorf("counted are %q, want %q", counted, want)
	}

	if err := s.Ways.Trail.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for n, err := range s.Ways.Trail.After(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s %s %d", n.Kind, n.Way, n.Why, n.Count))
	}
	slices.Sort(got)
	if want := []string{"unauthenticated nats credential 1", "unauthenticated nats no-key 1"}; !slices.Equal(got, want) {
		t.Errorf("the trail has %q, want %q", got, want)
	}
}

// Beside a process that reads what a server asks, one that cannot read it says so, and not
// that the server asks nobody.
func TestACheckThatAnotherProcessAnsweredNamesWhatItCannotRead(t *testing.T) {
	k := newKeys(t)
	sealed, err := k.WithCurve(curveSeed(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		keys Keys
		xkey string // which the server encrypts for
		want error
	}{
		"no key for it":       {k, sealed.XKey, errSealed},
		"a key, in the clear": {sealed, "", errPlain},
	} {
		w := &watcher{service: New(Config{Keys: c.keys, Now: time.Now}), asked: map[string]error{}}
		w.hear(newNode(t).asks(k.Issuer, c.xkey, nil))
		synctest.Test(t, func(t *testing.T) {
			err := w.letIn(t.Context(), nil, "nats://node:4222", "password")
			if m, is := errors.AsType[*Misconfigured](err); !is || !strings.Contains(m.Error(), c.want.Error()) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		})
	}
}

// The server that the ledger is connected to is there, however it hangs up on who is tried;
// another one that does not answer is away.
func TestTheServerOfTheLedgerIsNotAway(t *testing.T) {
	node, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	node.Start()
	defer node.Shutdown()
	nc, err := nats.Connect(node.ClientURL(), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()

	for _, broken := range []error{io.EOF, syscall.EPIPE, errors.New("what no program expects")} {
		w := &watcher{service: New(Config{Conn: nc, Keys: newKeys(t), Now: time.Now}), asked: map[string]error{}}
		dials := 0
		dial := func(string, string) (*nats.Conn, error) {
			if dials++; dials > 2 {
				w.unread = errSealed
			}
			return nil, &net.OpError{Op: "write", Err: broken}
		}
		found, err := w.check(t.Context(), node.ClientURL(), dial)
		if m, is := errors.AsType[*Misconfigured](err); !found || !is || !strings.Contains(m.Error(), errSealed.Error()) || dials != 3 {
			t.Errorf("%v: found %t, %v, after %d dials", broken, found, err, dials)
		}
	}

	w := &watcher{service: New(Config{Conn: nc, Keys: newKeys(t), Now: time.Now}), asked: map[string]error{}}
	if found, err := w.check(t.Context(), "nats://127.0.0.1:1", func(string, string) (*nats.Conn, error) {
		return nil, nats.ErrNoServers
	}); found || err != nil {
		t.Errorf("a server that is away: found %t, %v", found, err)
	}
}

// TestServersThatHaveAllGoneAreNotServersThatAsk: where none could be tried, nothing is well.
func TestServersThatHaveAllGoneAreNotServersThatAsk(t *testing.T) {
	node, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	node.Start()
	defer node.Shutdown()
	nc, err := nats.Connect("nats://127.0.0.1:1,"+node.ClientURL(), nats.DontRandomize())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()

	s := New(Config{Conn: nc, Keys: newKeys(t), Now: time.Now})
	checked, err := s.Check(t.Context(), func(string, string) (*nats.Conn, error) {
		node.Shutdown()
		for nc.IsConnected() {
			time.Sleep(time.Millisecond)
		}
		return nil, nats.ErrNoServers
	})
	if checked != 0 || !errors.Is(err, ErrNoneTried) {
		t.Errorf("%d servers, %v", checked, err)
	}
}

// Every error by which somebody is not let in has an outcome that metrics know.
func TestEveryRefusalIsCountedByItsReason(t *testing.T) {
	for err, want := range map[error]Outcome{
		nil: LetIn, auth.NoKey: NoKey, auth.UnknownKey: UnknownKey, auth.ExpiredKey: ExpiredKey, auth.RevokedKey: RevokedKey,
		auth.HTTPAlone: Credential, auth.NotTheirs: Credential, auth.Unmapped("no role"): Unmapped, errKind: OtherKind, errAway: Away,
	} {
		if got := outcomeOf(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}
