// Package ident says how apps, records, streams, persons and principals are named. A name
// that is recorded is ours, and says nothing about a person: who is known outside by a
// [PersonKey] has a pseudonym in the log.
package ident
