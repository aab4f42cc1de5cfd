package request

import (
	"slices"
	"strings"

	"consentledger/domain/deadline"
)

// LawReply returns the rule by which a reply to a type of request is owed where
// a policy promises none, in a jurisdiction: the law's, or one that gives no
// date and says why; see [deadline.RuleID.Undated]. They are those that the
// program ships, under ids of their own, so that none is taken for a promise.
func LawReply(jurisdiction, timeZone string, t Type) deadline.Rule {
	if timeZone == "" {
		timeZone = "UTC"
	}
	country, _, _ := strings.Cut(jurisdiction, "-")
	switch {
	case country == "CN":
		return lawReplyCN(t)
	case UnderGDPR(jurisdiction):
		return lawReplyEU(jurisdiction, timeZone, t)
	}
	return undatedReply(t, timeZone,
		"no policy promises a reply, and the ledger knows no law of "+jurisdiction+" that gives a number of days")
}

func undatedReply(t Type, timeZone, why string) deadline.Rule {
	return deadline.Rule{ID: deadline.UndatedRule(t.String()), Source: why, Unit: deadline.UnitCalendarDay,
		TimeZone: timeZone, Law: true}
}

// lawReplyCN returns what binds in the PRC. The PIPL itself says "promptly".
func lawReplyCN(t Type) deadline.Rule {
	switch t {
	case Correct, Complete, Delete, CancelAccount, Complaint:
		return deadline.Rule{
			ID:     "law.cn.app2019.manual_handling",
			Source: "method of 2019 for apps, 6: 15 working days if nothing is promised",
			Unit:   deadline.UnitWorkingDay, Length: 15, Calendar: "CN", TimeZone: "Asia/Shanghai",
			ClockStart: "RequestOrComplaintReceived", Law: true,
		}
	case Question:
		return undatedReply(t, "Asia/Shanghai",
			"no policy promises a reply to a question, and PIPL 50 gives no number of days")
	case Authority:
		return undatedReply(t, "Asia/Shanghai",
			"no policy promises a reply to an authority: it is owed by the day that the authority's own letter says")
	}

	return deadline.Rule{
		ID:     "law.cn.gbt35273.request_reply",
		Source: "GB/T 35273-2020 8.7 a): PIPL 45 and 50 say promptly, and give no number of days",
		Unit:   deadline.UnitCalendarDay, Length: 30, Calendar: "CN", Roll: deadline.RollNextWorkingDay,
		TimeZone: "Asia/Shanghai", ClockStart: "IdentityVerified", Law: true,
	}
}

// UnderGDPR reports whether the GDPR holds in a country, or in a region of one.
func UnderGDPR(jurisdiction string) bool {
	country, _, _ := strings.Cut(jurisdiction, "-")
	return slices.Contains(underGDPR, country)
}

// underGDPR are the countries in which the GDPR holds: the Union and the EEA.
var underGDPR = []string{
	"EU", "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI",
	"LT", "LU", "LV", "MT", "NL",
	"NO", "PL", "PT", "RO", "SE", "SI", "SK",
}

// lawReplyEU returns what binds under the GDPR: a month for the rights of its
// articles 15 to 22, wherever the handler is.
func lawReplyEU(jurisdiction, timeZone string, t Type) deadline.Rule {
	switch t {
	case Complaint, Question:
		return undatedReply(t, timeZone,
			"no policy promises a reply, and the GDPR gives none for what uses no right of its articles 15 to 22")
	case Withdraw:
		return undatedReply(t, timeZone,
			"a withdrawal takes effect at once (GDPR 7(3)): no policy promises a reply to it, and the GDPR gives none")
	case Relative:
		return undatedReply(t, timeZone,
			"the GDPR does not apply to the dead (recital 27), and no policy promises a reply")
	case Authority:
		return undatedReply(t, timeZone,
			"no policy promises a reply to an authority: it is owed by the day that the authority's own letter says")
	}

	return deadline.Rule{
		ID: "law.eu.gdpr12_3.reply", Source: "GDPR 12(3)", Unit: deadline.UnitMonth, Length: 1, ExtendedLength: 3,
		Calendar: jurisdiction, Roll: deadline.RollNextWorkingDay,
		TimeZone: timeZone, ClockStart: "DataSubjectRequestReceived",
		Pause: []string{"identity_verification", "clarification"}, Law: true,
	}
}
