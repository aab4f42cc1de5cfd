package bench

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
)

// appends measures appends of one record each.
func (b *esdbBench) appends(ctx context.Context, clients int) error {
	to := func(s eventstore.Store) func(context.Context) (stint, error) {
		return func(ctx context.Context) (stint, error) { return appendFor(ctx, s, clients, b.slice) }
	}
	how := fmt.Sprintf("Append of one record of %d bytes; every client moves to a new stream after ten", recordBytes)
	return b.onDisk("append", func(disk eventstore.Store) error {
		return b.onServer(ctx, func(server *protocolServer, stores []*esdb.Store) error {
			return b.turns(ctx, "append", clients, how, []way{
				{name: "embedded, synced", do: to(disk)},
				{name: "unary", server: server, do: to(stores[0])},
				{name: "batch", server: server, do: to(stores[1])},
			}, ratio{"batch", "unary"}, ratio{"batch", "embedded, synced"}, ratio{"unary", "embedded, synced"})
		}, esdb.Options{Name: "unary", NoBatchAppend: true}, esdb.Options{Name: "batch"})
	})
}

// Of the questions there are so many persons, each with so many records.
const askedPersons, askedRecords = 1000, 10

// persons fills a store with persons to ask about.
func persons(ctx context.Context, s eventstore.Store) error {
	for n := range askedPersons {
		records := make([]eventstore.Record, askedRecords)
		for i := range records {
			records[i] = someRecord()
		}
		if _, err := s.Append(ctx, person(n), 0, records...); err != nil {
			return err
		}
	}
	return nil
}

func person(n int) eventstore.Stream { return eventstore.Stream(fmt.Sprintf("subject-bench-%d", n)) }

// lookAfter looks whether a person's history, of which everything is known, has gone on.
func lookAfter(ctx context.Context, read reader) error {
	for r, err := range read(ctx, person(rand.IntN(askedPersons)), askedRecords) {
		if err != nil {
			return err
		}
		return fmt.Errorf("nobody appends, and record %d of stream %s is there", r.Revision, r.Stream)
	}
	return nil
}

// A reader reads what came after a revision.
type reader = func(context.Context, eventstore.Stream, eventstore.Revision) iter.Seq2[eventstore.Recorded, error]

// checks measures what a store is asked for a check whose fold is in memory: what
// came after it. Without a barrier another process may have acknowledged something
// that the answer does not see.
func (b *esdbBench) checks(ctx context.Context, clients int) error {
	return b.onServer(ctx, func(server *protocolServer, stores []*esdb.Store) error {
		s := stores[0]
		if err := persons(ctx, s); err != nil {
			return err
		}
		always := func(do func(context.Context) error) func(context.Context) (stint, error) {
			return func(ctx context.Context) (stint, error) {
				return repeat(ctx, clients, b.slice, func() func(context.Context) error { return do })
			}
		}
		check := func(ctx context.Context) error { return lookAfter(ctx, s.ReadStream) }
		fresh := func(ctx context.Context) error { return lookAfter(ctx, s.ReadFresh) }
		how := fmt.Sprintf("at most one barrier in %v; a check reads what came after the %d records that are known",
			b.every, askedRecords)
		return b.turns(ctx, "check", clients, how, []way{
			{name: "barriers", server: server, do: always(s.Barrier)},
			{name: "checks", server: server, do: always(check)},
			{name: "checks behind barriers", server: server, do: always(fresh)},
		}, ratio{"checks behind barriers", "checks"})
	}, esdb.Options{})
}

// lone measures how long one client waits who asks so seldom that it is always its
// turn.
func (b *esdbBench) lone(ctx context.Context) error {
	return b.onServer(ctx, func(server *protocolServer, stores []*esdb.Store) error {
		s := stores[0]
		if err := persons(ctx, s); err != nil {
			return err
		}
		once := func(read reader) func(context.Context) (stint, error) {
			return func(ctx context.Context) (stint, error) {
				return repeat(ctx, 1, b.slice, func() func(context.Context) error {
					return func(ctx context.Context) error { return lookAfter(ctx, read) }
				})
			}
		}
		return b.turns(ctx, "lone check", 1, "one client, whose turn it always is", []way{
			{name: "read", server: server, do: once(s.ReadStream)},
			{name: "barrier, then read", server: server, do: once(apart(s))},
			{name: "both at once", server: server, do: once(s.ReadFresh)},
		}, ratio{"both at once", "barrier, then read"}, ratio{"both at once", "read"})
	}, esdb.Options{BarrierEvery: time.Nanosecond})
}

// apart reads behind a barrier as if the store had no way of its own to do so.
func apart(s eventstore.Store) reader {
	plain := struct{ eventstore.Store }{s}
	return func(ctx context.Context, stream eventstore.Stream, after eventstore.Revision) iter.Seq2[eventstore.Recorded,
		error] {
		return eventstore.ReadFresh(ctx, plain, stream, after)
	}
}

// follow measures how fast the whole history is read.
func (b *esdbBench) follow(ctx context.Context) error {
	return b.onDisk("follow", func(disk eventstore.Store) error {
		return b.onServer(ctx, func(server *protocolServer, stores []*esdb.Store) error {
			s := stores[0]
			for _, store := range []eventstore.Store{disk, s} {
				if err := b.history(ctx, store); err != nil {
					return err
				}
			}
			how := fmt.Sprintf("%d records of %d bytes, from the first", b.records, recordBytes)
			return b.turns(ctx, "follow", 0, how, []way{
				{name: "embedded", do: b.followed(disk)},
				{name: "esdb", server: server, do: b.followed(s)},
				{name: "esdb, read all", server: server, do: b.readAll(s)},
			}, ratio{"esdb", "embedded"}, ratio{"esdb", "esdb, read all"})
		}, esdb.Options{})
	})
}

// history appends the records that are followed.
func (b *esdbBench) history(ctx context.Context, s eventstore.Store) error {
	const most = 500
	for n := 0; n < b.records; n += most {
		records := make([]eventstore.Record, min(most, b.records-n))
		for i := range records {
			records[i] = someRecord()
		}
		if _, err := s.Append(ctx, person(n), 0, records...); err != nil {
			return err
		}
	}
	return nil
}

func (b *esdbBench) followed(s eventstore.Store) func(context.Context) (stint, error) {
	return func(ctx context.Context) (stint, error) {
		n, begun := 0, time.Now()
		for batch, err := range s.Follow(ctx, 0) {
			if err != nil {
				return stint{}, err
			}
			if n += len(batch); n >= b.records {
				break
			}
		}
		return stint{n, time.Since(begun)}, nil
	}
}

func (b *esdbBench) readAll(s eventstore.Store) func(context.Context) (stint, error) {
	return func(ctx context.Context) (stint, error) {
		n, begun := 0, time.Now()
		for _, err := range s.ReadAll(ctx, 0) {
			if err != nil {
				return stint{}, err
			}
			n++
		}
		return stint{n, time.Since(begun)}, nil
	}
}
