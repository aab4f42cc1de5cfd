// Package esdb keeps records in EventStoreDB or KurrentDB.
//
// It speaks the servers' own protocol: the connection-string parser and the
// generated stubs are those of EventStore-Client-Go, the connection under them
// is ours. That client's own was seen to stay dead after 1.2 seconds without a
// server, to settle on followers, never to send requires-leader, and to wait 26
// seconds for a leader that slept.
//
// # What is stored
//
// A stream of the ledger is a stream of the server, named after the store and a
// dot: "ledger.subject-demo-7f0c...". No name of a store contains a dot, so two
// stores in one database never share a stream. A record is one event: its data
// are the record's bytes, its type the record's, and its metadata the record's
// id and its place in the append. The event's own id is made of all of these
// and of its stream and revision, since a server compares nothing else when it is
// sent an event twice; and whoever reads an event finds out whether it was
// changed.
//
// # What is relied on
//
// Every call requires the leader. An append expects an exact revision, never
// "any". An outcome that is unknown is settled by sending the same again. Before
// a connection is used for anything, and for every [Store.Barrier], the node has
// to acknowledge an append of no events, which only a leader with a quorum can:
// a leader that was paused and replaced answers reads from the past for some
// seconds, also when they require the leader.
//
// Streams are whole: they begin at revision 0 and have no gap, nothing in them is
// deleted or limited, and what was read once is read again. If it is not so,
// history was changed by somebody: the store takes no more appends, names the
// place by [Store.Fault], and can still be read.
//
// # How it is tested
//
// Against esdbserver, in this process and as processes that are killed and paused;
// outages of minutes pass in time of their own. The test binary holds a real server
// to the same: see docs/esdb.md.
package esdb
