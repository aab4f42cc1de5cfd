// Package domain says what a consent is.
//
// A person (the subject) answers an app that handles personal data. Every
// answer is a fact with two times: At, when it happened as its source says,
// and Recorded, when the ledger took it. A yes counts from the later of the
// two, a no from the earlier; only a yes that is later in both brings a
// consent back after a no. So no clock, however wrong, and no message, however
// late, makes a consent out of a refusal.
//
// The nouns are [Service] (an app), [Policies] and [Surfaces] (of an app), [Subject]
// (a person), [Request] (what a person asks for), [Incident] and [Duties] (what is
// owed). Each has Decide, which turns a command into facts, and Evolve, which turns a
// fact into the next state; [DecideCalendars] and [EvolveCalendars] do so for
// calendars. All are plain functions: they read no clock, no disk and no network, so
// the same history always tells the same story.
//
// What counts as consent is two tables: [CountRules] says what a grant must be,
// [LackRules] what it should prove. [May] answers "may we?", [Prompt] "what must we
// ask?". What is only noted has its rules in [NoteRules].
//
// Three packages are below this one and know nothing of persons: domain/policy is what
// a policy says and what changes from one version to the next, domain/deadline is by
// when something is owed, domain/content is the hash by which texts are named.
//
// Words. App, group (of apps), subject, purpose, policy, policy version, surface,
// control, presentation, consent (given, refused, withdrawn, expired, stale),
// separate consent, acknowledgement, notice, permission, signal (a machine's), basis, exemption,
// ground, evidence, guardian, band (of age), link, receipt, position, revision,
// pseudonym.
package domain
