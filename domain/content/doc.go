// Package content names texts and documents by what they hold: by the hash of their
// bytes. Whoever has the bytes can check the name; whoever has the name alone learns
// nothing of them.
package content
