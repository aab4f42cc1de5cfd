// Package postgres keeps records and rows in PostgreSQL, 15 or later.
//
// # What is stored
//
// A store is a schema, by default "consentledger", and a record is a row of its
// table records_v1, with the record's bytes as they are. The store makes the schema
// itself; schema.sql is all of it. Positions have no gaps: the first record is at
// 1, and the last one's position is how many there are.
//
// # What is relied on
//
// One transaction at a time appends, of all processes. It holds the lock of the
// table turn_v1 until what it wrote is visible, so positions become visible in
// their order, and a reader that goes on behind the last position it saw skips
// nothing and waits for nobody. Each process makes the appends that wait in one
// transaction, which is one statement for the server: a process that is paused or
// killed holds no lock. Its commit is never cancelled, since a server ends a
// cancelled commit by making it.
//
// When it is unknown what became of a commit, the same is sent again. It gets the
// lock only once the first has ended, and finds the records there or not. A record
// says which part of its append it is, so that the very same append is told from
// one that happens to hold the same records, also by another process and later.
//
// Before a connection is used for anything, its server has to be the primary, the
// one of before (its system identifier) or the one that took over (a higher
// timeline), and has to hold the newest record that this store knows of. Whoever
// meets a timeline first marks it, by which two servers that took over from one
// are told apart. What PostgreSQL cannot tell is that it was replaced and does not
// know it: the operator must fence a replaced primary before a standby is promoted.
//
// Readers are woken by NOTIFY, in a transaction of its own after the commit, and look
// for themselves once a second: a notification in the append's own transaction would
// have all commits of the server wait for each other.
//
// # Rows
//
// [Rows] are beside the records, in a schema of their own: what a server is admitted
// by, how a commit is settled and how calls end is the same for both, so they are one
// package. rows.sql is all of their schema. One transaction at a time writes, of all
// processes, and so conditions need no other isolation than the turn.
//
// A change must not be sent twice, for its own effect may make its conditions
// untrue. So a transaction has an id, and the server keeps of each writer the last
// one, with what became of its changes: what is sent again is sent as it was, by the
// same writer, and the server answers what it answered before.
//
// What is deleted leaves the disk by [Rows.Purge]. For its sake the rows lie in sixteen
// parts, have no statistics, and are owned by who writes them.
package postgres
