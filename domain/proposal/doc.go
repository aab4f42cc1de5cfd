// Package proposal is what takes two principals: one proposes it, another one decides on it,
// within a time.
package proposal
