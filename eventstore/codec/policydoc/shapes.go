package policydoc

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// The shapes of schema policy/1. Field for field they are the domain's, so
// that the compiler holds the conversions below to it. The tag doc describes a
// member; must says that a document without it is refused.

type documentV1 struct {
	Schema            string           `json:"schema" must:"yes" doc:"names this shape: policy/1"`
	Name              string           `json:"name,omitempty" must:"yes" doc:"names the policy among those of the app, for ever: 1 to 32 of a-z, 0-9 and \"-\""`
	Title             []localTextV1    `json:"title,omitempty" must:"yes" doc:"what the policy is called, by language"`
	Handler           handlerV1        `json:"handler,omitempty" doc:"who decides what is processed, and why: the controller, the personal information handler"`
	Jurisdiction      string           `json:"jurisdiction,omitempty" must:"yes" doc:"whose law binds: the two letters of a country, a region of one as in US-CA, or EU"`
	TimeZone          string           `json:"timezone,omitempty" must:"yes" doc:"where days begin and end, a name of the IANA database as in Europe/Berlin"`
	Over              string           `json:"over,omitempty" doc:"the name of the general policy over which this specific one prevails; left out: it is general"`
	QuietHours        int              `json:"quiet_hours,omitzero" doc:"for how many hours after a refusal nobody asks again; left out: the ledger's own quiet period"`
	Purposes          []purposeV1      `json:"purposes,omitempty" must:"yes" doc:"what personal data are processed for"`
	Categories        []categoryV1     `json:"categories,omitempty" doc:"the kinds of personal data that are processed"`
	Permissions       []permissionV1   `json:"permissions,omitempty" doc:"the permissions of the operating system that the app asks for"`
	Acts              []actV1          `json:"acts,omitempty" doc:"what a person does to agree; a consent names one, or a control of a surface that does"`
	Recipients        []recipientV1    `json:"recipients,omitempty" doc:"who gets personal data from the handler"`
	ExemptionsCollect []groundV1       `json:"exemptions_collect,omitempty" doc:"the grounds on which data are collected and used without consent"`
	ExemptionsProvide []groundV1       `json:"exemptions_provide,omitempty" doc:"the grounds on which data are provided to others without consent"`
	Rejections        []groundV1       `json:"rejections,omitempty" doc:"the grounds on which a request is rejected"`
	Disclosures       []groundV1       `json:"disclosures,omitempty" doc:"the grounds on which data are published or handed to authorities"`
	MaterialKinds     []groundV1       `json:"material_kinds,omitempty" doc:"the kinds of change of the policy that are material; policy publish --material names them"`
	Principles        []groundV1       `json:"principles,omitempty" doc:"the principles that the policy professes"`
	Measures          []groundV1       `json:"measures,omitempty" doc:"the measures of protection that the policy claims"`
	IncidentNotice    []groundV1       `json:"incident_notice,omitempty" doc:"what a notice of an incident tells"`
	IdentityElements  []groundV1       `json:"identity_elements,omitempty" doc:"by what a person who makes a request is identified"`
	Channels          []channelV1      `json:"channels,omitempty" doc:"the ways by which persons reach the handler, or it reaches them"`
	Rights            []rightV1        `json:"rights,omitempty" doc:"what persons may ask for, how, and by when it is answered"`
	DeadlineRules     []deadlineRuleV1 `json:"deadline_rules,omitempty" doc:"by when something is owed; rights and duties name them"`
	Duties            []dutyV1         `json:"duties,omitempty" doc:"what is owed when something happened, beside replies to requests"`
	Minors            minorsV1         `json:"minors,omitempty" doc:"who is an adult and who is a child"`
	Texts             []textV1         `json:"texts,omitempty" must:"yes" doc:"the policy as people read it, by language"`
}

type localTextV1 struct {
	Locale string `json:"locale,omitempty" must:"yes" doc:"a language tag, as in zh-CN"`
	Text   string `json:"text,omitempty" doc:"the words"`
}

type handlerV1 struct {
	Name    string `json:"name,omitempty" doc:"the company or person"`
	Address string `json:"address,omitempty" doc:"the postal address"`
	Contact string `json:"contact,omitempty" doc:"how to reach it"`
}

type purposeV1 struct {
	ID           policy.PurposeID    `json:"id,omitempty" must:"yes" doc:"names the purpose, for ever: 1 to 64 of a-z, 0-9 and \"-\""`
	Title        string              `json:"title,omitempty" must:"yes" doc:"what people read"`
	Section      string              `json:"section,omitempty" doc:"where the policy says so"`
	Codes        []string            `json:"codes,omitempty" doc:"codes of the policy's own enumerations, as in PUR-1"`
	Categories   []policy.CategoryID `json:"categories,omitempty" doc:"which data, by the ids of categories"`
	Actions      []policy.Action     `json:"actions,omitempty" must:"yes" doc:"what is done with the data"`
	Basis        policy.LegalBasis   `json:"basis,omitzero" must:"yes" doc:"why the processing is lawful (PIPL 13, GDPR 6); consent is asked where it is consent"`
	Separate     bool                `json:"separate,omitzero" doc:"it needs a consent of its own, bundled with nothing"`
	Sensitive    bool                `json:"sensitive,omitzero" doc:"it processes sensitive data"`
	Necessary    bool                `json:"necessary,omitzero" doc:"the service cannot be had without it"`
	Automated    bool                `json:"automated,omitzero" doc:"a machine decides about persons"`
	LogChecks    policy.CheckLog     `json:"log_checks,omitzero" doc:"which answers to \"may we?\" are recorded: none, sampled (one in a hundred), all, or as in 1 in 10; left out: none"`
	Retention    string              `json:"retention,omitempty" doc:"for how long data are kept, in words"`
	KeepMonths   int                 `json:"keep_months,omitzero" doc:"for how many months data are kept after the fact that keep_after names; or keep_days"`
	KeepDays     int                 `json:"keep_days,omitzero" doc:"for how many days data are kept after the fact that keep_after names; or keep_months"`
	KeepAfter    string              `json:"keep_after,omitempty" doc:"the kind of fact that ends the purpose: consent.withdrawn, subject.closed or purpose.achieved"`
	ConsentLasts int                 `json:"consent_lasts_months,omitzero" doc:"after how many months a consent must be asked for again; left out: it holds until it is withdrawn"`
}

type categoryV1 struct {
	ID                policy.CategoryID `json:"id,omitempty" must:"yes" doc:"names the category: 1 to 64 of a-z, 0-9 and \"-\""`
	Title             string            `json:"title,omitempty" must:"yes" doc:"what people read"`
	Section           string            `json:"section,omitempty" doc:"where the policy says so"`
	SensitiveByPolicy bool              `json:"sensitive_by_policy,omitzero" doc:"the policy calls these data sensitive"`
	SensitiveByLaw    bool              `json:"sensitive_by_law,omitzero" doc:"the law calls them sensitive (PIPL 28, GDPR 9)"`
}

type permissionV1 struct {
	ID        policy.PermissionID `json:"id,omitempty" must:"yes" doc:"names the permission: 1 to 64 of a-z, 0-9 and \"-\""`
	Title     string              `json:"title,omitempty" must:"yes" doc:"what people read"`
	Section   string              `json:"section,omitempty" doc:"where the policy says so"`
	Purposes  []policy.PurposeID  `json:"purposes,omitempty" doc:"the purposes that are withdrawn when the permission is taken away; it never gives consent"`
	IfRefused string              `json:"if_refused,omitempty" doc:"what a person who refuses it goes without"`
}

type actV1 struct {
	ID       policy.ActID       `json:"id,omitempty" must:"yes" doc:"names the act: 1 to 64 of a-z, 0-9 and \"-\""`
	Title    string             `json:"title,omitempty" must:"yes" doc:"what the person does"`
	Section  string             `json:"section,omitempty" doc:"where the policy says so"`
	Counts   policy.ConsentKind `json:"counts,omitzero" doc:"the kind of consent that the act can be; left out: none"`
	Purposes []policy.PurposeID `json:"purposes,omitempty" doc:"the purposes that it stands for: a consent by it covers these and no others; left out: any. A separate act has exactly one"`
	Signal   bool               `json:"signal,omitzero" doc:"a machine says it, as in Global Privacy Control"`
}

type recipientV1 struct {
	ID       policy.RecipientID `json:"id,omitempty" must:"yes" doc:"names the recipient: 1 to 64 of a-z, 0-9 and \"-\""`
	Title    string             `json:"title,omitempty" must:"yes" doc:"who it is"`
	Section  string             `json:"section,omitempty" doc:"where the policy says so"`
	Purposes []policy.PurposeID `json:"purposes,omitempty" doc:"for which purposes it gets data"`
	Abroad   bool               `json:"abroad,omitzero" doc:"it is in another country"`
}

type groundV1 struct {
	Code          string `json:"code,omitempty" must:"yes" doc:"names the ground among all of the policy, and never changes"`
	Title         string `json:"title,omitempty" must:"yes" doc:"what people read"`
	Section       string `json:"section,omitempty" doc:"where the policy says so"`
	LawMapping    string `json:"law_mapping,omitempty" doc:"the article of the law, as in PIPL-13(2)"`
	Doubtful      bool   `json:"doubtful,omitzero" doc:"the law does not clearly admit it"`
	Discretionary bool   `json:"discretionary,omitzero" doc:"of rejections: whether it applies is the handler's to judge"`
}

type channelV1 struct {
	ID      policy.ChannelID    `json:"id,omitempty" must:"yes" doc:"names the channel: 1 to 64 of a-z, 0-9 and \"-\""`
	Title   string              `json:"title,omitempty" doc:"what people read"`
	Section string              `json:"section,omitempty" doc:"where the policy says so"`
	Kind    policy.ChannelKind  `json:"kind,omitzero" must:"yes" doc:"what the channel is made of"`
	Uses    []policy.ChannelUse `json:"uses,omitempty" doc:"what the channel is for"`
}

type rightV1 struct {
	ID        policy.RightID    `json:"id,omitempty" must:"yes" doc:"names the right: 1 to 64 of a-z, 0-9 and \"-\"; \"request\" stands for every type of request that no other right is for"`
	Title     string            `json:"title,omitempty" must:"yes" doc:"what people read"`
	Section   string            `json:"section,omitempty" doc:"where the policy says so"`
	Procedure string            `json:"procedure,omitempty" doc:"how a person uses the right"`
	Deadlines []deadline.RuleID `json:"deadlines,omitempty" doc:"the deadline rules, by id: all start, the earliest binds"`
	Channels  []string          `json:"channels,omitempty" doc:"channels, by id or kind: a request that comes by one has this right, too, whatever it asks for"`
}

type deadlineRuleV1 struct {
	ID             deadline.RuleID    `json:"id,omitempty" must:"yes" doc:"names the rule, as in reply or cn.policy.reply"`
	Source         string             `json:"source,omitempty" doc:"which section or article says so"`
	Unit           deadline.Unit      `json:"unit,omitzero" must:"yes" doc:"what is counted"`
	Length         int                `json:"length,omitzero" must:"yes" doc:"how many of the unit"`
	ExtendedLength int                `json:"extended_length,omitzero" doc:"how many in all once it was extended, from the first day; left out: it cannot be extended"`
	Direction      deadline.Direction `json:"direction,omitzero" doc:"whether the days are counted forward from the start or backward from a date; left out: forward"`
	Calendar       string             `json:"calendar,omitempty" doc:"the calendar of working days, as in CN; needed where working days are counted"`
	TimeZone       string             `json:"timezone,omitempty" must:"yes" doc:"where the days begin and end"`
	ClockStart     string             `json:"clock_start,omitempty" must:"yes" doc:"what starts the clock, as in DataSubjectRequestReceived, IdentityVerified, ComplaintVerified, ConsentWithdrawn"`
	Pause          []string           `json:"pause,omitempty" doc:"what stops the clock: identity_verification, clarification, third_party"`
	Roll           deadline.Roll      `json:"roll,omitzero" doc:"what becomes of a due date that is no working day; left out: it stays"`
	Result         deadline.Result    `json:"result,omitzero" doc:"what the date is; left out: a due date"`
	YearDay        deadline.YearDay   `json:"year_day,omitempty" doc:"of rules in years: the day of the year on which it is due, as in 01-31"`
	Law            bool               `json:"law,omitzero" doc:"it is a ceiling of the law, not a promise of the policy"`
	Persons        int                `json:"persons,omitzero" doc:"how many persons must be handled before the clock starts; left out: any"`
}

type dutyV1 struct {
	ID      string            `json:"id,omitempty" must:"yes" doc:"names the duty: 1 to 64 of a-z, 0-9 and \"-\""`
	Section string            `json:"section,omitempty" doc:"of the policy or the law"`
	On      []string          `json:"on,omitempty" must:"yes" doc:"the kinds of facts that open it, as in consent.withdrawn"`
	When    []memberV1        `json:"when,omitempty" doc:"members that such a fact must have; | stands between values"`
	Kind    policy.DutyKind   `json:"kind,omitempty" must:"yes" doc:"what is owed: reply, stop, delete, keep, or a name of your own"`
	Rules   []deadline.RuleID `json:"rules,omitempty" must:"yes" doc:"the deadline rules, by id: all start, the earliest binds"`
	Start   string            `json:"start,omitempty" doc:"when the clock starts: left out, at the fact; stream, at the first fact of its stream; a kind of fact, or the member with the date"`
	Each    policy.DutyEach   `json:"each,omitzero" doc:"how often it is owed for one fact: once, or by every system that has the data; left out: once"`
	MetBy   []string          `json:"met_by,omitempty" doc:"the facts that meet it, with members they must have, as in audit.finished minors=yes"`
	Renews  bool              `json:"renews,omitzero" doc:"a fact that opens it again takes the place of the one before"`
}

type memberV1 struct {
	Name  string `json:"name,omitempty" doc:"of a member of the fact"`
	Value string `json:"value,omitempty" doc:"what it must be; a|b for one of two"`
}

func dutyFrom(d policy.DutyRule) dutyV1 {
	when := each(d.When, func(x policy.Field) memberV1 { return memberV1(x) })
	return dutyV1{
		ID:      d.ID,
		Section: d.Section,
		On:      d.On,
		When:    when,
		Kind:    d.Kind,
		Rules:   d.Rules,
		Start:   d.Start,
		Each:    d.Each,
		MetBy:   d.MetBy,
		Renews:  d.Renews,
	}
}

func (s dutyV1) toDomain() policy.DutyRule {
	when := each(s.When, func(x memberV1) policy.Field { return policy.Field(x) })
	return policy.DutyRule{ID: s.ID, Section: s.Section, On: s.On, When: when, Kind: s.Kind, Rules: s.Rules,
		Start: s.Start, Each: s.Each, MetBy: s.MetBy, Renews: s.Renews}
}

type minorsV1 struct {
	AdultAge         int        `json:"adult_age,omitzero" doc:"from which age a person is an adult"`
	ChildBelowPolicy int        `json:"child_below_policy,omitzero" doc:"below which age a person is a child, by the policy"`
	ChildBelowLaw    int        `json:"child_below_law,omitzero" doc:"below which age a person is a child, by the law"`
	Rules            []groundV1 `json:"rules,omitempty" doc:"what the policy says of minors"`
}

type textV1 struct {
	Locale string           `json:"locale,omitempty" must:"yes" doc:"a language tag, as in zh-CN"`
	Hash   content.Hash     `json:"hash,omitzero" doc:"of the bytes of the text; a file names the text by file instead"`
	Force  policy.TextForce `json:"standing,omitzero" must:"yes" doc:"whether the text binds"`
}

func fromDomain(d policy.Document) documentV1 {
	return documentV1{
		Schema:            Schema,
		Name:              d.Name,
		Title:             each(d.Title, func(x policy.LocalText) localTextV1 { return localTextV1(x) }),
		Handler:           handlerV1(d.Handler),
		Jurisdiction:      d.Jurisdiction,
		TimeZone:          d.TimeZone,
		Over:              d.Over,
		QuietHours:        d.QuietHours,
		Purposes:          each(d.Purposes, func(x policy.Purpose) purposeV1 { return purposeV1(x) }),
		Categories:        each(d.Categories, func(x policy.Category) categoryV1 { return categoryV1(x) }),
		Permissions:       each(d.Permissions, func(x policy.Permission) permissionV1 { return permissionV1(x) }),
		Acts:              each(d.Acts, func(x policy.Act) actV1 { return actV1(x) }),
		Recipients:        each(d.Recipients, func(x policy.Recipient) recipientV1 { return recipientV1(x) }),
		ExemptionsCollect: each(d.ExemptionsCollect, groundFrom),
		ExemptionsProvide: each(d.ExemptionsProvide, groundFrom),
		Rejections:        each(d.Rejections, groundFrom),
		Disclosures:       each(d.Disclosures, groundFrom),
		MaterialKinds:     each(d.MaterialKinds, groundFrom),
		Principles:        each(d.Principles, groundFrom),
		Measures:          each(d.Measures, groundFrom),
		IncidentNotice:    each(d.IncidentNotice, groundFrom),
		IdentityElements:  each(d.IdentityElements, groundFrom),
		Channels:          each(d.Channels, func(x policy.Channel) channelV1 { return channelV1(x) }),
		Rights:            each(d.Rights, func(x policy.Right) rightV1 { return rightV1(x) }),
		DeadlineRules:     each(d.DeadlineRules, func(x deadline.Rule) deadlineRuleV1 { return deadlineRuleV1(x) }),
		Duties:            each(d.Duties, dutyFrom),
		Minors: minorsV1{
			AdultAge:         d.Minors.AdultAge,
			ChildBelowPolicy: d.Minors.ChildBelowPolicy,
			ChildBelowLaw:    d.Minors.ChildBelowLaw,
			Rules:            each(d.Minors.Rules, groundFrom),
		},
		Texts: each(d.Texts, func(x policy.Text) textV1 { return textV1(x) }),
	}
}

func (d documentV1) toDomain() policy.Document {
	return policy.Document{
		Name:              d.Name,
		Title:             each(d.Title, func(x localTextV1) policy.LocalText { return policy.LocalText(x) }),
		Handler:           policy.Handler(d.Handler),
		Jurisdiction:      d.Jurisdiction,
		TimeZone:          d.TimeZone,
		Over:              d.Over,
		QuietHours:        d.QuietHours,
		Purposes:          each(d.Purposes, func(x purposeV1) policy.Purpose { return policy.Purpose(x) }),
		Categories:        each(d.Categories, func(x categoryV1) policy.Category { return policy.Category(x) }),
		Permissions:       each(d.Permissions, func(x permissionV1) policy.Permission { return policy.Permission(x) }),
		Acts:              each(d.Acts, func(x actV1) policy.Act { return policy.Act(x) }),
		Recipients:        each(d.Recipients, func(x recipientV1) policy.Recipient { return policy.Recipient(x) }),
		ExemptionsCollect: each(d.ExemptionsCollect, groundV1.toDomain),
		ExemptionsProvide: each(d.ExemptionsProvide, groundV1.toDomain),
		Rejections:        each(d.Rejections, groundV1.toDomain),
		Disclosures:       each(d.Disclosures, groundV1.toDomain),
		MaterialKinds:     each(d.MaterialKinds, groundV1.toDomain),
		Principles:        each(d.Principles, groundV1.toDomain),
		Measures:          each(d.Measures, groundV1.toDomain),
		IncidentNotice:    each(d.IncidentNotice, groundV1.toDomain),
		IdentityElements:  each(d.IdentityElements, groundV1.toDomain),
		Channels:          each(d.Channels, func(x channelV1) policy.Channel { return policy.Channel(x) }),
		Rights:            each(d.Rights, func(x rightV1) policy.Right { return policy.Right(x) }),
		DeadlineRules:     each(d.DeadlineRules, func(x deadlineRuleV1) deadline.Rule { return deadline.Rule(x) }),
		Duties:            each(d.Duties, dutyV1.toDomain),
		Minors: policy.Minors{AdultAge: d.Minors.AdultAge, ChildBelowPolicy: d.Minors.ChildBelowPolicy,
			ChildBelowLaw: d.Minors.ChildBelowLaw, Rules: each(d.Minors.Rules, groundV1.toDomain)},
		Texts: each(d.Texts, func(x textV1) policy.Text { return policy.Text(x) }),
	}
}

// each returns what f makes of every element; nil for none.
func each[A, B any](list []A, f func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = f(a)
	}
	return out
}

func groundFrom(g policy.Ground) groundV1 { return groundV1(g) }

func (g groundV1) toDomain() policy.Ground { return policy.Ground(g) }
