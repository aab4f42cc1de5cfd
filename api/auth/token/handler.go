package token

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"consentledger/api/auth"
	"consentledger/api/edge"
	"consentledger/api/wire"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"

	"github.com/go-json-experiment/json"
)

// Pattern is the route by which tokens are minted.
const Pattern = "POST /v1/apps/{app}/tokens"

// A Request is its body.
type Request struct {
	Subject string   `json:"subject" doc:"the person, as events name them"`
	Actions []string `json:"actions,omitempty" enum:"record,check,prompt" doc:"absent: record"`
	Minutes int      `json:"minutes,omitempty" minimum:"0" maximum:"60" doc:"that it lasts; absent: 10"`
}

// An Answer is the token. It is told this once, and kept nowhere.
type Answer struct {
	Token   string   `json:"token"`
	Actions []Action `json:"actions"`
	Expires string   `json:"expires" format:"date-time"`
}

// NoDryRun is why minting has none.
const NoDryRun = "a token is kept nowhere"

// Handler returns the route. Where nobody is authenticated the signer is nil, and there
// are no tokens: without one, a browser may do the same.
func Handler(s *Signer, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if s == nil {
			edge.Write(w, edge.Plain(http.StatusConflict,
				"nobody is authenticated here, so tokens would let nobody in: start serve with --authenticate"))
			return
		}
		edge.Limit(w, r, 10*time.Second)
		answer, err := s.answer(r)
		if no, is := errors.AsType[*edge.Refused](err); is {
			edge.Write(w, no.Problem)
			return
		}
		if err != nil {
			p := wire.ProblemOf(err)
			if p.Status >= http.StatusInternalServerError {
				log.ErrorContext(r.Context(), "a subject token could not be minted", "err", err)
			}
			edge.Write(w, p)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.MarshalWrite(w, answer, json.Deterministic(true)) // who asked has gone
	})
}

const maxBody = 4 << 10

func (s *Signer) answer(r *http.Request) (a Answer, err error) {
	if err := (edge.Route{Types: []string{"application/json"}, NoDryRun: NoDryRun}).Check(r); err != nil {
		return a, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return a, malformed("", "the body is cut off, or longer than this takes")
	}
	var in Request
	if err := json.Unmarshal(body, &in, json.RejectUnknownMembers(true)); err != nil {
		return a, malformed("", `the body is a JSON object with subject, and with actions and minutes if you like, as in {"subject":"account:ada","actions":["record"],"minutes":10}`)
	}

	var subject Subject
	if subject.App, err = ident.ParseAppName(r.PathValue("app")); err != nil {
		return a, malformed("app", "app: "+err.Error())
	}
	if subject.Person, err = ident.ParsePersonKey(in.Subject); err != nil {
		return a, malformed("subject", "subject: "+err.Error())
	}
	if subject.Actions, err = ParseActions(in.Actions); err != nil {
		return a, err
	}
	lasts := time.Duration(in.Minutes) * time.Minute
	if in.Minutes == 0 {
		lasts = Usual
	}
	if in.Minutes < 0 || lasts > Longest {
		return a, malformed("minutes", "minutes: a token lasts 1 to 60")
	}
	by, _ := auth.From(r.Context())
	text, ends, err := s.Mint(subject, lasts, by)
	return Answer{text, subject.Actions, deadline.At(ends).String()}, err
}

func malformed(path, text string) error {
	return refusal.Refusal{Code: refusal.Malformed, Path: path, Text: text}
}
