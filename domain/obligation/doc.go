// Package obligation is what is owed by a date: how its clock starts, stands still, goes on
// and is extended, and how it ends. It computes changes, and folds them; events, and who
// decides on them, are package domain's.
package obligation
