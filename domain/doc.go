// Package domain says what a consent is, and what is owed to whom by when.
//
// A person (the subject) answers an app that handles personal data. Every
// answer is a fact with two times: At, when it happened as its source says,
// and Recorded, when the ledger took it. A grant counts from the later of the
// two, an opt-out (a refusal or a withdrawal) from the earlier; only a grant that
// is later in both brings a consent back after an opt-out. So no clock, however
// wrong, and no message, however late, makes a consent out of a refusal.
//
// The nouns are [Service] (an app), [Policies] and [Surfaces] (of an app), [Subject]
// (a person); in domain/cases, above this package, a request, an incident and what is
// owed. Each has Decide, which turns a command into facts, and Evolve, which turns a
// fact into the next state; [DecideCalendars] and [EvolveCalendars] do so for
// calendars. All are plain functions: they read no clock, no disk and no network, so
// the same history always tells the same story.
//
// A fact that was recorded is never changed, and folds for ever by the version of
// the rules that it was recorded under, see [Rules]. What facts look like on disk is
// package codec's to say: no type here has a tag.
//
// What can be said as a list is a table: [Events] and [Commands] have a row for every
// type, [CountRules] says what a grant must be to count, [LackRules] what it should
// prove. [May] answers "may we?", [Prompt] "what must we ask?".
//
// The packages below this one, all but domain/cases, know no event, and nothing of where a person stands. They
// compute; the event of what comes out is a type of this package, of the same shape.
//
//   - domain/policy is what a policy says and what changes from one version to the next;
//     domain/published is what the versions of an app's policies come to together, and
//     domain/surface what a screen shows.
//   - domain/deadline is by when something is owed; domain/obligation is how its clock
//     starts, stands still and ends; domain/request has the types of requests and by
//     when each is answered.
//   - domain/catalog lists what is noted and which steps a request and an incident take
//     and when; domain/register is what follows from notes of an app about itself, and
//     domain/proposal is what takes two principals.
//   - domain/link says which histories were one person's, and when.
//   - domain/ident names apps, records, streams and persons, domain/content texts by
//     their hash; domain/amount is money; domain/refusal is how a decision says no, and
//     domain/lists how the lists of a state change.
//
// To add an event, see docs/contributing.md.
//
// Words. App, group (of apps), subject, guardian, band (of age), purpose, policy,
// policy version, surface, control, presentation, consent (given, refused, withdrawn,
// expired, stale), grant, opt-out, separate consent, acknowledgement, notice,
// permission, signal (a machine's), basis, exemption, ground, evidence, request, step,
// obligation, due date, incident, note, hold, restriction, calendar, link, receipt,
// position, revision, pseudonym.
package domain
