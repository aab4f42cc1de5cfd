// Package bench measures whole programs from outside: a ledger as its users run
// it, one that was built before, and the peers that people would use instead.
//
// It knows of a program only what a user knows: its verbs, its HTTP routes and
// what the operating system says of its process. So any build of the ledger that
// has these can be measured, and two builds are measured in turns, in one run,
// on the same requests.
package bench
