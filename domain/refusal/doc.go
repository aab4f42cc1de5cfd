// Package refusal is how a decision says no: final, with a code for programs, and a text
// that says what is wrong and what would be right. It never shows what a caller sent, but
// for names that cannot be a person's, see [Quote].
package refusal
