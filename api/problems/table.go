package problems

import (
	"net/http"

	"consentledger/api/wire"
	"consentledger/domain/refusal"
)

const (
	mendAndSend = "Mend what detail and path name, and send it again."
	askAgain    = "Ask again after a moment, or after the seconds in Retry-After."
	sendAgain   = "Send the same again, with the same id: it is never recorded twice."
	noMore      = "Do not send it again: the answer stays the same."
)

// Table explains every code.
var Table = []ErrorCode{
	// What is sent.
	refused(refusal.Malformed, "Something in the request is not written as it has to be: a body, a member, a parameter or a header.", mendAndSend),
	refused(refusal.TooLarge, "An event, a record or an answer is larger than is taken.", "Send less at once; keep documents elsewhere, and name their hash."),
	refused(refusal.Incomplete, "A member is missing that this takes.", mendAndSend),
	refused(refusal.NothingNamed, "The event names nothing that it is about: no purpose, or no record.", "Name what is meant, and send it again."),
	refused(refusal.ReasonMissing, "A reason in words is missing.", "Say why, and who, where detail asks for it."),
	refused(refusal.IDReused, "The id was used before by this source, for something else.", "Give every event an id of its own. To repeat an event, send exactly the same."),
	{Code: "idempotency-key-reused", Status: http.StatusUnprocessableEntity, Means: "The Idempotency-Key came before with another body.", Do: "Send what was sent with it, or take a new key."},
	refused(refusal.WrongStream, "The event is about something else than it says: about an app and not a person, or the other way round.", mendAndSend),
	refused(refusal.AtInFuture, "The event says that it happened at a time that is still to come.", "Set the sender's clock, or leave time out. An opt-out is never refused for its time."),
	refused(refusal.AtTooLate, "A grant is so old that it is no longer taken as one that was just given.", "Bring it by an import, which marks it; see docs/import.md."),
	refused(refusal.EarlierPerson, "The event is from before this person's history began: it may be of somebody who had the id before.", noMore+" Import old events oldest first, and before anything live."),
	refused(refusal.BadSignature, "The signature is not the signer's over the bytes that were sent.", "Sign the body exactly as it is sent."),
	refused(refusal.UnknownSigner, "No signer of that name is registered for the app.", "Register it: consentledger signer, or the event signer.registered."),
	refused(refusal.NotForApps, "Only operators record this.", "Send it to the endpoint of operators, as an officer."),

	// What is named.
	refused(refusal.UnknownApp, "There is no such app, or it is none of this key's.", "Look at the name. An app is registered before it may record."),
	refused(refusal.AppIncomplete, "A new app needs a handler's name, an environment, a jurisdiction, a time zone and a locale.", mendAndSend),
	refused(refusal.EnvironmentFixed, "An app does not change its environment by the way.", "Move it: POST /v1/apps/{app}/environment, or consentledger app move."),
	refused(refusal.NoPolicy, "The app has published no policy.", "Publish one, then send it again."),
	refused(refusal.UnknownPolicy, "The app has no policy of that name, or none was in force then.", "Name the policy that was shown, or publish it."),
	refused(refusal.UnknownVersion, "The version was never published for this app.", "Name the version that was shown."),
	refused(refusal.UnknownPurpose, "No version of the policy declares the purpose.", "Publish the policy that declares it, or name one of the purposes that there are."),
	refused(refusal.UnknownAct, "The policy names no such act of consent.", "Name an act of the policy, or publish the policy that names it."),
	refused(refusal.UnknownPermission, "No version of the policy names the permission.", "Name a permission of the policy."),
	refused(refusal.UnknownRecord, "A record that is named is not there, or not of this person or app.", "Take event ids from receipts or the history."),
	refused(refusal.UnknownText, "A text or a document is named by its hash, and is neither sent nor kept.", "Send the text with it."),
	refused(refusal.UnknownNotice, "No such notice was presented to this person.", "Name the event id of the notice that was recorded."),
	refused(refusal.UnknownSurface, "No such surface was published for the app.", "Publish the surface before what is said on it is recorded."),
	refused(refusal.UnknownControl, "The surface has no such control.", "Name a control of the surface that was shown."),
	refused(refusal.UnknownGround, "The policy has no such ground, or it is not for this.", "Name one of those that detail lists."),
	refused(refusal.UnknownLink, "The two histories are not linked.", noMore),
	refused(refusal.UnknownGuardian, "Nobody of that id is verified as the person's guardian now.", "Record guardian.verified first."),
	refused(refusal.UnknownPerson, "Nothing is known of this person.", "Look at the id and its kind. Who was erased is known by no id."),
	refused(refusal.UnknownRequest, "There is no such request or incident.", "Take its id from the receipt or the list."),
	refused(refusal.UnknownObligation, "There is no such obligation.", "Take its id and stream from the list."),
	refused(refusal.UnknownProposal, "There is no such proposal in this app.", "Take its id from the list of proposals."),
	{Code: wire.UnknownMessage, Status: http.StatusNotFound, Means: "The rejected message is not there, or not any more: it is kept for 30 days.", Do: "Look at the list of rejected messages."},
	{Code: "unknown-job", Status: http.StatusNotFound, Means: "There is no such erasure of many in this app.", Do: "Take its id from the list of erasures."},

	// What stands in the way.
	refused(refusal.Contradicts, "What is said does not fit to what the surface or the notice showed.", "Record what was shown, or publish the surface as it is."),
	refused(refusal.AlreadyOver, "It ends before it begins, or is over.", noMore),
	refused(refusal.AlreadyUsed, "The consent was for once, and was used.", "Ask the person again."),
	refused(refusal.SamePerson, "Both ids are of one person already.", noMore),
	refused(refusal.NotVoidable, "What this event recorded cannot be voided.", "Record what is true now instead."),
	refused(refusal.OnHold, "A legal hold is on the data.", "Release the hold first, if it is to end; see docs/holds.md."),
	refused(refusal.IllegalMove, "The request or incident is not where this step is possible.", "Ask which steps are: GET .../next."),
	refused(refusal.NotPausable, "No clock of this request stands still for that.", "Look at its obligations, and at the rules of the policy."),
	refused(refusal.NotExtendable, "No rule of this request can be extended, or one was extended before.", noMore),
	refused(refusal.TooLateToExtend, "The due date is over: an extension comes too late.", noMore),
	refused(refusal.RemediesMissing, "A rejection tells the person where to complain.", "Tell them, and say so in the event."),
	refused(refusal.TooEarly, "It is not time for this yet; detail says when.", "Send it again then."),

	// What is published.
	refused(refusal.PolicyInvalid, "The document is no policy, or breaks a rule of policies.", "Run consentledger policy lint on the file; see docs/policy.md."),
	refused(refusal.CalendarInvalid, "The calendar is not one of working days of a year.", mendAndSend),
	refused(refusal.AlreadyPublished, "This version was published before, and otherwise.", "Publish a new version."),
	refused(refusal.AlreadyReplaced, "This version was published before, and another has taken its place.", "Publish a new version."),
	refused(refusal.MaterialDropped, "A change of the policy is material, and was not declared so.", "Declare the kinds that consentledger policy diff shows."),

	// Who may.
	{Code: "unauthenticated", Status: http.StatusUnauthorized, Means: "Nobody is known by what was shown: no key, or one that is wrong, ended or revoked.", Do: "Send Authorization: Bearer with a key; see docs/access.md."},
	{Code: "forbidden", Status: http.StatusForbidden, Means: "Who asks may not do this, or not here.", Do: "Use a key with one of the roles that detail names; see docs/access.md."},
	{Code: "unmapped", Status: http.StatusForbidden, Means: "The identity provider vouches for who asks, and no role is mapped to them.", Do: "Let an administrator map a group or the person to a role."},
	{Code: "not-authenticating", Status: http.StatusConflict, Means: "Nobody is authenticated here, and this needs somebody who is.", Do: "Start serve with --authenticate."},
	refused(refusal.TwoPersons, "This takes two different persons.", "Name two, or propose it and let another approve it."),
	refused(refusal.SamePrincipal, "One principal does what takes two.", "Let another one do the other half."),
	refused(refusal.ApprovalNeeded, "This takes two authenticated principals here.", "Propose it: POST /v1/apps/{app}/proposals; another one with the role approver decides."),
	refused(refusal.NamesNotTaken, "The command names the two who decide, who are known here otherwise.", "Leave the names out."),
	refused(refusal.RoleLost, "One of the two who decided may not do so any more.", "Propose it anew, by somebody who may."),
	refused(refusal.NotTheProposer, "Only who proposed this may do so.", "Approve or decline it instead."),
	refused(refusal.AlreadyDecided, "The proposal was decided on before.", noMore),
	refused(refusal.ProposalExpired, "The proposal was to be decided on before.", "Propose it anew."),
	refused(refusal.ProposalOutdated, "What the proposal is about has changed since.", "Look at it again, and propose it anew."),
	refused(refusal.NoProof, "No proof is kept of this person, or not any more.", "Take the pseudonym from the certificate of the erasure."),
	refused(refusal.ProofDestroyed, "The proof that was kept of this person is destroyed.", noMore),
	refused(refusal.DisclosureOver, "The decision to disclose the proof is older than seven days.", "Let two decide it anew."),

	// What is not there, or not so.
	plain(http.StatusBadRequest, "The request is not one of HTTP as it is understood here.", mendAndSend),
	plain(http.StatusNotFound, "There is no such route, or no such thing.", "Look at the address; /openapi.json lists every route."),
	plain(http.StatusMethodNotAllowed, "The route is there, and not with this method.", "Use one of those in the header Allow."),
	plain(http.StatusConflict, "It is not possible as things are now.", "Read detail."),
	plain(http.StatusRequestEntityTooLarge, "The body is larger than the route takes.", "Send less at once."),
	plain(http.StatusUnsupportedMediaType, "The body does not say that it is what the route takes.", "Set Content-Type as detail says, and send the body without Content-Encoding."),
	plain(http.StatusMisdirectedRequest, "The ledger is not asked under this name.", "Ask under its own, or add the name to serve --allowed-hosts."),
	plain(http.StatusRequestTimeout, "The body did not come, or not in time.", sendAgain),

	// What passes.
	plain(http.StatusTooManyRequests, "Who asks does so faster than anybody may, or holds too many streams. Nothing was done.", "Wait for the seconds in Retry-After."),
	{Code: "too-many-batches", Status: http.StatusTooManyRequests, Means: "Other batches are being recorded. Nothing of this one was.", Do: "Send it again after the seconds in Retry-After."},
	{Code: "overloaded", Status: http.StatusServiceUnavailable, Means: "Too much is under way; 429 where it is by who asks. Nothing was done.", Do: "Send it again after the seconds in Retry-After; see docs/limits.md."},
	{Code: wire.Unavailable, Status: http.StatusServiceUnavailable, Means: "It is not known whether this was recorded.", Do: sendAgain},
	{Code: wire.NotAnswered, Status: http.StatusServiceUnavailable, Means: "This cannot be answered now.", Do: askAgain},
	{Code: "not-yet-known", Status: http.StatusServiceUnavailable, Means: "The lists have not read all that was recorded, so that an answer would say less than is true.", Do: askAgain},
	{Code: wire.DiskFull, Status: http.StatusServiceUnavailable, Means: "The ledger's disk is full: it takes nothing, and answers what it knows.", Do: "Make room, then send it again with the same id."},
	plain(http.StatusInternalServerError, "The program is mistaken; its log says where.", "Send it again once, and report it with the log."),

	// Of rejected messages alone.
	{Code: "unencoded-id", Means: "Ids came over NATS with question marks, which some clients write for what is not ASCII. The events were recorded.", Do: "Send what is not ASCII in structured mode, or make ids of ASCII alone."},
	{Code: "messages-lost", Means: "NATS acknowledged messages that never came.", Do: "Send what those numbers were once more, and look at the stream's limits."},
}
