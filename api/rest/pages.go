package rest

import (
	"net/http"
	"net/url"

	"consentledger/api/lawfulness"

	"github.com/danielgtaylor/huma/v2"
)

// paged are the routes by GET whose answers come in pages, and the parameter that says
// where a page begins. Their answers say next.
var paged = map[string]string{
	"get-history": "after", "list-rejected": "after", "list-kept-proofs": "after",
	"list-obligations": "cursor", "report-deadlines": "cursor", "list-requests": "cursor",
	"list-incidents": "cursor", "list-opposed": "cursor", "get-lawful": "cursor",
}

// nextPage returns where the page after an answer begins; empty: there is none. Not ok: the
// answer is no page.
func nextPage(answer any) (next string, ok bool) {
	switch a := answer.(type) {
	case History:
		return a.Next, true
	case Obligations:
		return a.Next, true
	case Cases:
		return a.Next, true
	case OpposedAnswer:
		return a.Next, true
	case KeptProofs:
		return a.Next, true
	case RejectedList:
		return a.Next, true
	case lawfulness.Lawful:
		return a.Next, true
	}
	return "", false
}

// describePages says of a route whose answers come in pages that a header has their
// addresses, too.
func describePages(op *huma.Operation, method string) {
	if method != http.MethodGet || paged[op.OperationID] == "" {
		return
	}
	answer := op.Responses["200"]
	if answer.Headers == nil {
		answer.Headers = map[string]*huma.Param{}
	}
	answer.Headers["Link"] = &huma.Param{
		Description: `RFC 8288: rel="first" is the first page of the same list, rel="next" the next one; ` +
			"without next there is no more",
		Schema: &huma.Schema{Type: huma.TypeString},
	}
}

// linked says in a header where the pages of an answer are.
func linked(ctx huma.Context, _ string, answer any) (any, error) {
	parameter := paged[ctx.Operation().OperationID]
	next, is := nextPage(answer)
	if !is || parameter == "" {
		return answer, nil
	}
	for _, link := range links(parameter, ctx.URL(), next) {
		ctx.AppendHeader("Link", link)
	}
	return answer, nil
}

// links returns where the first page of a list and its next one are. Their addresses are
// those that were asked, without the name of the ledger: a proxy may give it another.
func links(parameter string, asked url.URL, next string) []string {
	to := func(rel, cursor string) string {
		query := asked.Query()
		query.Del(parameter)
		if cursor != "" {
			query.Set(parameter, cursor)
		}
		target := url.URL{Path: asked.Path, RawPath: asked.RawPath, RawQuery: query.Encode()}
		return "<" + target.String() + `>; rel="` + rel + `"`
	}

	all := []string{to("first", "")}
	if next != "" {
		all = append(all, to("next", next))
	}
	return all
}
