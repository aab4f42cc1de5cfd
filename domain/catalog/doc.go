// Package catalog lists the kinds of notes, and the kinds of steps that requests and
// incidents take: which fields each has, how a field is written, and when a step is legal.
// They are rows of two tables, [NoteRules] and [StepRules]; what follows from a step is
// decided in package domain.
package catalog
