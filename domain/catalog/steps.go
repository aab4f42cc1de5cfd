package catalog

// StepRules is every kind of step. Kinds and fields are never renamed.
var StepRules = []StepRule{
	{
		Kind: "request.acknowledged", Of: Request, Source: Source{China: "Network data regulation 23"},
		Says:  "the person was told that the request has arrived",
		Needs: marks{Open}, Lacks: marks{Acknowledged}, Sets: marks{Acknowledged},
		Fields: []FieldRule{name("channel")},
	},
	{
		Kind: "identity.requested", Of: Request, Source: Source{China: "VII(III); GB/T 35273 8.7", Union: "GDPR 12(6)"},
		Says:  "the person was asked to show who they are",
		Needs: marks{Open}, Lacks: marks{IdentityAsked, IdentityKnown}, Sets: marks{IdentityAsked},
		Pauses: "identity_verification",
		Fields: []FieldRule{codes("elements")},
	},
	{
		Kind: "identity.passed", Of: Request, Source: Source{China: "VII(III); XIII(3)", Union: "GDPR 12(6)"},
		Says:  "it is known who asks; which elements showed it, never their values",
		Needs: marks{Open}, Lacks: marks{IdentityKnown},
		Sets: marks{IdentityKnown}, Clears: marks{IdentityAsked, IdentityFailed},
		Starts: "IdentityVerified", Resumes: "identity_verification",
		Fields: []FieldRule{codes("elements"), principal("checked_by")},
	},
	{
		Kind: "identity.failed", Of: Request, Source: Source{China: "VII(III)", Union: "GDPR 12(6)"},
		Says: "what was shown does not prove who asks: nothing is awaited from the person until they are asked " +
			"again, so the clock goes on",
		Needs: marks{Open, IdentityAsked}, Sets: marks{IdentityFailed}, Clears: marks{IdentityAsked},
		Resumes: "identity_verification",
		Fields:  []FieldRule{codes("elements"), principal("checked_by")},
	},
	{
		Kind: "clarification.requested", Of: Request, Source: Source{Union: "GDPR recital 63; EDPB 01/2022, 157-161"},
		Says:  "the person was asked what is meant",
		Needs: marks{Open}, Lacks: marks{ClarificationAsked}, Sets: marks{ClarificationAsked},
		Pauses: "clarification",
		Fields: []FieldRule{name("question")},
	},
	{
		Kind: "clarification.received", Of: Request, Source: Source{Union: "GDPR recital 63; EDPB 01/2022, 157-161"},
		Says:  "the person said what is meant",
		Needs: marks{Open, ClarificationAsked}, Clears: marks{ClarificationAsked},
		Resumes: "clarification",
	},
	{
		Kind: "clock.paused", Of: Request, Source: Source{Rule: true},
		Says:  "a clock stands still, for a reason that its rule admits",
		Needs: marks{Open}, Lacks: marks{ClockPaused}, Sets: marks{ClockPaused},
		PausesAsSaid: true,
		Fields:       []FieldRule{reason("reason")},
	},
	{
		Kind: "clock.resumed", Of: Request, Source: Source{Rule: true},
		Says:  "the clock goes on",
		Needs: marks{Open, ClockPaused}, Clears: marks{ClockPaused},
		ResumesAll: true,
	},
	{
		Kind: "request.extended", Of: Request, Source: Source{Union: "GDPR 12(3)"},
		Says:  "the period is the longer one; the person was told why before the first was over",
		Needs: marks{Open}, Lacks: marks{Extended}, Sets: marks{Extended},
		Fields: []FieldRule{name("reason"), moment("notified")},
	},
	{
		Kind: "request.repeated", Of: Request, Source: Source{China: "VII(III); PIPL 45", Union: "GDPR 12(5)"},
		Says:  "the person asked for the same not long before",
		Needs: marks{Open}, Lacks: marks{Repeated}, Sets: marks{Repeated},
		Found:  true,
		Fields: []FieldRule{number("times"), number("days")},
	},
	{
		Kind: "fee.quoted", Of: Request, Source: Source{China: "VII(III)", Union: "GDPR 12(5)(a)"},
		Says:  "a fee is asked for a request repeated beyond reason",
		Needs: marks{Open, Repeated}, Lacks: marks{FeeQuoted}, Sets: marks{FeeQuoted},
		Fields: []FieldRule{sum("amount"), name("reason")},
	},
	{
		Kind: "fee.paid", Of: Request, Source: Source{China: "VII(III)", Union: "GDPR 12(5)(a)"},
		Says:  "the fee was paid",
		Needs: marks{Open, FeeQuoted}, Lacks: marks{FeePaid, FeeWaived}, Sets: marks{FeePaid},
		Fields: []FieldRule{sum("amount")},
	},
	{
		Kind: "fee.waived", Of: Request, Source: Source{China: "VII(III)", Union: "GDPR 12(5)"},
		Says:  "no fee is asked after all",
		Needs: marks{Open, FeeQuoted}, Lacks: marks{FeePaid, FeeWaived}, Sets: marks{FeeWaived},
		Fields: []FieldRule{name("reason")},
	},
	{
		Kind: "facts.verified", Of: Request, Source: Source{China: "VII(4)"},
		Says:  "what the person complains of was found to be so, or not; not a check of identity",
		Needs: marks{Open, Complaint}, Lacks: marks{FactsVerified}, Sets: marks{FactsVerified},
		Starts: "ComplaintVerified",
		Fields: []FieldRule{yes("founded")},
	},
	{
		Kind: "request.answered", Of: Request, Source: Source{China: "VII(III); PIPL 50", Union: "GDPR 12(3)"},
		Says:   "the person has their answer, in full or in part",
		Needs:  marks{Open},
		Closes: true,
		Fields: []FieldRule{choice("outcome", "full", "part"), name("channel"), optional(names("types"))},
	},
	{
		Kind: "request.rejected", Of: Request, Source: Source{China: "VII(III); PIPL 50", Union: "GDPR 12(4)"},
		Says:   "the person was told no, on which grounds, and where to go with it",
		Needs:  marks{Open},
		Closes: true,
		Fields: []FieldRule{codes("codes"), yes("remedies_told"), principal("approved_by"), optional(names("types"))},
	},
	{
		Kind: "request.withdrawn", Of: Request, Source: Source{China: "PIPL 44"},
		Says:  "the person does not want it any more",
		Needs: marks{Open}, Clears: marks{Open},
		Voids: true,
	},
	{
		Kind: "request.duplicate", Of: Request, Source: Source{China: "VII(III)", Union: "GDPR 12(5)"},
		Says:  "the same was asked before, and goes on there",
		Needs: marks{Open}, Clears: marks{Open},
		Voids:  true,
		Fields: []FieldRule{name("of")},
	},
	{
		Kind: Reopened, Of: Request, Source: Source{China: "PIPL 50"},
		Says: "it was not done after all: after an answer the clocks of its rules begin anew, and facts are " +
			"verified anew; after it was withdrawn or a duplicate they go on as if it had not been. Whose identity " +
			"is known stays known",
		Lacks: marks{Open},
		Sets:  marks{Open}, Clears: marks{IdentityAsked, IdentityFailed, ClarificationAsked, ClockPaused, Extended,
			FactsVerified},
		Fields: []FieldRule{name("reason")},
	},
	{
		Kind: "incident.suspected", Of: Incident, Source: Source{China: "PIPL 57", Union: "GDPR 33(1)"},
		Says:  "something may have happened",
		Lacks: marks{Open, Closed}, Sets: marks{Open},
		Fields: []FieldRule{
			choice("kind", "leak", "tamper", "loss", "credential", "other"), text("what"),
			optional(name("system")),
		},
	},
	{
		Kind: "incident.detected", Of: Incident, Source: Source{China: "PIPL 57", Union: "GDPR 33(1)"},
		Says:  "something has happened",
		Lacks: marks{Closed, Detected}, Sets: marks{Open, Detected},
		Fields: []FieldRule{
			choice("kind", "leak", "tamper", "loss", "credential", "other"), text("what"),
			optional(name("system")),
		},
	},
	{
		Kind: "incident.dismissed", Of: Incident, Source: Source{China: "PIPL 57", Union: "GDPR 33(5)"},
		Says:  "nothing had happened",
		Needs: marks{Open}, Lacks: marks{Detected}, Sets: marks{Closed}, Clears: marks{Open},
		Voids:  true,
		Fields: []FieldRule{text("reason")},
	},
	{
		Kind: "incident.classified", Of: Incident, Source: Source{China: "incident reporting 2025, 4", Union: "GDPR 33(1), 34(1)"},
		Says:  "how grave it is",
		Needs: marks{Open},
		Fields: []FieldRule{
			choice("level", "general", "larger", "major", "extreme"), optional(number("persons")),
			optional(yes("national_security")),
			optional(yes("minors")), optional(yes("critical")),
		},
	},
	{
		Kind: "incident.authority-told", Of: Incident, Source: Source{China: "PIPL 57; incident reporting 2025, 4", Union: "GDPR 33"},
		Says:   "the authority was told",
		Needs:  marks{Open},
		Fields: []FieldRule{text("authority"), optional(text("reference"))},
	},
	{
		Kind: "incident.persons-told", Of: Incident, Source: Source{China: "VI(VII); PIPL 57", Union: "GDPR 34(1), 34(2)"},
		Says:     "the persons were told one by one: the four things that a notice says",
		Needs:    marks{Open},
		Complete: []string{"situation", "measures", "advice", "remedies"},
		Fields: []FieldRule{
			name("channel"), number("persons"), yes("situation"),
			yes("measures"), yes("advice"), yes("remedies"),
		},
	},
	{
		Kind: "incident.guardians-told", Of: Incident, Source: Source{China: "Minors' regulation 35", Union: "GDPR 34(1)"},
		Says:   "the guardians of minors were told",
		Needs:  marks{Open},
		Fields: []FieldRule{name("channel"), number("persons")},
	},
	{
		Kind: "incident.announced", Of: Incident, Source: Source{China: "VI(VII); Network data regulation 11", Union: "GDPR 34(3)(c)"},
		Says:     "it was announced, since telling one by one is hard",
		Needs:    marks{Open},
		Complete: []string{"situation", "measures", "advice", "remedies"},
		Fields:   []FieldRule{text("where"), yes("situation"), yes("measures"), yes("advice"), yes("remedies")},
	},
	{
		Kind: "incident.credentials-handled", Of: Incident, Source: Source{China: "VI(4)", Union: "GDPR 33(3)(d)"},
		Says:   "what was done about leaked login data",
		Needs:  marks{Open},
		Fields: []FieldRule{text("measures")},
	},
	{
		Kind: "incident.contained", Of: Incident, Source: Source{China: "PIPL 57", Union: "GDPR 33(3)(d)"},
		Says:  "it goes no further",
		Needs: marks{Open}, Lacks: marks{Contained}, Sets: marks{Contained},
		Fields: []FieldRule{text("measures")},
	},
	{
		Kind: "incident.closed", Of: Incident, Source: Source{China: "VI(VII)", Union: "GDPR 33(5)"},
		Says:  "it is over",
		Needs: marks{Open, Contained}, Sets: marks{Closed}, Clears: marks{Open},
		Fields: []FieldRule{optional(text("summary")), optional(yes("reportable"))},
	},
	{
		Kind: "incident.summary-filed", Of: Incident, Source: Source{China: "incident reporting 2025, 30 days", Union: "GDPR 33(4)"},
		Says:  "the authority has the summary",
		Needs: marks{Closed}, Lacks: marks{SummaryFiled}, Sets: marks{SummaryFiled},
		Fields: []FieldRule{text("authority")},
	},
	{
		Kind: "incident.reopened", Of: Incident, Source: Source{China: "VI(VII)"},
		Says:  "it was not over after all: what is owed is owed as before, and it is contained and closed anew",
		Needs: marks{Closed}, Sets: marks{Open}, Clears: marks{Closed, Contained, SummaryFiled},
		Fields: []FieldRule{text("reason")},
	},
}

type marks = []Mark
