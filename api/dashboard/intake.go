package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"consentledger/api/wire"
)

// intake is what came in lately, and what could not be taken; or of a day that is past, what came in
// by the hour, and what of that could not be taken, as far as it is kept.
type intake struct {
	Days []dayCount // the newest first; of a day that is past its hours, the earliest first
	Kept int        // how many days rejected messages are kept
	Over bool       // the rejected messages of the day are not kept any more, but for what nobody has seen
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
	Day    string `json:"day"`
	Hour   string `json:"hour"` // when it begins; empty: it is the whole day
	Type   string `json:"type"`
	Count  int64  `json:"count"`
	Voided int64  `json:"voided"` // of them, as mistakes, since
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
	i := &intake{Kept: wire.RejectedDays, Done: a.URL.Query().Get("done")}
	if s := a.sent; s != nil {
		i.Wrong, i.WrongSeq = s.Problem, s.Values.Get("seq")
	}
	day, end, err := a.pastDay()
	if err != nil {
		return nil, err
	}

	if a.App != "" {
		if err := i.came(a, day); err != nil {
			return nil, err
		}
	}
	if day != "" {
		i.Over = instant(end).Before(a.now.Add(-wire.RejectedDays * 24 * time.Hour))
	}
	return i, i.rejected(a, day)
}

// came reads what came in: on a day by its hours; of none, lately by days, and the newest.
func (i *intake) came(a *ask, day string) error {
	query := url.Values{"from": {day}, "until": {day}, "by": {"hour"}}
	if day == "" {
		query = url.Values{"from": {a.now.UTC().AddDate(0, 0, 1-lately).Format(time.DateOnly)}}
	}
	var activity struct {
		Days []dayCount
		AsOf string `json:"as_of"`
	}
	if err := a.getIfMay(a.of("/activity"), query, &activity); err != nil && !isForbidden(err) {
		return err
	}
	i.Days, i.AsOf = activity.Days, activity.AsOf
	if day != "" {
		return nil
	}

	slices.SortStableFunc(i.Days, func(x, y dayCount) int { return strings.Compare(y.Day, x.Day) })
	err := a.getIfMay(a.of("/newest"), nil, &i.Newest)
	if isForbidden(err) || isUnknown(err) {
		return nil
	}
	return err
}

// rejected reads which messages could not be taken, on a day or at all.
func (i *intake) rejected(a *ask, day string) error {
	var list struct {
		Rejected []rejectedMessage
		Next     string
	}
	query := url.Values{"limit": {pageRows}}
	if day != "" {
		query.Set("day", day)
	}
	if after := a.URL.Query().Get("after"); after != "" {
		query.Set("after", after)
	}
	err := a.getIfMay("/v1/rejected", query, &list)
	switch {
	case isForbidden(err):
		return nil
	case isUnknown(err):
		i.May, i.None = true, true
		return nil
	case err != nil:
		return err
	}
	i.May, i.Rejected, i.More = true, list.Rejected, list.Next
	slices.Reverse(i.Rejected)
	return nil
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
