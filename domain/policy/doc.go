// Package policy says what a policy promises, and what changes from one version of it
// to the next.
//
// A [Document] is one version, as data: purposes and the personal data they need,
// acts by which a person consents, recipients, rights, grounds, channels, texts,
// and rules by which something is owed. [Document.Check] says whether it can be
// published. [Compare] finds what differs between two versions: which changes are
// material, and which consents no longer cover what is done.
//
// A document says what the policy says, and nothing of persons: whether somebody
// consented is decided in package domain.
//
// Words. A purpose is what personal data is processed for; its legal basis is why that
// is lawful. A ground is one entry of an enumeration, under a code that never changes.
// A duty is what is owed when something happened. A text has a force: it binds, it
// translates, or it is a sample.
package policy
