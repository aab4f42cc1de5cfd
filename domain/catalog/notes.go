package catalog

import "slices"

// NoteRules is every kind of note. Kinds and fields are never renamed.
var NoteRules = slices.Concat(proposalRules, principalRules, []NoteRule{
	{
		Kind: "recipient.added", Source: "PIPL 23; XI(II)3",
		Says: "somebody gets personal data from now on",
		Fields: []FieldRule{
			name("recipient"), text("categories"), text("purposes"),
			optional(name("contact")), optional(yes("separate_consent")),
		},
	},
	{
		Kind: "recipient.changed", Source: "PIPL 23; XI(II)3",
		Says:   "what a recipient gets, or who it is, changed",
		Fields: []FieldRule{name("recipient"), text("change"), text("categories"), text("purposes")},
	},
	{
		Kind: "recipient.removed", Source: "PIPL 23",
		Says:   "somebody gets personal data no more",
		Fields: []FieldRule{name("recipient"), text("reason")},
	},
	{
		Kind: "entrustment.agreed", Source: "PIPL 21; V(3) has no body",
		Says: "somebody processes on the handler's behalf",
		Fields: []FieldRule{name("processor"), hash("agreement"), text("purposes"), text("categories"),
			optional(date("ends"))},
	},
	{
		Kind: "entrustment.ended", Source: "PIPL 21",
		Says:   "the data were returned or deleted",
		Fields: []FieldRule{name("processor"), optional(yes("returned")), optional(yes("deleted"))},
	},
	{
		Kind: DisclosureMade, Source: "PIPL 25; V(4)",
		Says:   "personal data were made public",
		Fields: []FieldRule{code("ground"), text("what"), optional(yes("doubtful")), optional(name("approver"))},
	},
	{
		Kind: "transfer.merger", Source: "PIPL 22; XI(II)2",
		Says:   "personal data went to a successor",
		Fields: []FieldRule{name("successor"), text("contact"), optional(yes("persons_told"))},
	},
	{
		Kind: "crossborder.started", Source: "PIPL 38-40; IX(I)",
		Says: "personal data go abroad",
		Fields: []FieldRule{
			name("recipient"), optional(name("mechanism")), text("country"),
			optional(hash("assessment")), optional(date("contract_effective")),
		},
	},
	{
		Kind: "crossborder.stopped", Source: "PIPL 38; IX(I)",
		Says:   "personal data go abroad no more",
		Fields: []FieldRule{name("recipient"), text("reason")},
	},
	{
		Kind: "assessment.started", Source: "PIPL 55, 56",
		Says:   "an impact assessment began",
		Fields: []FieldRule{name("assessment"), text("subject")},
	},
	{
		Kind: "assessment.final", Source: "PIPL 56",
		Says:   "an impact assessment is final; kept for three years",
		Fields: []FieldRule{name("assessment"), hash("report"), optional(yes("high_risk"))},
	},
	{
		Kind: "assessment.published", Source: "VI(5)",
		Says:   "an impact assessment was published",
		Fields: []FieldRule{name("assessment"), text("where")},
	},
	{
		Kind: "measure.evidenced", Source: "VI(I)",
		Says:   "a protection measure was shown to be in place",
		Fields: []FieldRule{name("measure"), hash("evidence"), optional(date("valid_until"))},
	},
	{
		Kind: "training.held", Source: "VI(I)5",
		Says:   "staff were trained",
		Fields: []FieldRule{name("topic"), date("held"), optional(number("attendants"))},
	},
	{
		Kind: "officer.appointed", Source: "PIPL 52",
		Says:   "somebody is in charge of personal data",
		Fields: []FieldRule{name("office"), text("contact"), optional(date("since"))},
	},
	{
		Kind: "officer.reported", Source: "PIPL 52",
		Says:   "the officer was reported to the authority",
		Fields: []FieldRule{name("office"), date("filed")},
	},
	{
		Kind: "officer.changed", Source: "CAC notice 2025-07-18",
		Says:   "somebody else is in charge",
		Fields: []FieldRule{name("office"), text("contact"), optional(date("since"))},
	},
	{
		Kind: HeadcountRecorded, Source: "PIPL 52; audit measures 2025",
		Says:   "how many persons' data are processed",
		Fields: []FieldRule{name("unit"), date("counted"), optional(number("persons")), optional(yes("minors"))},
	},
	{
		Kind: "audit.started", Source: "PIPL 54",
		Says:   "a compliance audit began",
		Fields: []FieldRule{name("audit"), text("scope")},
	},
	{
		Kind: "audit.finished", Source: "PIPL 54; audit measures 2025",
		Says:   "a compliance audit is done",
		Fields: []FieldRule{name("audit"), hash("report"), optional(yes("minors")), optional(yes("ordered"))},
	},
	{
		Kind: "rectification.completed", Source: "audit measures 2025",
		Says:   "what an audit found was put right",
		Fields: []FieldRule{name("audit"), hash("evidence")},
	},
	{
		Kind: "rectification.reported", Source: "audit measures 2025",
		Says:   "the authority was told that it was put right",
		Fields: []FieldRule{name("audit"), date("filed")},
	},
	{
		Kind: "crossborder.filed", Source: "standard contract measures 2023, 7",
		Says:   "the contract was filed with the authority",
		Fields: []FieldRule{name("recipient"), date("filed")},
	},
	{
		Kind: "risks.published", Source: "VI(5)",
		Says:   "security risks and the assessment report were published",
		Fields: []FieldRule{name("report"), text("where")},
	},
	{
		Kind: "system.added", Source: "PIPL 47",
		Says:   "a system keeps personal data: it must be told of withdrawals",
		Fields: []FieldRule{name("system"), optional(names("purposes"))},
	},
	{
		Kind: "system.removed", Source: "PIPL 47",
		Says:   "a system keeps personal data no more",
		Fields: []FieldRule{name("system"), text("reason")},
	},
	{
		Kind: CessationDecided, Source: "VII(VI); IX(III)",
		Says:   "the service will end",
		Fields: []FieldRule{name("service"), date("effective"), optional(yes("too_late"))},
	},
	{
		Kind: CessationNotified, Source: "VII(VI); IX(III)",
		Says:   "persons were told that the service ends",
		Fields: []FieldRule{name("channel"), text("how"), optional(number("persons"))},
	},
	{
		Kind: "collection.stopped", Source: "VII(VI)",
		Says:   "nothing is collected any more",
		Fields: []FieldRule{name("service")},
	},
	{
		Kind: "cessation.deleted", Source: "IX(III); PIPL 47",
		Says:   "after the end the data were deleted or made anonymous",
		Fields: []FieldRule{name("service"), text("method")},
	},
	{
		Kind: "policy.notified", Source: "XI(II)",
		Says:   "a change was announced",
		Fields: []FieldRule{name("channel"), hash("version"), optional(number("recipients"))},
	},
	{
		Kind: "policy.inconsistency", Source: "XI(I)",
		Says:   "the policy contradicts itself, and how it was decided",
		Fields: []FieldRule{name("clause"), text("decision")},
	},
	{
		Kind: ClockObserved, Own: true, Source: "SPC rules on civil evidence 2019, 93",
		Says: "the ledger's clock was held against one that nobody can set",
		Fields: []FieldRule{
			name("observation"), optional(name("direction")),
			optional(number("step")), optional(number("watched")),
		},
	},
	{
		Kind: GroupTold, Own: true, Source: "the handler answers for all its apps",
		Says:   "every app of a group took or refused what was said to the group",
		Fields: []FieldRule{name("group"), text("record")},
	},
	{
		Kind: MessagesLost, Own: true, Source: "PIPL 51, 9",
		Says: "messages that NATS had acknowledged were lost before the ledger took them",
		Fields: []FieldRule{
			name("stream"), optional(name("how")), optional(number("first")),
			optional(number("last")), optional(number("count")),
		},
	},
	{
		Kind: KeyIssued, Own: true, Source: "PIPL 51(4), 51(2)",
		Says: "somebody may do something in the app from now on: a key was issued",
		Fields: []FieldRule{
			name("key"), optional(name("principal")), optional(names("roles")),
			optional(date("until")), optional(name("by")),
		},
	},
	{
		Kind: KeyRotated, Own: true, Source: "PIPL 51(4)",
		Says: "a key took the place of another one of the same principal",
		Fields: []FieldRule{
			name("key"), optional(name("principal")), optional(names("roles")),
			optional(date("until")), optional(name("by")),
		},
	},
	{
		Kind: KeyRevoked, Own: true, Source: "PIPL 51(4)",
		Says: "a key was revoked before its time",
		Fields: []FieldRule{
			name("key"), optional(name("principal")), optional(names("roles")),
			optional(date("until")), optional(name("by")),
		},
	},
	{
		Kind: LogKeyJoined, Own: true, Source: "PIPL 51(3)",
		Says:   "another key signs the app's transparency log beside the one that does",
		Fields: []FieldRule{text("key")},
	},
	{
		Kind: LogKeyRetired, Own: true, Source: "PIPL 51(3)",
		Says:   "a key signs the app's transparency log no more: the one that joined last does",
		Fields: []FieldRule{text("key")},
	},
	{
		Kind: "policy.precedence", Source: "XI(I)",
		Says:   "a specific policy prevailed",
		Fields: []FieldRule{name("winner"), text("clause")},
	},
	{
		Kind: HoldDeclared, Source: "PIPL 47; civil procedure law, preservation of evidence",
		Says: "data must not be erased, by order of somebody: everybody's, or those of who made one request",
		Fields: []FieldRule{
			name("hold"), text("reason"), text("authority"), optional(field(FormRecord, "request")),
			optional(date("until")), optional(hash("evidence")),
		},
	},
	{
		Kind: HoldEnded, Source: "PIPL 47",
		Says:   "a hold is over",
		Fields: []FieldRule{name("hold"), text("reason")},
	},
	{
		Kind: DutyDeclared, Source: "PIPL 47, 56; network data regulation, 12",
		Says: "a law asks to keep data, or proof of what was agreed to, for a time: until a day, or so many months after a history ends",
		Fields: []FieldRule{
			name("duty"), text("law"), text("reason"), optional(choice("keeps", KeepsAll, KeepsProof)),
			optional(number("months")), optional(date("until")), optional(hash("evidence")),
		},
	},
	{
		Kind: DutyEnded, Source: "PIPL 47",
		Says:   "a duty to keep data is over",
		Fields: []FieldRule{name("duty"), text("reason")},
	},
	{
		Kind: "decision.made", Person: true, Source: "PIPL 24; VII(II)",
		Says:   "a decision about the person was made by a machine",
		Fields: []FieldRule{name("decision"), optional(yes("significant")), text("purpose")},
	},
	{
		Kind: "decision.explained", Person: true, Source: "PIPL 24; VII(II)",
		Says:   "an automated decision was explained",
		Fields: []FieldRule{name("decision"), optional(name("limited_by"))},
	},
	{
		Kind: "decision.objected", Person: true, OptOut: true, Source: "PIPL 24",
		Says:   "the person objects to an automated decision",
		Fields: []FieldRule{name("decision")},
	},
	{
		Kind: "decision.reviewed", Person: true, Source: "PIPL 24",
		Says:   "a human reviewed an automated decision",
		Fields: []FieldRule{name("decision"), optional(yes("upheld"))},
	},
	{
		Kind: "profile.generated", Person: true, Source: "III(I)6; PIPL 24",
		Says:   "feature information was generated",
		Fields: []FieldRule{name("purpose"), optional(yes("deidentified"))},
	},
	{
		Kind: "cookies.set", Person: true, Source: "IV",
		Says:   "the person chose about cookies",
		Fields: []FieldRule{name("choice")},
	},
	{
		Kind: "access.approved", Person: true, Source: "Minors' regulation 36",
		Says:   "staff may look at a minor's data",
		Fields: []FieldRule{name("approver"), text("reason")},
	},
	{
		Kind: "withdrawal.confirmed", Person: true, Source: "VII(I)",
		Says:   "the person was told that the withdrawal took effect: that is the reply",
		Fields: []FieldRule{name("channel")},
	},
	{
		Kind: "retention.ended", Person: true, Source: "IX(II); PIPL 19, 47",
		Says:   "the period for which data may be kept is over, or the purpose is reached",
		Fields: []FieldRule{name("purpose"), optional(name("category"))},
	},
	{
		Kind: "purpose.achieved", Person: true, Source: "PIPL 47(1), 19",
		Says: "what data were collected for is reached, or cannot be any more: the period for which they are kept " +
			"begins",
		Fields: []FieldRule{name("purpose")},
	},
	{
		Kind: "processing.stopped", Person: true, Source: "PIPL 15, 47; VII(I)",
		Says:   "processing stopped in a system",
		Fields: []FieldRule{name("system"), optional(name("purpose"))},
	},
	{
		Kind: ConsentExpired, Person: true, Own: true, Source: "PIPL 14, 15, 31",
		Says:   "a consent ended by itself: its time was up, it was used up, or a child came of the age to decide",
		Fields: []FieldRule{name("consent"), names("purposes")},
	},
	{
		Kind: ConsentStale, Person: true, Own: true, Source: "PIPL 14",
		Says:   "the policy changed so that a consent does not cover it: the person is asked again",
		Fields: []FieldRule{name("consent"), names("purposes"), name("policy"), hash("version")},
	},
	{
		Kind: "data.deleted", Person: true, Source: "PIPL 47",
		Says: "data were deleted or made anonymous in a system",
		Fields: []FieldRule{name("system"), optional(name("method")), optional(name("category")),
			optional(yes("despite_hold"))},
	},
})
