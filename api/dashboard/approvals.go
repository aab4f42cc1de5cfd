package dashboard

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// approvals is what was proposed and takes two persons: what waits, and what became of the
// rest; or what waited at the end of a day that is past. Which erasures of many wait is known of
// now alone.
type approvals struct {
	May           bool // whoever looks may see proposals
	Authenticated bool
	Open, Decided []proposal
	Erasures      []job     // of many, that wait for an approver
	Shown         *proposal // with what exactly was proposed
	Done          string
	Wrong         *problem
	WrongID       string // the proposal that Wrong is about
}

type proposal struct {
	ID        string          `json:"id"`
	Command   string          `json:"command"`
	Digest    string          `json:"digest"`
	Reason    string          `json:"reason"`
	State     string          `json:"state"`
	By        string          `json:"by"`
	At        string          `json:"at"`
	Until     string          `json:"until"`
	Subject   string          `json:"subject"`
	DecidedBy string          `json:"decided_by"`
	Answer    string          `json:"answer"`
	Record    string          `json:"record"`
	Proposed  json.RawMessage `json:"proposed"`
	Can       []string        `json:"may"`
}

// May reports whether whoever looks may do something with the proposal.
func (p proposal) May(what string) bool { return slices.Contains(p.Can, what) }

// Text is what was proposed, to be read.
func (p proposal) Text() string {
	var whole any
	if json.Unmarshal(p.Proposed, &whole) != nil {
		return ""
	}
	text, err := json.MarshalIndent(whole, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}

// mostDecided is how many proposals that are decided the page shows.
const mostDecided = 50

func readApprovals(a *ask) (any, error) {
	p := &approvals{Done: a.URL.Query().Get("done")}
	if s := a.sent; s != nil {
		p.Wrong, p.WrongID = s.Problem, s.Values.Get("id")
	}
	day, known, err := a.pastDay()
	if err != nil {
		return nil, err
	}
	if a.App == "" {
		return p, nil
	}

	var list struct {
		Authenticated bool       `json:"authenticated"`
		Proposals     []proposal `json:"proposals"`
	}
	err = a.getIfMay(a.of("/proposals"), knownAt(known), &list)
	if isForbidden(err) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	p.May, p.Authenticated = true, list.Authenticated
	for _, one := range list.Proposals {
		switch {
		case one.State == "open":
			p.Open = append(p.Open, one)
		case len(p.Decided) < mostDecided:
			p.Decided = append(p.Decided, one)
		}
	}

	if p.Authenticated && day == "" {
		if p.Erasures, err = erasuresToStart(a); err != nil {
			return nil, err
		}
	}

	// What exactly was proposed is shown to who asks for it, since that is recorded.
	if id := a.URL.Query().Get("show"); id != "" && p.Authenticated {
		p.Shown = &proposal{}
		if err := a.get(a.of("/proposals/"+url.PathEscape(id)), knownAt(known), p.Shown); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// mostErasures is how many erasures of many the page shows that wait.
const mostErasures = 20

// erasuresToStart returns the erasures of many that wait for an approver, each with the
// digest of what is approved.
func erasuresToStart(a *ask) (waiting []job, err error) {
	var all struct{ Jobs []job }
	if err := a.get(a.of("/erasures"), nil, &all); err != nil {
		return nil, err
	}
	for _, one := range all.Jobs {
		if !one.NeedsApprover || len(waiting) == mostErasures {
			continue
		}
		if err := a.get(a.of("/erasures/"+url.PathEscape(one.ID)), nil, &one); err != nil {
			return nil, err
		}
		waiting = append(waiting, one)
	}
	return waiting, nil
}

// startErasure approves the erasure of many that a form shows, by the digest that it shows.
func startErasure(a *ask, id string) (string, error) {
	query := url.Values{"digest": {a.PostFormValue("digest")}}
	path := a.of("/erasures/"+url.PathEscape(id)+"/start") + "?" + query.Encode()
	var answer job
	if err := a.do(http.MethodPost, path, nil, &answer); err != nil {
		return "", err
	}
	return (&page{App: a.App}).Link("approvals", "done", "start"), nil
}

// decideProposal approves, declines or withdraws what a form names.
func decideProposal(a *ask) (string, error) {
	id, verb := a.PostFormValue("id"), a.PostFormValue("form")
	if id != "" && verb == "start" {
		return startErasure(a, id)
	}
	if id == "" || !slices.Contains([]string{"approve", "decline", "withdraw"}, verb) {
		return "", &problem{Status: http.StatusBadRequest, Code: "malformed"}
	}
	body := map[string]string{}
	if reason := strings.TrimSpace(a.PostFormValue("reason")); reason != "" {
		body["reason"] = reason
	}
	var answer proposal
	if err := a.do(http.MethodPost, a.of("/proposals/"+url.PathEscape(id)+"/"+verb), body, &answer); err != nil {
		return "", err
	}
	return (&page{App: a.App}).Link("approvals", "done", verb), nil
}

// propose sends what takes two persons as a proposal. It returns err if that was refused
// for another reason.
func (a *ask) propose(event map[string]any, err error) (string, error) {
	p, is := err.(*problem)
	if !is || p.Code != "approval-needed" {
		return "", err
	}
	var answer proposal
	if err := a.do(http.MethodPost, a.of("/proposals"), map[string]any{"event": event}, &answer); err != nil {
		return "", err
	}
	return (&page{App: a.App}).Link("approvals", "done", "propose"), nil
}
