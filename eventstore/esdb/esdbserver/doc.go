// Package esdbserver speaks EventStoreDB's gRPC protocol as a node of version
// 23.10.8 does: same frames, same statuses, same trailers.
//
// It has two uses. As a server for tests it keeps an engine in memory that
// knows all that our [eventstore.Store] does not: expectations other than an
// exact revision, appends of nothing, deletion, limits, log positions, and the
// faults of a cluster ([Faults]). As a window ([Options].Store) it shows the
// records of a store to existing tools, and refuses every write.
//
// The two share all that is protocol, and differ in what stands under it. The
// engine does not sit on a Store: a store takes one kind of expectation and
// forgets nothing, and most of what a client of EventStoreDB must be tested
// against is the rest.
//
// What a real node answers is a table of recorded cases (package answers);
// TestRecordedAnswers plays it. Where KurrentDB 25.0.1 was seen to answer
// otherwise, [Options].Kurrent does.
//
// Not served are persistent subscriptions, users, operations and projections,
// though clients are told of the methods, as the real one tells them. A reader
// that is too slow is waited for, and not dropped, unless EndSubscriptions
// drops it. Nothing here is durable: an engine ends with its process.
package esdbserver
