package rest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"consentledger/api/report"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/projections/requests"

	"github.com/danielgtaylor/huma/v2"
)

// A Feed is where a calendar program finds an app's open deadlines.
type Feed struct {
	App  string `json:"app"`
	Path string `json:"path" doc:"of replies to requests and of incidents, below the server's address; whoever has it can read the feed"`
	All  string `json:"path_of_all" doc:"the same with everything else that is owed, as what follows from withdrawals"`
}

type feedIn struct {
	App string `path:"app"`
}

type feedTokenIn struct {
	App   string `path:"app"`
	Token string `path:"token"`
	All   string `query:"all" enum:"true,false" doc:"true: also what is no reply to a request and of no incident"`
	Known string `header:"If-None-Match"`
}

// A feedOut is the feed, or that nothing in it has changed.
type feedOut struct {
	Status       int
	ContentType  string `header:"Content-Type"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

// feedRoutes are the calendar feed, which calendar programs fetch without any
// header of ours: the token in the path is all they have. It is a digest of
// the app's name under a key of this ledger, so that nothing is stored by app,
// and one key that is replaced ends every address that was given out.
func (s *server) feedRoutes(api huma.API) {
	if s.FeedKey == nil {
		return
	}

	route(s, api, "get-feed", http.MethodGet, "/v1/apps/{app}/reports/feed",
		"Where the calendar feed of an app's deadlines is", func(ctx context.Context, in *feedIn) (*out[Feed], error) {
			name, err := s.app(ctx, in.App)
			if err != nil {
				return nil, err
			}
			path := "/v1/apps/" + url.PathEscape(in.App) + "/feeds/" + s.feedToken(name) + "/deadlines.ics"
			return ok(Feed{App: in.App, Path: path, All: path + "?all=true"})
		})
	// A program that has the newest entries is told so in 304.
	op := huma.Operation{OperationID: "deadline-feed", Method: http.MethodGet,
		Path: "/v1/apps/{app}/feeds/{token}/deadlines.ics", Summary: "The calendar feed of an app's open deadlines",
		Description: "Replies to requests and what incidents make owed; all=true adds what follows from withdrawals and " +
			"from the policy. Without personal data. A wrong token is answered as if there were no such feed.",
		SkipValidateParams: true}
	op.Responses = map[string]*huma.Response{
		"200": {Description: "The calendar", Content: map[string]*huma.MediaType{"text/calendar": {Schema: aText}}},
		"304": {Description: "The program has the newest entries"},
	}
	huma.Register(api, op, func(ctx context.Context, in *feedTokenIn) (*feedOut, error) {
		o, err := s.feed(ctx, in)
		return o, s.fail(ctx, op.OperationID, err)
	})
}

func (s *server) feedToken(app ident.AppName) string {
	h := hmac.New(sha256.New, s.FeedKey)
	h.Write([]byte("deadline feed/" + string(app)))
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// kept is how long the feed has an entry that is done or void, as cancelled: a
// program that reads it once a month still hears of it.
const kept = 35 * deadline.Day

func (s *server) feed(ctx context.Context, in *feedTokenIn) (*feedOut, error) {
	name, err := ident.ParseAppName(in.App)
	if err != nil || !hmac.Equal([]byte(in.Token), []byte(s.feedToken(name))) {
		return nil, failure{plain(http.StatusNotFound, "")}
	}

	if in.All != "" && in.All != "true" && in.All != "false" {
		return nil, bad("all: want true or false")
	}

	now := s.Ledger.Now()
	lang, err := s.langOf(ctx, name)
	if err != nil {
		return nil, err
	}

	// It is held as a whole: its tag goes before it. The position of the projection would be no tag, since
	// entries leave the feed as time passes and nothing is recorded of that; and of a feed that breaks off
	// while it is sent, a calendar program would take the rest for deleted.
	var file bytes.Buffer
	q := requests.Query{App: name, At: now, Since: now.Add(-kept), Dated: in.All != "true"}
	if err := s.writeFile(ctx, &file, q, report.ICS, lang); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(file.Bytes())
	out := &feedOut{Status: http.StatusOK, ContentType: report.ICS.ContentType(),
		ETag: `"` + hex.EncodeToString(sum[:16]) + `"`, CacheControl: "private, no-cache", Body: file.Bytes()}
	if matches(in.Known, out.ETag) {
		out.Status, out.Body, out.ContentType = http.StatusNotModified, nil, ""
	}
	return out, nil
}

// matches reports whether one of the entity tags of a header is tag, as weak
// comparison has it (RFC 9110, 13.1.2).
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == tag || one == "*" {
			return true
		}
	}
	return false
}
