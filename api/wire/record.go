package wire

import "consentledger/domain"

var recordKinds = []kind{
	{name: "record.voided", operator: true, read: as[recordVoided], example: `"records": ["01234567-89ab-cdef-0123-456789abcdef"], "reason": "recorded-by-mistake", "by": ["operator:ann", "operator:bo"]`},
	{name: "record.disputed", read: as[recordDisputed], example: `"records": ["01234567-89ab-cdef-0123-456789abcdef"], "reason": "never-agreed"`},
	{name: "build.voided", about: theApp, operator: true, read: as[buildVoided], example: `"build": "5.2.1+1203", "from": "{yesterday}", "to": "{now}", "reason": "box-was-ticked-before", "by": ["operator:ann", "operator:bo"]`},
}

// The data of what is said about records.
type (
	recordVoided struct {
		Records  []string `json:"records"`
		Reason   string   `json:"reason"`
		Evidence string   `json:"evidence"`
		By       []string `json:"by"`
	}
	recordDisputed struct {
		Records  []string `json:"records"`
		Reason   string   `json:"reason"`
		Evidence string   `json:"evidence"`
	}
	buildVoided struct {
		Build    string   `json:"build"`
		From     string   `json:"from"`
		To       string   `json:"to"`
		Reason   string   `json:"reason"`
		Evidence string   `json:"evidence"`
		By       []string `json:"by"`
	}
)

func (c recordVoided) command(r *reader) domain.Command {
	return domain.VoidRecords{Records: r.eventIDs("records", c.Records), Reason: r.name("reason", c.Reason, 64), Evidence: r.hash("evidence", c.Evidence), By: r.two(c.By)}
}

func (c recordDisputed) command(r *reader) domain.Command {
	return domain.Say{Event: domain.RecordDisputed{Records: r.eventIDs("records", c.Records), Reason: r.reason(c.Reason), Evidence: r.hash("evidence", c.Evidence)}}
}

func (c buildVoided) command(r *reader) domain.Command {
	r.need("build", c.Build != "")
	r.need("from", c.From != "")
	r.need("to", c.To != "")
	e := domain.BuildVoided{
		Build: r.token("build", c.Build), From: r.time("from", c.From), To: r.time("to", c.To),
		Reason: r.reason(c.Reason), Evidence: r.hash("evidence", c.Evidence), By: r.two(c.By),
	}
	if r.err == nil && e.To <= e.From {
		r.fail("to", "must be later than data.from")
	}
	return domain.Say{Event: e}
}
