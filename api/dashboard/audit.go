package dashboard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"consentledger/api/audit/upload"
	"consentledger/api/wire"
)

// What an auditor asks of the ledger itself: is this file ours, who looked at whom, and what
// left the organisation. All three are on the page Audit.

// audits is that page.
type audits struct {
	Verified *verified
	Refused  string // why a file was not verified, the code of a problem; empty: none was refused
	Book     string // accesses or left, once it was asked for
	Asked    book
	Accesses []access
	Left     []leaving
	Hooks    []hook
	May      bool // whoever looks may see webhooks
	Older    bool // there are older ones, which are not shown
}

// mostOfType is how many records of a type the page shows, the newest: whoever looks for others
// names days.
const mostOfType = 100

// verified is what the API found of a file.
type verified struct {
	File sentFile

	Kind      string `json:"kind"`
	Authentic bool   `json:"authentic"`
	Why       string `json:"why"`
	Wrong     string `json:"wrong"`
	Log       string `json:"log"`
	Points    []struct {
		Point string `json:"point"`
		Of    string `json:"of"`
	} `json:"points"`
	Pictures []bundled `json:"pictures"`
	Claims   []string  `json:"claims"`
	Origin   string    `json:"origin"`
	Key      string    `json:"key"`
}

// A bundled picture is one of a screen that is in a bundle.
type bundled struct {
	Type   string  `json:"type"`
	Hash   string  `json:"hash"`
	Screen string  `json:"screen"`
	Build  string  `json:"build"`
	Locale string  `json:"locale"`
	Record int64   `json:"record"`
	Shown  []int64 `json:"shown"`
	More   int     `json:"more"`
}

// In returns the records in which the screen was shown or answered: the first.
func (b bundled) In() string {
	all := make([]string, len(b.Shown))
	for i, record := range b.Shown {
		all[i] = strconv.FormatInt(record, 10)
	}
	return strings.Join(all, ", ")
}

// A sentFile is a file as it came, so that whoever verified it knows which one it was.
type sentFile struct {
	Name   string
	Size   int
	SHA256 string
}

// A book is what was asked to be shown of.
type book struct{ From, To, Reason, By string }

// An access is a record of who looked at what.
type access struct {
	Recorded   string `json:"recorded"`
	Actor      string `json:"actor"`
	RecordedBy string `json:"recorded_by"`
	Data       struct {
		Kind    string `json:"kind"`
		Subject string `json:"subject"`
		Records int    `json:"records"`
		Parts   int    `json:"parts"`
		Reason  string `json:"reason"`
	} `json:"data"`
}

// A leaving is a record of what was given to somebody else.
type leaving struct {
	Recorded string `json:"recorded"`
	Type     string `json:"type"`
	Data     struct {
		Fields map[string]string `json:"fields"`
	} `json:"data"`
}

// Who returns who was given something, or what says it best.
func (l leaving) Who() string {
	for _, name := range []string{"recipient", "processor", "successor", "ground"} {
		if v := l.Data.Fields[name]; v != "" {
			return v
		}
	}
	return ""
}

// What returns what was given, in the words of the record.
func (l leaving) What() string {
	var all []string
	for _, name := range []string{"what", "categories", "purposes", "country", "mechanism", "change", "reason"} {
		if v := l.Data.Fields[name]; v != "" {
			all = append(all, v)
		}
	}
	return strings.Join(all, " · ")
}

type hook struct {
	URL   string   `json:"url"`
	State string   `json:"state"`
	Types []string `json:"types"`
}

// leavingTypes are the records of what leaves the organisation.
var leavingTypes = []string{
	"disclosure.made", "recipient.added", "recipient.changed", "recipient.removed", "entrustment.agreed",
	"entrustment.ended",
	"transfer.merger", "crossborder.started", "crossborder.stopped",
}

// outward are the kinds of access by which data leave, and not only are looked at.
var outward = []string{"export", "receipt", "names"}

// maxUpload is the largest file that may be verified here, and what its form needs beside.
const maxUpload = upload.Max + 1<<16

// readVerified verifies a file that was sent.
func readVerified(a *ask) (any, error) {
	page := &audits{}
	if a.Method != http.MethodPost || a.App == "" {
		return page, nil
	}
	name, file, err := a.sentFile(maxUpload)
	switch {
	case err == nil && len(file) == 0:
		err = &problem{Status: http.StatusBadRequest, Code: "upload-empty"}
	case errors.Is(err, errFileSize) || len(file) > upload.Max:
		err = &problem{Status: errFileSize.Status, Code: "upload-size"}
	}
	if p, is := errors.AsType[*problem](err); is && p.Status != http.StatusForbidden {
		page.Refused, a.status = p.Code, p.Status // the page says it where another file is chosen
		return page, nil
	}
	if err != nil {
		return nil, err
	}

	sum := sha256.Sum256(file)
	page.Verified = &verified{File: sentFile{name, len(file), hex.EncodeToString(sum[:])}}
	return page, a.do(http.MethodPost, a.of("/verify"), map[string][]byte{"file": file}, page.Verified)
}

func readAccesses(a *ask) (any, error) {
	page := &audits{Book: "accesses"}
	if err := page.ask(a); err != nil || page.Asked.Reason == "" {
		return page, err
	}
	if err := page.replay(a, []string{accessed}, nil); err != nil {
		return nil, err
	}
	slices.Reverse(page.Accesses)
	return page, nil
}

// readLeft reads what left the organisation: to whom data were given by record, what was exported,
// and where webhooks send.
func readLeft(a *ask) (any, error) {
	page := &audits{Book: "left"}
	if err := page.ask(a); err != nil || page.Asked.Reason == "" {
		return page, err
	}
	if err := page.replay(a, slices.Concat(leavingTypes, []string{accessed}), outward); err != nil {
		return nil, err
	}
	slices.SortStableFunc(page.Left, func(x, y leaving) int { return compareInstants(y.Recorded, x.Recorded) })
	slices.SortStableFunc(page.Accesses, func(x, y access) int { return compareInstants(y.Recorded, x.Recorded) })

	var hooks struct{ Webhooks []hook }
	err := a.getIfMay(a.of("/webhooks"), nil, &hooks)
	if isForbidden(err) || isUnknown(err) {
		return page, nil
	}
	page.May, page.Hooks = true, hooks.Webhooks
	return page, err
}

// ask reads the form of a book. Who looks and why is recorded by the API before anything
// is shown.
func (p *audits) ask(a *ask) error {
	if a.Method != http.MethodPost || a.App == "" {
		return nil
	}
	if err := a.parse(); err != nil {
		return err
	}
	if err := a.checkToken(); err != nil {
		return err
	}

	p.Asked = book{a.PostFormValue("from"), a.PostFormValue("to"), a.PostFormValue("reason"), a.by()}
	if !slices.Contains(reasons, p.Asked.Reason) || p.Asked.By == "" {
		return &problem{Status: http.StatusBadRequest, Code: "audit-form"}
	}
	return nil
}

// replay reads the newest records of each type; of accesses those of each kind, if some are named. It
// asks once, so that whoever looks leaves one record of it.
func (p *audits) replay(a *ask, types, accesses []string) error {
	asked := map[string]string{"app": a.App, "type": strings.Join(types, ","), "reason": p.Asked.Reason,
		"by": p.Asked.By, "last": strconv.Itoa(mostOfType + 1)}
	if len(accesses) > 0 {
		asked["access"] = strings.Join(accesses, ",")
	}
	for name, day := range map[string]string{"from": p.Asked.From, "to": p.Asked.To} {
		if day != "" {
			asked[name] = day + "T00:00:00Z"
		}
	}
	r, err := a.request(http.MethodPost, "/v1/replay", asked)
	if err != nil {
		return err
	}
	var all []recorded
	count := map[string]int{}
	into := &lines{header: http.Header{}, status: http.StatusOK, take: func(line []byte) error {
		x := recorded{line: slices.Clone(line)}
		err := json.Unmarshal(line, &x)
		if x.name = x.Type; x.Type == accessed && len(accesses) > 0 {
			x.name += x.Data.Kind
		}
		count[x.name]++
		all = append(all, x)
		return err
	}}
	a.api.ServeHTTP(into, r)
	if err := into.end(); err != nil {
		return err
	}

	// They come oldest first: of what is one too many the first is left out.
	for _, x := range all {
		if count[x.name] > mostOfType {
			count[x.name]--
			p.Older = true
			continue
		}
		if err := p.take(x); err != nil {
			return err
		}
	}
	return nil
}

// A recorded is a line of history, as far as it is told apart from others.
type recorded struct {
	Type string `json:"type"`
	Data struct {
		Kind string `json:"kind"`
	} `json:"data"`
	line []byte
	name string // of its type, or of its kind of access: what so many are shown of
}

// accessed is the type of the records of who looked at what.
const accessed = "data.accessed"

// take adds a record to those that the page shows.
func (p *audits) take(x recorded) error {
	if x.Type == accessed {
		p.Accesses = append(p.Accesses, access{})
		return json.Unmarshal(x.line, &p.Accesses[len(p.Accesses)-1])
	}
	p.Left = append(p.Left, leaving{})
	return json.Unmarshal(x.line, &p.Left[len(p.Left)-1])
}

// errBrokeOff says that a history ends before its end.
var errBrokeOff = errors.New("the history broke off")

// lines takes an answer of the API line by line: a history may be long, and is not kept.
type lines struct {
	header http.Header
	status int
	take   func(line []byte) error
	rest   []byte // the beginning of a line, or what the API says instead
	err    error
}

func (l *lines) Header() http.Header    { return l.header }
func (l *lines) WriteHeader(status int) { l.status = status }

func (l *lines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for l.status == http.StatusOK && l.err == nil {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			break
		}
		if wire.BreaksOff(line) {
			l.err = errBrokeOff
			break
		}
		l.err = l.take(line)
		l.rest = rest
	}
	return len(b), l.err
}

// end returns what was wrong.
func (l *lines) end() error {
	if l.status == http.StatusOK {
		return l.err
	}
	p := &problem{Status: l.status}
	if err := json.Unmarshal(l.rest, p); err != nil {
		p.Detail = http.StatusText(l.status)
	}
	return p
}
