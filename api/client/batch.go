package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
)

// batchRows is how many events the ledger takes at once.
const batchRows = 1000

// senders is how many persons' events are on their way at once where there are no
// batches.
const senders = 16

type rows struct {
	Results []struct {
		Status  int             `json:"status"`
		Receipt *Receipt        `json:"receipt"`
		Problem json.RawMessage `json:"problem"`
	} `json:"results"`
}

// recordBatch records at most [batchRows] events that are complete.
func (c *Client) recordBatch(ctx context.Context, events []Event) []Result {
	body, err := marshalAll(events)
	if err != nil {
		return sameFor(events, err)
	}
	var answers rows
	err = c.persist(ctx, request{verb: batchVerb, body: body}, &answers)
	if errors.Is(err, errNoBatch) {
		return c.recordEach(ctx, events)
	}
	if err == nil && len(answers.Results) != len(events) {
		err = errors.New("client: the answer to a batch has another number of rows")
	}
	if err != nil {
		return sameFor(events, err)
	}

	results := make([]Result, len(events))
	var again []Event // in the order of events, so that each person's stay in order
	var places []int
	for i, row := range answers.Results {
		if row.Receipt != nil {
			results[i].Receipt = *row.Receipt
			continue
		}
		err := answer{status: row.Status, body: row.Problem}.read(nil)
		if _, refused := errors.AsType[*Refusal](err); refused {
			results[i].Err = err
			continue
		}
		again, places = append(again, events[i]), append(places, i)
	}
	for i, r := range c.recordEach(ctx, again) {
		results[places[i]] = r
	}
	return results
}

func marshalAll(events []Event) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, e := range events {
		one, err := e.marshal()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(one)
	}

	b.WriteByte(']')
	return b.Bytes(), nil
}

// sameFor says of all events that err kept the answer away.
func sameFor(events []Event, err error) []Result {
	results := make([]Result, len(events))
	for i, e := range events {
		results[i].Err = &Unknown{ID: e.ID, Cause: err}
		if refusal, is := errors.AsType[*Refusal](err); is {
			results[i].Err = refusal
		}
	}
	return results
}

// recordEach records events by a request each: several persons' at once, and each
// person's one after the other.
func (c *Client) recordEach(ctx context.Context, events []Event) []Result {
	results := make([]Result, len(events))
	persons := map[string][]int{}
	var order []string
	for i, e := range events {
		if persons[e.Subject] == nil {
			order = append(order, e.Subject)
		}
		persons[e.Subject] = append(persons[e.Subject], i)
	}

	var work sync.WaitGroup
	places := make(chan struct{}, senders)
	for _, subject := range order {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			for _, i := range persons[subject] {
				results[i].Receipt, results[i].Err = c.record(ctx, events[i])
			}
		})
	}
	work.Wait()
	return results
}
