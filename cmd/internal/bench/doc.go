// Package bench is the verb bench: it measures ledgers.
//
// Its files named verb_many.go and verb_scale.go, and those that they use,
// measure whole programs from outside: a ledger as its users run it, one that was
// built before, and the peers that people would use instead. They know of a program
// only what a user knows: its verbs, its HTTP routes and what the operating system
// says of its process. So any build of the ledger that has these can be measured,
// and two builds are measured in turns, in one run, on the same requests.
//
// The others measure one ledger from inside, part by part: they open what package
// server opens, and start what it starts.
package bench
