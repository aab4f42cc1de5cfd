package parse

import (
	"consentledger/domain"
	"consentledger/domain/deadline"
)

var recordKinds = []kind{
	{name: "record.voided", read: as(recordVoided), example: `"records": ["01234567-89ab-cdef-0123-456789abcdef"], "reason": "recorded-by-mistake", "evidence": "` + sampleText + `", "by": ["operator:ann", "operator:bo"]`},
	{name: "record.disputed", read: as(recordDisputed), example: `"records": ["01234567-89ab-cdef-0123-456789abcdef"], "reason": "never-agreed"`},
	{name: "build.voided", about: theApp, read: as(buildVoided), example: `"build": "5.2.1+1203", "from": "{yesterday}", "to": "{now}", "reason": "box-was-ticked-before", "evidence": "` + sampleText + `", "by": ["operator:ann", "operator:bo"]`},
	{name: "build.disputed", about: theApp, read: as(buildDisputed), example: `"build": "5.2.1+1203", "from": "{yesterday}", "to": "{now}", "reason": "box-was-ticked-before"`},
}

// The data of what is said about records.
type (
	RecordVoided struct {
		Records  []string `json:"records"`
		Reason   string   `json:"reason"`
		Evidence string   `json:"evidence"`
		By       []string `json:"by"`
	}
	RecordDisputed struct {
		Records  []string `json:"records"`
		Reason   string   `json:"reason"`
		Evidence string   `json:"evidence"`
	}
	BuildVoided struct {
		Build    string   `json:"build"`
		From     string   `json:"from"`
		To       string   `json:"to"`
		Reason   string   `json:"reason"`
		Evidence string   `json:"evidence"`
		By       []string `json:"by"`
	}
	BuildDisputed struct {
		Build    string `json:"build"`
		From     string `json:"from"`
		To       string `json:"to"`
		Reason   string `json:"reason"`
		Evidence string `json:"evidence"`
	}
)

func recordVoided(r *reader, c RecordVoided) domain.Command {
	return domain.VoidRecords{Records: r.eventIDs("records", c.Records), Reason: r.name("reason", c.Reason, 64),
		Evidence: r.hash("evidence", c.Evidence), By: r.two(c.By)}
}

func recordDisputed(r *reader, c RecordDisputed) domain.Command {
	return domain.Say{Event: domain.RecordDisputed{Records: r.eventIDs("records", c.Records),
		Reason: r.reason(c.Reason), Evidence: r.hash("evidence", c.Evidence)}}
}

func buildVoided(r *reader, c BuildVoided) domain.Command {
	from, to := r.span(c.Build, c.From, c.To)
	return domain.Say{Event: domain.BuildVoided{
		Build: c.Build, From: from, To: to, Reason: r.reason(c.Reason), Evidence: r.hash("evidence", c.Evidence),
		By: r.two(c.By),
	}}
}

func buildDisputed(r *reader, c BuildDisputed) domain.Command {
	from, to := r.span(c.Build, c.From, c.To)
	return domain.Say{Event: domain.BuildDisputed{Build: c.Build, From: from, To: to, Reason: r.reason(c.Reason),
		Evidence: r.hash("evidence", c.Evidence)}}
}

// span reads a build, and the span in which it recorded wrongly.
func (r *reader) span(build, from, to string) (start, end deadline.Instant) {
	r.need("build", build != "")
	r.need("from", from != "")
	r.need("to", to != "")
	r.token("build", build)
	start, end = r.time("from", from), r.time("to", to)
	if r.err == nil && end <= start {
		r.fail("to", "must be later than data.from")
	}
	return start, end
}
