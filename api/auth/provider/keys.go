package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"consentledger/api/auth"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// How long the keys of a provider hold, and how soon after one try they are asked for
// again. A key that the provider takes back lets somebody in for as long as they hold;
// go-oidc's own set of keys would keep it until an unknown one is named, and would ask
// the provider once for each token that names one.
const (
	keysHold  = 5 * time.Minute
	keysStay  = 15 * time.Minute // when the provider cannot be asked
	keysAgain = 10 * time.Second
	maxKeys   = 1 << 20
)

// keys are those that the provider signs with. It is an [oidc.KeySet].
type keys struct {
	issuer string
	client *http.Client
	now    func() time.Time
	failed func(error)

	mu    sync.Mutex
	set   jose.JSONWebKeySet
	read  time.Time // zero: never
	tried time.Time
	busy  chan struct{} // is closed when the provider has answered; nil: nobody asks
}

// VerifySignature returns the payload of a token that one of the provider's keys signed.
func (k *keys) VerifySignature(ctx context.Context, text string) ([]byte, error) {
	token, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil {
		return nil, BadSignature
	}

	id := token.Signatures[0].Header.KeyID
	set, err := k.current(ctx, id)
	if err != nil {
		return nil, err
	}

	for _, key := range set.Keys {
		if id != "" && key.KeyID != id || key.Use != "" && key.Use != "sig" || !key.IsPublic() {
			continue
		}
		if payload, err := token.Verify(&key); err == nil {
			return payload, nil
		}
	}
	return nil, BadSignature
}

// BadSignature says that a token is not the provider's.
const BadSignature auth.Denied = "this token is not signed by the identity provider, or was altered: sign in again"

// current returns the keys. It asks the provider if they are old, or if none has the id.
// One caller asks at a time; who has a known key does not wait for it.
func (k *keys) current(ctx context.Context, id string) (jose.JSONWebKeySet, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	age := now.Sub(k.read)
	known := id == "" && len(k.set.Keys) > 0 || len(k.set.Key(id)) > 0
	if age < keysHold && known {
		return k.good(age)
	}
	if busy := k.busy; busy != nil {
		if known && age <= keysStay {
			return k.good(age)
		}
		k.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
		}
		k.mu.Lock()
		return k.good(k.now().Sub(k.read))
	}
	if now.Sub(k.tried) < keysAgain {
		return k.good(age)
	}

	k.busy, k.tried = make(chan struct{}), now
	k.mu.Unlock()
	set, err := k.ask(ctx)
	k.mu.Lock()
	close(k.busy)
	k.busy = nil
	if err == nil {
		k.set, k.read = set, k.now()
	}
	return k.good(k.now().Sub(k.read))
}

// ask asks the provider. Who let it ask may go away: what it reads is for everybody.
func (k *keys) ask(ctx context.Context) (jose.JSONWebKeySet, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchWithin)
	defer cancel()
	set, err := k.fetch(ctx)
	if err != nil {
		k.failed(err)
	}
	return set, err
}

// good returns the keys of an age, unless they are too old.
func (k *keys) good(age time.Duration) (jose.JSONWebKeySet, error) {
	if k.read.IsZero() || age > keysStay {
		return jose.JSONWebKeySet{}, fmt.Errorf("the identity provider: %w", auth.ErrAway)
	}
	return k.set, nil
}

const fetchWithin = 5 * time.Second

// fetch asks the provider where its keys are, and for them.
func (k *keys) fetch(ctx context.Context) (set jose.JSONWebKeySet, err error) {
	ctx = oidc.ClientContext(ctx, k.client)
	p, err := oidc.NewProvider(ctx, k.issuer)
	if err != nil {
		return set, err
	}

	var at struct {
		Keys string `json:"jwks_uri"`
	}
	if err := p.Claims(&at); err != nil {
		return set, err
	}

	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.Keys, nil)
	if err != nil {
		return set, err
	}
	if err := checkLine(r.URL); err != nil {
		return set, fmt.Errorf("jwks_uri: %w", err)
	}

	resp, err := k.client.Do(r)
	if err != nil {
		return set, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return set, fmt.Errorf("the keys of the identity provider: status %d", resp.StatusCode)
	}

	err = json.NewDecoder(io.LimitReader(resp.Body, maxKeys)).Decode(&set)
	return set, err
}
