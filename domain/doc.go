// Package domain says what a consent is.
//
// A person (the subject) answers an app that handles personal data. Every
// answer is a fact with two times: At, when it happened as its source says,
// and Recorded, when the ledger took it. A yes counts from the later of the
// two, a no from the earlier; only a yes that is later in both brings a
// consent back after a no. So no clock, however wrong, and no message, however
// late, makes a consent out of a refusal.
//
// Three nouns: [Service] (an app), [Policies] (of an app), [Subject] (a
// person). Each has Decide, which turns a wish into facts, and Evolve, which
// turns a fact into the next state. All are plain functions: they read no
// clock, no disk and no network, so the same history always tells the same
// story.
//
// Words. App, subject, purpose, policy, policy version, consent (given,
// refused, withdrawn, expired, stale), separate consent, acknowledgement,
// notice, permission, basis, receipt, position, revision, pseudonym.
package domain
