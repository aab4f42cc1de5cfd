package policydoc

import (
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
)

// The shapes of schema policy/1. Field for field they are the domain's, so
// that the compiler holds the conversions below to it.

type documentV1 struct {
	Schema            string           `json:"schema"`
	Name              string           `json:"name,omitempty"`
	Title             []localTextV1    `json:"title,omitempty"`
	Handler           handlerV1        `json:"handler,omitempty"`
	Jurisdiction      string           `json:"jurisdiction,omitempty"`
	TimeZone          string           `json:"timezone,omitempty"`
	Over              string           `json:"over,omitempty"`
	QuietHours        int              `json:"quiet_hours,omitzero"`
	Purposes          []purposeV1      `json:"purposes,omitempty"`
	Categories        []categoryV1     `json:"categories,omitempty"`
	Permissions       []permissionV1   `json:"permissions,omitempty"`
	Acts              []actV1          `json:"acts,omitempty"`
	Recipients        []recipientV1    `json:"recipients,omitempty"`
	ExemptionsCollect []groundV1       `json:"exemptions_collect,omitempty"`
	ExemptionsProvide []groundV1       `json:"exemptions_provide,omitempty"`
	Rejections        []groundV1       `json:"rejections,omitempty"`
	Disclosures       []groundV1       `json:"disclosures,omitempty"`
	MaterialKinds     []groundV1       `json:"material_kinds,omitempty"`
	Principles        []groundV1       `json:"principles,omitempty"`
	Measures          []groundV1       `json:"measures,omitempty"`
	IncidentNotice    []groundV1       `json:"incident_notice,omitempty"`
	IdentityElements  []groundV1       `json:"identity_elements,omitempty"`
	Channels          []channelV1      `json:"channels,omitempty"`
	Rights            []rightV1        `json:"rights,omitempty"`
	DeadlineRules     []deadlineRuleV1 `json:"deadline_rules,omitempty"`
	Duties            []dutyV1         `json:"duties,omitempty"`
	Minors            minorsV1         `json:"minors,omitempty"`
	Texts             []textV1         `json:"texts,omitempty"`
}

type localTextV1 struct {
	Locale string `json:"locale,omitempty"`
	Text   string `json:"text,omitempty"`
}

type handlerV1 struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
	Contact string `json:"contact,omitempty"`
}

type purposeV1 struct {
	ID           policy.PurposeID    `json:"id,omitempty"`
	Title        string              `json:"title,omitempty"`
	Section      string              `json:"section,omitempty"`
	Codes        []string            `json:"codes,omitempty"`
	Categories   []policy.CategoryID `json:"categories,omitempty"`
	Actions      []policy.Action     `json:"actions,omitempty"`
	Basis        policy.LegalBasis   `json:"basis,omitzero"`
	Separate     bool                `json:"separate,omitzero"`
	Sensitive    bool                `json:"sensitive,omitzero"`
	Necessary    bool                `json:"necessary,omitzero"`
	Automated    bool                `json:"automated,omitzero"`
	LogChecks    policy.CheckLog     `json:"log_checks,omitzero"`
	Retention    string              `json:"retention,omitempty"`
	KeepMonths   int                 `json:"keep_months,omitzero"`
	KeepDays     int                 `json:"keep_days,omitzero"`
	KeepAfter    string              `json:"keep_after,omitempty"`
	ConsentLasts int                 `json:"consent_lasts_months,omitzero"`
}

type categoryV1 struct {
	ID                policy.CategoryID `json:"id,omitempty"`
	Title             string            `json:"title,omitempty"`
	Section           string            `json:"section,omitempty"`
	SensitiveByPolicy bool              `json:"sensitive_by_policy,omitzero"`
	SensitiveByLaw    bool              `json:"sensitive_by_law,omitzero"`
}

type permissionV1 struct {
	ID        policy.PermissionID `json:"id,omitempty"`
	Title     string              `json:"title,omitempty"`
	Section   string              `json:"section,omitempty"`
	Purposes  []policy.PurposeID  `json:"purposes,omitempty"`
	IfRefused string              `json:"if_refused,omitempty"`
}

type actV1 struct {
	ID       policy.ActID       `json:"id,omitempty"`
	Title    string             `json:"title,omitempty"`
	Section  string             `json:"section,omitempty"`
	Counts   policy.ConsentKind `json:"counts,omitzero"`
	Purposes []policy.PurposeID `json:"purposes,omitempty"`
	Signal   bool               `json:"signal,omitzero"`
}

type recipientV1 struct {
	ID       policy.RecipientID `json:"id,omitempty"`
	Title    string             `json:"title,omitempty"`
	Section  string             `json:"section,omitempty"`
	Purposes []policy.PurposeID `json:"purposes,omitempty"`
	Abroad   bool               `json:"abroad,omitzero"`
}

type groundV1 struct {
	Code          string `json:"code,omitempty"`
	Title         string `json:"title,omitempty"`
	Section       string `json:"section,omitempty"`
	LawMapping    string `json:"law_mapping,omitempty"`
	Doubtful      bool   `json:"doubtful,omitzero"`
	Discretionary bool   `json:"discretionary,omitzero"`
}

type channelV1 struct {
	ID      policy.ChannelID    `json:"id,omitempty"`
	Title   string              `json:"title,omitempty"`
	Section string              `json:"section,omitempty"`
	Kind    policy.ChannelKind  `json:"kind,omitzero"`
	Uses    []policy.ChannelUse `json:"uses,omitempty"`
}

type rightV1 struct {
	ID        policy.RightID    `json:"id,omitempty"`
	Title     string            `json:"title,omitempty"`
	Section   string            `json:"section,omitempty"`
	Procedure string            `json:"procedure,omitempty"`
	Deadlines []deadline.RuleID `json:"deadlines,omitempty"`
	Channels  []string          `json:"channels,omitempty"`
}

type deadlineRuleV1 struct {
	ID             deadline.RuleID    `json:"id,omitempty"`
	Source         string             `json:"source,omitempty"`
	Unit           deadline.Unit      `json:"unit,omitzero"`
	Length         int                `json:"length,omitzero"`
	ExtendedLength int                `json:"extended_length,omitzero"`
	Direction      deadline.Direction `json:"direction,omitzero"`
	Calendar       string             `json:"calendar,omitempty"`
	TimeZone       string             `json:"timezone,omitempty"`
	ClockStart     string             `json:"clock_start,omitempty"`
	Pause          []string           `json:"pause,omitempty"`
	Roll           deadline.Roll      `json:"roll,omitzero"`
	Result         deadline.Result    `json:"result,omitzero"`
	YearDay        deadline.YearDay   `json:"year_day,omitempty"`
	Law            bool               `json:"law,omitzero"`
	Persons        int                `json:"persons,omitzero"`
}

type dutyV1 struct {
	ID      string            `json:"id,omitempty"`
	Section string            `json:"section,omitempty"`
	On      []string          `json:"on,omitempty"`
	When    []memberV1        `json:"when,omitempty"`
	Kind    policy.DutyKind   `json:"kind,omitempty"`
	Rules   []deadline.RuleID `json:"rules,omitempty"`
	Start   string            `json:"start,omitempty"`
	Each    policy.DutyEach   `json:"each,omitzero"`
	MetBy   []string          `json:"met_by,omitempty"`
	Renews  bool              `json:"renews,omitzero"`
}

type memberV1 struct {
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

func dutyFrom(d policy.DutyRule) dutyV1 {
	when := each(d.When, func(x policy.Field) memberV1 { return memberV1(x) })
	return dutyV1{d.ID, d.Section, d.On, when, d.Kind, d.Rules, d.Start, d.Each, d.MetBy, d.Renews}
}

func (s dutyV1) toDomain() policy.DutyRule {
	when := each(s.When, func(x memberV1) policy.Field { return policy.Field(x) })
	return policy.DutyRule{ID: s.ID, Section: s.Section, On: s.On, When: when, Kind: s.Kind, Rules: s.Rules, Start: s.Start, Each: s.Each, MetBy: s.MetBy, Renews: s.Renews}
}

type minorsV1 struct {
	AdultAge         int        `json:"adult_age,omitzero"`
	ChildBelowPolicy int        `json:"child_below_policy,omitzero"`
	ChildBelowLaw    int        `json:"child_below_law,omitzero"`
	Rules            []groundV1 `json:"rules,omitempty"`
}

type textV1 struct {
	Locale   string              `json:"locale,omitempty"`
	Hash     content.Hash        `json:"hash,omitzero"`
	Standing policy.TextStanding `json:"standing,omitzero"`
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
		Minors:            minorsV1{d.Minors.AdultAge, d.Minors.ChildBelowPolicy, d.Minors.ChildBelowLaw, each(d.Minors.Rules, groundFrom)},
		Texts:             each(d.Texts, func(x policy.Text) textV1 { return textV1(x) }),
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
		Minors:            policy.Minors{AdultAge: d.Minors.AdultAge, ChildBelowPolicy: d.Minors.ChildBelowPolicy, ChildBelowLaw: d.Minors.ChildBelowLaw, Rules: each(d.Minors.Rules, groundV1.toDomain)},
		Texts:             each(d.Texts, func(x textV1) policy.Text { return policy.Text(x) }),
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
