package demo

import (
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// systems are who keeps personal data, and a contract that takes effect in a
// year whose working days nobody has announced: its filing is provisional.
func (s *story) systems() {
	start := s.now.Add(-weeks + deadline.Hour)
	s.note(start, "", "system.added", "system", "crm", "purposes", "personalisation,promotion-evaluation")
	s.note(start, "", "system.added", "system", "warehouse", "purposes", "personalisation,promotion-evaluation")
	s.note(s.morning(14), "", "crossborder.started", "recipient", "support-desk", "mechanism", "standard-contract",
		"country", "Singapore",
		"contract_effective", s.unannounced().String())
}

// requests are some of each state: open, paused, and those that have their
// answer.
func (s *story) requests() {
	s.ask("delete", "user-15", s.morning(3),
		domain.OpenRequest{Types: []request.Type{request.Delete}, Channel: "feedback", Authenticated: true,
			Text: "Please delete what you have of me."})
	s.step("delete", s.morning(2), "request.acknowledged", "", "channel", "feedback")

	s.ask("copy", "user-11", s.morning(6),
		domain.OpenRequest{Types: []request.Type{request.Copy}, Policy: "key-sharing", Channel: "email",
			Text: "Who opened my door in June?"})
	s.step("copy", s.morning(5), "identity.requested", "", "elements", "IDE-3,IDE-1")

	s.ask("access", "user-14", s.morning(12),
		domain.OpenRequest{Types: []request.Type{request.Access}, Channel: "feedback", Authenticated: true,
			Text: "What do you know of me?"})
	s.step("access", s.morning(11), "request.acknowledged", "", "channel", "feedback")
	s.step("access", s.morning(4), "request.answered", "", "outcome", "full", "channel", "feedback")

	s.ask("correct", "user-17", s.morning(20),
		domain.OpenRequest{Types: []request.Type{request.Correct}, Channel: "email", Authenticated: true,
			Text: "My neighbour never had a key."})
	s.step("correct", s.morning(10), "request.rejected",
		`{"text":"The entry is your neighbour's too: without it nobody could say who opened the door."}`,
		"codes", "REJ-D3", "remedies_told", "yes", "approved_by", "privacy-officer")

	s.ask("authority", "", s.morning(2),
		domain.OpenRequest{Types: []request.Type{request.Authority}, Channel: "letter"})

	s.ask("complaint", "user-16", s.morning(8),
		domain.OpenRequest{Types: []request.Type{request.Complaint}, Channel: "feedback", Authenticated: true,
			Text: "I was called by somebody who knew when I am at home."})
	s.step("complaint", s.morning(5), "facts.verified", "", "founded", "yes")
}

// withdrawal is one that a system acknowledged and another did not.
func (s *story) withdrawal() {
	at := s.morning(9)
	s.ask("withdraw", "user-18", at,
		domain.OpenRequest{Types: []request.Type{request.Withdraw},
			Purposes: []policy.PurposeID{"personalisation"},
			Channel:  "feedback", Authenticated: true, Text: "Stop showing me doors."})
	s.note(at.Add(3*deadline.Hour), "user-18", "processing.stopped", "system", "crm", "purpose", "personalisation")
	s.step("withdraw", s.morning(8), "request.answered", "", "outcome", "full", "channel", "feedback")
}

// deadlines are requests that are nearly due, and overdue.
func (s *story) deadlines() error {
	tomorrow := s.today + 1
	late, err := s.receivedFor(15, s.today)
	if err != nil {
		return err
	}
	s.ask("late-question", "user-13", late,
		domain.OpenRequest{Types: []request.Type{request.Question}, Channel: "email",
			Text: "Why do I see this?"})

	soon, err := s.receivedFor(15, tomorrow)
	if err != nil {
		return err
	}
	s.ask("question", "user-12", soon.Add(deadline.Day),
		domain.OpenRequest{Types: []request.Type{request.Question}, Channel: "feedback",
			Text: "Do you sell my data?"})
	return nil
}

// incidents are one that is over, and one of which nobody was told yet.
func (s *story) incidents() {
	at := s.morning(15)
	s.step("leak", at, "incident.suspected", "", "kind", "leak", "what",
		"a list of door names was seen in a public folder", "system", "warehouse")
	s.acts[len(s.acts)-1].of = ""
	s.acts[len(s.acts)-1].id = "leak"
	for _, x := range []struct {
		after deadline.Span
		kind  catalog.Step
		pairs []string
	}{
		{deadline.Hour, "incident.detected", []string{"kind", "leak", "what", "the folder was public for two days", "system", "warehouse"}},
		{2 * deadline.Hour, "incident.classified", []string{"level", "larger", "persons", "40"}},
		{3 * deadline.Hour, "incident.authority-told", []string{"authority", "the provincial cyberspace administration"}},
		{5 * deadline.Hour, "incident.contained", []string{"measures", "the folder was closed"}},
		{8 * deadline.Hour, "incident.persons-told", []string{"channel", "push", "persons", "40", "situation", "yes", "measures", "yes", "advice", "yes", "remedies", "yes"}},
		{4 * deadline.Day, "incident.closed", []string{"summary", "nobody was harmed", "reportable", "yes"}},
	} {
		s.step("leak", at.Add(x.after), x.kind, "", x.pairs...)
	}

	s.step("login", s.now.Add(-19*deadline.Hour), "incident.detected", "", "kind", "credential", "what",
		"passwords of another service were tried on ours")
	s.acts[len(s.acts)-1].of = ""
	s.acts[len(s.acts)-1].id = "login"
}
