package rest

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/vault"
	"consentledger/projections/requests"

	"github.com/go-json-experiment/json"
)

// deadlineQuery reads a query of obligations, and waits for what it asks about.
func (s *server) deadlineQuery(ctx context.Context, app string, d DeadlineQuery, limit int) (requests.Query, error) {
	name, err := s.app(ctx, app)
	if err != nil {
		return requests.Query{}, err
	}

	q := requests.Query{
		App:    name,
		Kind:   policy.DutyKind(d.Kind),
		Rule:   deadline.RuleID(d.Rule),
		Stream: d.Stream,
		ID:     d.ID,
		Sort:   requests.Sort(d.Sort),
	}
	if err := readFilters(&q, d); err != nil {
		return q, err
	}
	if err := s.checkOwed(ctx, q); err != nil {
		return q, err
	}
	if err := s.checkStream(ctx, q); err != nil {
		return q, err
	}

	if q.Limit = limit; d.Limit != "" {
		if q.Limit, err = count(d.Limit, maxRows); err != nil {
			return q, err
		}
	}

	if q.Person, err = s.pseudonym(ctx, name, d.Subject, d.Person); err != nil {
		return q, err
	}
	if err := s.wait(ctx, d.Min); err != nil {
		return q, err
	}

	if d.Cursor != "" {
		if err := readCursor(&q, d); err != nil {
			return q, err
		}
		return q, s.Ledger.Place(q.Known.At)
	}

	q.Known, q.At, err = s.moments(ctx, d.KnownAt, d.AsOf)
	return q, err
}

// checkStream refuses a stream that the app has not: that nothing is owed on it would
// be no answer to who misspelt it.
func (s *server) checkStream(ctx context.Context, q requests.Query) error {
	if q.Stream == "" {
		return nil
	}
	stream, err := ident.ParseStreamID(q.Stream)
	if err != nil || stream.App != q.App {
		return bad("stream: no stream of the app is named so; want one as answers have it, as in request-" +
			string(q.App) + "-0123456789abcdef")
	}
	for _, err := range s.Ledger.Stream(ctx, stream) {
		return err // there is one, or it cannot be read
	}
	return failure{plain(http.StatusNotFound, "stream: the app has no stream of that name")}
}

// checkOwed refuses a kind, a rule and an id by which nothing can be owed: that
// nothing is owed by it would be no answer.
func (s *server) checkOwed(ctx context.Context, q requests.Query) error {
	if q.Kind == "" && q.Rule == "" && q.ID == "" {
		return nil
	}

	ref, err := s.Ledger.App(ctx, q.App)
	if err != nil {
		return err
	}

	if kinds := ref.Policies.DutyKinds(); q.Kind != "" && !slices.Contains(kinds, q.Kind) {
		return bad("kind: nothing of that kind is owed under the app's policies; want one of " +
			strings.Join(words(kinds), ", "))
	}

	rules := ref.Policies.DutyRules(ref.Service.App.Jurisdiction)
	if q.Rule != "" && !slices.Contains(rules, q.Rule) {
		return bad("rule: no policy of the app has that rule, nor the law; want one of " +
			strings.Join(words(rules), ", "))
	}

	if q.ID != "" && !ref.Policies.MayOwe(q.ID, ref.Service.App.Jurisdiction) {
		return failure{plain(http.StatusNotFound,
			"id: no obligation of the app can have that id; want one as answers have it: its kind, what it is owed "+
				"for if anything, and its rule, as in reply."+string(rules[0]))}
	}
	return nil
}

// readFilters reads what can be read without asking anybody.
func readFilters(q *requests.Query, d DeadlineQuery) (err error) {
	if q.States, err = states(d.State); err != nil {
		return err
	}

	if d.Group != "" {
		lane, err := requests.ParseLane(d.Group)
		if err != nil {
			return bad("group: " + err.Error())
		}
		q.Lanes = []requests.Lane{lane}
	}

	if d.Type != "" {
		t, err := request.ParseType(d.Type)
		if err != nil {
			return bad("type: " + err.Error())
		}
		q.Type = t.String()
	}

	if q.Before, err = day("due_before", d.DueBefore); err != nil {
		return err
	}
	if q.After, err = day("due_after", d.DueAfter); err != nil {
		return err
	}
	if q.Before != 0 && q.After != 0 && q.Before <= q.After {
		return bad("due_before: is not after due_after")
	}
	if q.Provisional, err = choice("provisional", d.Provisional); err != nil {
		return err
	}

	binding, err := choice("binding", d.Binding)
	if q.Binding = binding == requests.Yes; err != nil {
		return err
	}

	switch q.Sort {
	case "", requests.ByDue, requests.ByOpened, requests.ByState:
		return nil
	}
	return bad("a report is sorted by due, opened or state")
}

// states reads a list of states. A name that is empty in it is none: left out, it
// would let all through.
func states(list string) (all []requests.State, err error) {
	if list == "" {
		return nil, nil
	}
	for _, name := range strings.Split(list, ",") {
		state, err := requests.ParseState(name)
		if err != nil {
			return nil, bad("state: " + err.Error())
		}
		all = append(all, state)
	}
	return all, nil
}

func day(name, text string) (deadline.Date, error) {
	if text == "" {
		return 0, nil
	}
	d, err := deadline.ParseDate(text)
	if err != nil {
		return 0, bad(name + ": " + err.Error())
	}
	return d, nil
}

func choice(name, text string) (requests.Choice, error) {
	switch text {
	case "":
		return requests.Either, nil
	case "true":
		return requests.Yes, nil
	case "false":
		return requests.No, nil
	}
	return 0, bad(name + " is true or false")
}

// nobody is a pseudonym that nobody has: whose owner is not known owes nothing.
const nobody = "-"

// pseudonym returns the log's name for whom a query is about; empty: anybody.
func (s *server) pseudonym(ctx context.Context, app ident.AppName, subject, person string) (string, error) {
	switch {
	case subject == "" && person == "":
		return "", nil
	case subject == "":
		p, err := vault.ParsePseudonym(person)
		if err != nil {
			return "", bad("person: is a pseudonym, as answers have it: 32 digits of 0-9 and a-f; an account or a " +
				"device is a subject")
		}
		return p.String(), nil
	case person != "":
		return "", bad("a query names a subject or a person, not both")
	}

	who, err := ident.ParsePersonKey(subject)
	if err != nil {
		return "", bad("subject: " + err.Error())
	}

	found, known, err := s.Ledger.Pseudonym(ctx, app, who)
	if err == nil && !known {
		found = nobody
	}
	return found, err
}

// moments reads which facts count, and at what moment they are judged.
func (s *server) moments(ctx context.Context, knownAt, asOf string) (k requests.Known, at deadline.Instant, err error) {
	at = s.Ledger.Now()
	if knownAt != "" {
		k.Past = true
		if at, k.At, err = s.knownAt(ctx, knownAt); err != nil {
			return k, 0, err
		}
		if k.At > 0 && s.Wait != nil {
			if err := s.waitFor(ctx, k.At); err != nil {
				return k, 0, err
			}
		}
	}

	if asOf != "" {
		if at, err = s.past("as_of", asOf); err != nil {
			return k, 0, err
		}
	}
	return k, at, nil
}

// A cursor says where the next page begins, and of what report: one that began
// goes on as it was, whatever happens in between.
type cursor struct {
	Place requests.Place      `json:"p"`
	At    deadline.Instant    `json:"a"`
	Known eventstore.Position `json:"n"`
	Of    string              `json:"o"` // a sum over what was asked
}

// asked sums up a query, but for its cursor and the size of its pages.
func asked(app ident.AppName, d DeadlineQuery) string {
	d.Cursor, d.Limit, d.Min, d.Format = "", "", "", ""
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %q", app, d)
	return fmt.Sprintf("%x", h.Sum64())
}

func formatCursor(q requests.Query, d DeadlineQuery, p requests.Place, asOf eventstore.Position) string {
	text, err := json.Marshal(cursor{p, q.At, asOf, asked(q.App, d)})
	if err != nil {
		panic("rest: a cursor does not make JSON: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func readCursor(q *requests.Query, d DeadlineQuery) error {
	var c cursor
	text, err := base64.RawURLEncoding.DecodeString(d.Cursor)
	if err == nil {
		err = json.Unmarshal(text, &c, json.RejectUnknownMembers(true))
	}
	if err != nil || c.Of != asked(q.App, d) {
		return bad("a cursor goes with the query whose page it came with: ask the same, or without it")
	}
	q.From, q.At, q.Known = c.Place, c.At, requests.Known{Past: true, At: c.Known}
	return nil
}
