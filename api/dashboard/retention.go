package dashboard

import (
	"net/url"
	"slices"
)

// retention is what has to be deleted, what is held back, and what was erased.
type retention struct {
	report
	Counts []dayCount // records of erasures and holds since the beginning, by type
	May    bool       // whoever looks may see the counts
	Now    bool       // it is as of now, and not of the end of a day: what follows is known of now alone
	Jobs   []job      // erasures of many, the newest first; none for who may not see them
	Proofs []kept     // the first proofs that are kept of persons who are erased
	See    bool       // whoever looks may see proofs
	More   bool       // there are more of them
}

// A kept is the proof that is kept of somebody who is erased. It names nobody.
type kept struct {
	Person      string     `json:"person"`
	Duty        string     `json:"duty"`
	Law         string     `json:"law"`
	Reason      string     `json:"reason"`
	Until       string     `json:"until"`
	Disclosures []struct{} `json:"disclosures"`
}

// A job is an erasure of many, and how far it is.
type job struct {
	ID      string `json:"id"`
	Of      string `json:"of"`
	State   string `json:"state"`
	Began   string `json:"began"`
	Persons int64  `json:"persons"`
	Erased  int64  `json:"erased"`
	Kept    int64  `json:"kept"`
	Unknown int64  `json:"unknown"`

	Reason        string   `json:"reason"`
	By            []string `json:"by"`
	NeedsApprover bool     `json:"needs_approver"`
	Digest        string   `json:"digest"`
	Can           []string `json:"may"`
}

// May reports whether whoever looks may do something with the job.
func (j job) May(what string) bool { return slices.Contains(j.Can, what) }

// Proposer is who ordered it first.
func (j job) Proposer() string {
	if len(j.By) == 0 {
		return ""
	}
	return j.By[0]
}

// erasures are the types of records that tell of deleting and of holding back.
var erasures = []string{"erasure.ordered", "subject.erased", "hold.placed", "hold.released", "proof.disclosed",
	"proof.destroyed"}

func readRetention(a *ask) (any, error) {
	r := &retention{}
	if a.App == "" {
		return r, nil
	}
	query := url.Values{"kind": {"delete"}, "state": {stillOpen}, "sort": {"due"}, "limit": {pageRows}}
	day, end, err := a.pastDay()
	if err != nil {
		return nil, err
	}
	if r.Now = end == ""; !r.Now {
		query.Set("as_of", end)
		query.Set("known_at", end)
	}
	err = a.get(a.of("/reports/deadlines"), query, &r.report)
	if p, is := err.(*problem); is && p.Code == "malformed" {
		err = nil // no policy of the app makes anything owed of that kind
	}
	if err != nil {
		return nil, err
	}

	if r.Now {
		if err := r.work(a); err != nil {
			return nil, err
		}
	}

	counted := url.Values{}
	if !r.Now {
		counted.Set("until", day)
	}
	var activity struct{ Days []dayCount }
	err = a.getIfMay(a.of("/activity"), counted, &activity)
	if isForbidden(err) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	r.May = true
	for _, kind := range erasures {
		one := dayCount{Type: kind}
		for _, d := range activity.Days {
			if d.Type == kind {
				one.Count += d.Count
			}
		}
		r.Counts = append(r.Counts, one)
	}
	return r, nil
}

// work reads which erasures of many there are, and which proofs are kept.
func (r *retention) work(a *ask) error {
	var jobs struct{ Jobs []job }
	if err := a.getIfMay(a.of("/erasures"), nil, &jobs); err != nil && !isForbidden(err) && !isUnknown(err) {
		return err
	}
	r.Jobs = jobs.Jobs

	var proofs struct {
		Proofs []kept
		Next   string
	}
	err := a.getIfMay(a.of("/proofs"), url.Values{"limit": {pageRows}}, &proofs)
	if err != nil && !isForbidden(err) && !isUnknown(err) {
		return err
	}
	r.Proofs, r.See, r.More = proofs.Proofs, err == nil, proofs.Next != ""
	return nil
}

// Held returns how many of what is to be deleted is held back.
func (r *retention) Held() int { return r.in("held") }

// Overdue returns how many should have been deleted by now.
func (r *retention) Overdue() int { return r.in("overdue") }

func (r *retention) in(state string) int {
	for _, s := range r.Summary.States {
		if s.State == state {
			return s.Obligations
		}
	}
	return 0
}
