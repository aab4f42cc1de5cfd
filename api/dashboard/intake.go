package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// intake is what came in lately, and what could not be taken.
type intake struct {
	Days []dayCount // the newest first
	May  bool       // whoever looks may see rejected messages
	None bool       // the ledger takes no messages over NATS

	Rejected []rejectedMessage // the newest first
	More     string            // where the list goes on
	Done     string
	Wrong    *problem
	WrongSeq string // the message that Wrong is about
	AsOf     string
	Newest   newest // what the app recorded last
}

// newest is what was recorded last, without whom it is about.
type newest struct {
	Records []struct {
		Position string `json:"position"`
		Type     string `json:"type"`
		Actor    string `json:"actor"`
		At       string `json:"at"`
		Recorded string `json:"recorded"`
	} `json:"records"`
	AsOf string `json:"as_of"`
}

type dayCount struct {
	Day   string `json:"day"`
	Type  string `json:"type"`
	Count int64  `json:"count"`
}

type rejectedMessage struct {
	Seq         uint64 `json:"seq"`
	App         string `json:"app"`
	At          string `json:"at"`
	Code        string `json:"code"`
	Path        string `json:"path"`
	MayBeOptOut bool   `json:"may_be_no"`
	Seen        bool   `json:"seen"`
	Why         string `json:"why"`
}

// lately is how many days back the page shows what came in.
const lately = 7

func readIntake(a *ask) (any, error) {
	i := &intake{Done: a.URL.Query().Get("done")}
	if s := a.sent; s != nil {
		i.Wrong, i.WrongSeq = s.Problem, s.Values.Get("seq")
	}
	if a.App != "" {
		var activity struct {
			Days []dayCount
			AsOf string `json:"as_of"`
		}
		from := a.now.UTC().AddDate(0, 0, 1-lately).Format(time.DateOnly)
		if err := a.getIfMay(a.of("/activity"), url.Values{"from": {from}}, &activity); err != nil && !isForbidden(err) {
			return nil, err
		}
		i.Days, i.AsOf = activity.Days, activity.AsOf
		if err := a.getIfMay(a.of("/newest"), nil, &i.Newest); err != nil && !isForbidden(err) && !isUnknown(err) {
			return nil, err
		}
		slices.SortStableFunc(i.Days, func(x, y dayCount) int { return strings.Compare(y.Day, x.Day) })
	}

	var list struct {
		Rejected []rejectedMessage
		Next     string
	}
	query := url.Values{"limit": {pageRows}}
	if after := a.URL.Query().Get("after"); after != "" {
		query.Set("after", after)
	}
	err := a.getIfMay("/v1/rejected", query, &list)
	switch {
	case isForbidden(err):
		return i, nil
	case isUnknown(err):
		i.May, i.None = true, true
		return i, nil
	case err != nil:
		return nil, err
	}
	i.May, i.Rejected, i.More = true, list.Rejected, list.Next
	slices.Reverse(i.Rejected)
	return i, nil
}

// handleRejected sends a rejected message to the ledger again, or says why it may rest.
// Sent again it is recorded once: it has the id that it had.
func handleRejected(a *ask) (string, error) {
	seq := a.PostFormValue("seq")
	if seq == "" || strings.Trim(seq, "0123456789") != "" {
		return "", &problem{Status: http.StatusBadRequest, Code: "malformed"}
	}

	path := "/v1/rejected/" + seq
	var answer map[string]any
	var err error
	switch a.PostFormValue("form") {
	case "retry":
		err = a.do(http.MethodPost, path+"/retry", nil, &answer)
	case "seen":
		err = a.do(http.MethodPost, path+"/seen", map[string]string{"why": strings.TrimSpace(a.PostFormValue("why"))},
			&answer)
	default:
		err = &problem{Status: http.StatusBadRequest, Code: "malformed"}
	}
	if err != nil {
		return "", err
	}
	return (&page{App: a.App}).Link("intake", "done", a.PostFormValue("form")), nil
}
