// Package published is what the versions of an app's policies come to together: which one
// binds at a moment, which purposes are declared and on what they rest, what a later
// version makes stale of a consent to an earlier one, and whether what changed was
// declared. It knows no person, and what is said of consents it takes as an [Agreement].
package published
