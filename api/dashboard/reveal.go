package dashboard

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
)

// revealing is what the page of a request says of who asks, and of what they wrote: the form by
// which both are opened, and what was opened, which is shown this once.
type revealing struct {
	Reason, Why, By string
	Wrong           *problem // why nothing was opened
	Erased          bool     // since who asked is erased
	Shown           *revealed
}

// Reasons are for the form.
func (*revealing) Reasons() []string { return reasons }

// revealed is what the API answers.
type revealed struct {
	Subject string         `json:"subject"`
	Texts   []revealedText `json:"texts"`
}

type revealedText struct {
	Event    string `json:"event"`
	Type     string `json:"type"`
	Recorded string `json:"recorded"`
	Text     string `json:"text"`
}

// Words is the text as it is read: details of a step that hold words alone, as forms and verbs
// write them, are these words.
func (x revealedText) Words() string {
	var details map[string]string
	if x.Type == "request.received" || json.Unmarshal([]byte(x.Text), &details) != nil || len(details) != 1 {
		return x.Text
	}
	return cmp.Or(details["reasons"], details["text"], x.Text)
}

// revealForm names the form among those of the page, which are called by types of events.
const revealForm = "reveal"

func revealOf(a *ask) string {
	return a.of("/requests/" + url.PathEscape(a.PathValue("id")) + "/reveal")
}

// actOnRequest opens what is sealed of a request, or takes a step. What was opened stays in the
// answer to the form: it has no address at which it could be had again.
func actOnRequest(a *ask) (string, error) {
	if a.PostFormValue("form") != revealForm {
		return takeRequestStep(a)
	}

	_, known, err := a.pastDay()
	if err != nil {
		return "", err
	}
	why := map[string]string{"reason": a.PostFormValue("reason"), "why": a.PostFormValue("why"), "by": a.by(),
		"known_at": known}
	for name, value := range why {
		if value == "" {
			delete(why, name) // the API says which is missing
		}
	}
	shown := new(revealed)
	if err := a.do(http.MethodPost, revealOf(a), why, shown); err != nil {
		return "", err
	}
	a.revealed = shown
	return "", nil
}

// reveal adds who asks, and what they wrote; nothing for who may not see it.
func (c *oneCase) reveal(a *ask) {
	if !a.mayUse(http.MethodPost, revealOf(a)) {
		return
	}
	c.Reveal = &revealing{Shown: a.revealed}
	if a.revealed != nil {
		c.Reveal.Reason, c.Reveal.By = a.PostFormValue("reason"), a.by()
	}
	if s := a.sent; s != nil && s.Form == revealForm {
		c.Wrong = nil
		c.Reveal.Reason, c.Reveal.Why, c.Reveal.By = s.Values.Get("reason"), s.Values.Get("why"), s.Values.Get("by")
		if s.Problem.Code == "unknown-person" {
			c.Reveal.Erased = true
			return
		}
		c.Reveal.Wrong = s.Problem
	}
}
