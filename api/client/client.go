// Package client is what an app in Go imports to talk to the consent ledger: it
// records what a person said, asks whether something is allowed, and goes on when the
// ledger cannot be reached. The module is in no registry of modules; an app names a copy:
//
//	go mod edit -require consentledger@v0.0.0 -replace consentledger=/path/to/consentledger
//	go mod tidy
//
// and then:
//
//	c, err := client.Open(client.Config{
//		App: "smartkey", Source: "/backend", Transport: client.HTTP("https://consent.example.com"), Queue: "/var/lib/shop/consents",
//	})
//	go c.Run(ctx) // sends what [Client.Keep] kept
//	...
//	err = c.Keep(client.Event{Type: "consent.withdrawn", Subject: "account:17", Data: map[string]any{"all": true}})
//	if c.Allowed(ctx, client.Question{Subject: "account:17", Purpose: "personalisation"}).Allowed {
//
// What happens when the ledger is down:
//
//	| call    | answer | what was said |
//	|---------|--------|---------------|
//	| Record  | tries again with the same id until its context ends; then [Unknown], which names the id | may be recorded or not; recording the same [Event] again, with that id, settles it |
//	| Keep    | nil, at once, once it is on this machine's disk | is sent by Run when the ledger answers again, also after a restart, each person's in order |
//	| Check   | an error, and an Answer that is not allowed and whose status is "unknown" | |
//	| Allowed | the same Answer without the error; an "allowed" no older than Config.Remember, if that is set | |
//
// An opt-out counts in this process at once: from the moment that Record or Keep is
// called with one until the ledger has it, Allowed says no for that person, whatever was
// remembered and whether the ledger answers or not. Other processes hear of it from the
// ledger, once that has it ([Client.Hear]).
//
// Each request to the ledger is a span of OpenTelemetry, and carries its trace: where the
// app has set a tracer and a propagator, one trace leads from it to the ledger's records.
//
// The package knows the public forms of the ledger and nothing of its inside, so that an
// app links no store and no database.
package client

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// A Config says for whom a client speaks, and how. Zero values have the meanings that
// stand beside them.
type Config struct {
	App       string        // the app's name in the ledger
	Source    string        // who sends, a URI reference as CloudEvents has it; empty: "/" and the app's name
	Transport Transport     // how the ledger is reached, see [HTTP] and [NATS]
	Queue     string        // the directory where Keep keeps events; empty: there is none, and Keep fails
	QueueMax  int           // how many events may wait in Queue; zero: 100,000
	Try       time.Duration // how long one try may take; zero: 5 s

	// Remember is for how long Allowed may repeat an answer without asking again. While it
	// does, an opt-out that another process recorded is not seen, unless the client hears
	// of it, see [Client.Hear]. Zero: it always asks.
	Remember    time.Duration
	RememberMax int // of how many persons, or up to twice as many; zero: 10,000

	// Refused is told what the ledger refused of what Keep had kept: an error of the app,
	// which nobody else hears of. The event is kept below the queue's directory, in
	// "refused". Nil: it is only kept there. While the key is no good, or may not record
	// for the app, nothing is refused: all waits (see [Client.Waiting]).
	Refused func(Event, *Refusal)
}

// A Client speaks for one app. It is safe for use by several goroutines.
type Client struct {
	config Config
	queue  *queue // nil: there is none
	said   outbound
}

var appName = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// Open returns a client. What a queue held when its process ended is there again.
func Open(config Config) (*Client, error) {
	if !appName.MatchString(config.App) {
		return nil, errors.New("client: App must be the app's name in the ledger: 1 to 32 lower-case letters and digits")
	}
	if config.Transport == nil {
		return nil, errors.New("client: Transport is missing: client.HTTP(URL) or client.NATS(connection)")
	}
	if config.Source == "" {
		config.Source = "/" + config.App
	}
	if config.Try == 0 {
		config.Try = 5 * time.Second
	}
	if config.QueueMax == 0 {
		config.QueueMax = 100_000
	}
	if config.RememberMax == 0 {
		config.RememberMax = 10_000
	}

	c := &Client{config: config}
	c.said.remembered.Each = config.RememberMax
	if config.Queue == "" {
		return c, nil
	}

	q, err := openQueue(config.Queue, config.QueueMax)
	if err != nil {
		return nil, err
	}
	c.queue = q
	for _, k := range q.items {
		k.done = c.said.begin(k.event) // opt-outs of an earlier run hold until they are recorded
	}
	return c, nil
}

// Close gives the queue's directory back. Call it when Run has returned.
func (c *Client) Close() error {
	if c.queue == nil {
		return nil
	}
	return c.queue.close()
}

// Record records an event and returns the ledger's receipt: the event is on the ledger's
// disk then. It tries again, with the same id, until the ledger answers or ctx ends.
//
// The error is a [*Refusal] if the ledger will never take this event, and an [*Unknown]
// if it is not known whether it has it.
func (c *Client) Record(ctx context.Context, e Event) (Receipt, error) {
	e, err := c.complete(e)
	if err != nil {
		return Receipt{}, err
	}
	defer c.said.begin(e)()
	return c.record(ctx, e)
}

// record sends an event that is complete until it is answered.
func (c *Client) record(ctx context.Context, e Event) (Receipt, error) {
	body, err := e.marshal()
	if err != nil {
		return Receipt{}, err
	}
	var r Receipt
	err = c.persist(ctx, request{verb: recordVerb, body: body}, &r)
	if err == nil {
		return r, nil
	}
	if refusal, is := errors.AsType[*Refusal](err); is {
		return Receipt{}, refusal
	}
	if errors.Is(err, errTooLarge) { // it was never sent
		return Receipt{}, err
	}
	return Receipt{}, &Unknown{ID: e.ID, Cause: err}
}

// RecordAll records events in batches, with a result for each of them in their order;
// one person's events keep their order. A transport without batches sends one by one.
//
// A result whose Err is an [*Unknown] may be recorded or not.
func (c *Client) RecordAll(ctx context.Context, events []Event) ([]Result, error) {
	all := make([]Event, len(events))
	for i, e := range events {
		complete, err := c.complete(e)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i+1, err)
		}
		all[i] = complete
	}
	for _, e := range all {
		defer c.said.begin(e)()
	}

	results := make([]Result, 0, len(all))
	for len(all) > 0 {
		n := min(len(all), batchRows)
		results = append(results, c.recordBatch(ctx, all[:n])...)
		all = all[n:]
	}
	return results, nil
}

// Keep puts an event into the queue on this machine's disk and returns. It is sent by
// [Client.Run], as often as is needed, and each person's events in the order in which they were kept.
func (c *Client) Keep(e Event) error {
	if c.queue == nil {
		return errors.New("client: there is no queue: set Config.Queue to a directory")
	}
	e, err := c.complete(e)
	if err != nil {
		return err
	}

	done := c.said.begin(e)
	if err := c.queue.put(e, done); err != nil {
		done()
		return err
	}
	return nil
}

// Waiting returns how many events wait in the queue.
func (c *Client) Waiting() int {
	if c.queue == nil {
		return 0
	}
	return c.queue.len()
}

// Check asks the ledger: may this be done, now? With an error the Answer is not allowed,
// and its status is "unknown". It asks once: whoever waits for the answer has a deadline
// in ctx, or Config.Try.
func (c *Client) Check(ctx context.Context, q Question) (Answer, error) {
	body, err := q.marshal()
	if err != nil {
		return unknownAnswer(q), err
	}
	var a Answer
	if err := c.once(ctx, request{verb: checkVerb, body: body}, &a); err != nil {
		return unknownAnswer(q), err
	}
	return a, nil
}

// Prompt asks the ledger what must be asked of a person, or shown to them, now.
func (c *Client) Prompt(ctx context.Context, subject, locale string) (Prompt, error) {
	body, err := marshal(promptRequest{Subject: subject, Locale: locale})
	if err != nil {
		return Prompt{}, err
	}
	var p Prompt
	err = c.once(ctx, request{verb: promptVerb, body: body}, &p)
	return p, err
}
