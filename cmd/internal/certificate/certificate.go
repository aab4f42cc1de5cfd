// Package certificate fetches the proofs that a certificate of an erasure is made of.
package certificate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"consentledger/api/audit/erasure"
	"consentledger/api/rest"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/remote"
	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/transparency/merkle"

	"github.com/spf13/cobra"
)

// maxBetween is how many records are looked at between an order and that it is done: others
// record meanwhile.
const maxBetween = 1000

// certificateWait is how long the end of the log is waited for.
const certificateWait = 10 * time.Second

// Of returns the certificate of an order to erase somebody, or of one to destroy the proof
// that was kept of them.
func Of(c *cobra.Command, app, event string) (erasure.Certificate, error) {
	until := time.Now().Add(certificateWait)
	_, order, _, err := awaitProof(c, app, url.Values{"event": {event}}, until)
	if err != nil {
		return erasure.Certificate{}, err
	}

	switch order.Event.(type) {
	case domain.ErasureOrdered:
		ordered, erased, err := proofs(c, app, event)
		return erasure.New(ordered, erased), err
	case domain.DestructionOrdered:
		return ofDestroyed(c, app, order.Stream.ID, until)
	}
	return erasure.Certificate{}, exit.Usage(fmt.Errorf("--event: the event is of the type %s: want the id that "+
		"subject erase printed, or kept-proof destroy", order.Type))
}

// ofDestroyed returns the certificate of a person whose proof was destroyed.
func ofDestroyed(c *cobra.Command, app, person string, until time.Time) (none erasure.Certificate, err error) {
	answer, err := remote.Get(c, remote.App(app)+"/proofs/"+url.PathEscape(person))
	if err != nil {
		return none, err
	}
	var p rest.KeptProof
	if err := json.Unmarshal(answer, &p); err != nil {
		return none, fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	if p.Destroyed == "" {
		return none, exit.NotFound(errors.New("it was ordered, and the log does not say yet that it was done: ask " +
			"again"))
	}

	ordered, erased, err := proofs(c, app, p.Erasure)
	if err != nil {
		return none, err
	}
	destruction, _, _, err := awaitProof(c, app, url.Values{"event": {p.Destruction}}, until)
	if err != nil {
		return none, err
	}
	destroyed, _, _, err := awaitProof(c, app, url.Values{"event": {p.Destroyed}}, until)
	return erasure.New(ordered, erased).AndDestroyed(destruction, destroyed), err
}

// proofs returns the proofs of an order to erase, and that it was done.
func proofs(c *cobra.Command, app, event string) (ordered, erased []byte, err error) {
	until := time.Now().Add(certificateWait)
	ordered, order, index, err := awaitProof(c, app, url.Values{"event": {event}}, until)
	if err != nil {
		return nil, nil, err
	}

	for n := int64(1); n <= maxBetween; n++ {
		proof, e, _, err := awaitProof(c, app, url.Values{"index": {fmt.Sprint(index + n)}}, until)
		if p, is := errors.AsType[*exit.ProblemError](err); is && p.Status == http.StatusNotFound {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if done, is := e.Event.(domain.SubjectErased); is && eventstore.EventID(done.Order) == order.ID {
			return ordered, proof, nil
		}
	}
	return nil, nil, exit.NotFound(errors.New("it was ordered, and the log does not say yet that it was done: ask " +
		"again"))
}

// awaitProof is fetchProof that waits until the log has the record: it is signed a moment
// after what was recorded.
func awaitProof(
	c *cobra.Command, app string, query url.Values, until time.Time,
) (text []byte, e codec.Entry, index int64, err error) {
	for {
		text, e, index, err = fetchProof(c, app, query)
		p, is := errors.AsType[*exit.ProblemError](err)
		if !is || p.Status != http.StatusNotFound || time.Now().After(until) {
			return text, e, index, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-c.Context().Done():
			return nil, e, 0, c.Context().Err()
		}
	}
}

// fetchProof returns a proof, the record in it and the record's place in the log.
func fetchProof(c *cobra.Command, app string, query url.Values) (text []byte, e codec.Entry, index int64, err error) {
	text, err = remote.Get(c, "/log/"+url.PathEscape(app)+"/proof?"+query.Encode())
	if err != nil {
		return nil, e, 0, err
	}
	p, err := merkle.ParseProof(text)
	if err == nil {
		e, err = erasure.Read(p.Extra)
	}
	if err != nil {
		return nil, e, 0, fmt.Errorf("the server's proof cannot be read: %w", err)
	}
	return text, e, p.Index, nil
}
