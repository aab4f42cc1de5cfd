package rest

import (
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// A topic is a group of routes in the description. A route is in the group of the longest
// path that its own begins with.
type topic struct {
	name, says string
	paths      []string
}

// topics are all groups, in the order in which a newcomer meets them.
var topics = []topic{
	{"record", "What persons said, and what operators record", []string{
		"/v1/apps/{app}/events", "/v1/apps/{app}/operator", "/v1/groups",
	}},
	{"person", "Questions about one person: may we, what must we ask, where they stand and stood", []string{
		"/v1/apps/{app}/subjects", "/v1/apps/{app}/check", "/v1/apps/{app}/lawful", "/v1/apps/{app}/replay/diff",
		"/v1/apps/{app}/minors", "/v1/apps/{app}/tokens",
	}},
	{"consents", "How many persons stand where, and who", []string{
		"/v1/apps/{app}/consents", "/v1/apps/{app}/activity",
	}},
	{"policies", "Policies, their texts, and the screens that show them", []string{
		"/v1/apps/{app}/policies", "/v1/apps/{app}/surfaces", "/v1/apps/{app}/pictures", "/v1/blobs",
	}},
	{"deadlines", "What is owed by when, and the calendars that say so", []string{
		"/v1/apps/{app}/obligations", "/v1/apps/{app}/reports", "/v1/apps/{app}/feeds", "/v1/apps/{app}/calendars",
		"/v1/deadlines",
	}},
	{"cases", "Requests of persons, and incidents", []string{
		"/v1/apps/{app}/requests", "/v1/apps/{app}/incidents",
	}},
	{"erasure", "Erasure, and the proofs that are kept of who is erased", []string{
		"/v1/apps/{app}/subjects/erase", "/v1/apps/{app}/erasures", "/v1/apps/{app}/proofs",
	}},
	{"evidence", "The log, proofs, receipts, bundles and the audit report", []string{
		"/log", "/v1/replay", "/v1/apps/{app}/newest", "/v1/apps/{app}/export", "/v1/apps/{app}/receipts",
		"/v1/apps/{app}/verify", "/v1/apps/{app}/registers", "/v1/apps/{app}/reports/audit", "/v1/siem",
	}},
	{"approvals", "What takes two persons, and mistakes", []string{
		"/v1/apps/{app}/proposals", "/v1/apps/{app}/voids",
	}},
	{"webhooks", "Where apps are told what becomes of consents", []string{"/v1/apps/{app}/webhooks"}},
	{"apps", "Who may record", []string{"/v1/apps"}},
	{"access", "Keys, sessions, and whose they are", []string{"/v1/access"}},
	{"operation", "How the ledger does, what it could not take, backups and keys", []string{
		"/livez", "/readyz", "/healthz", "/v1/status", "/v1/alarms", "/v1/rejected", "/v1/replay/check", "/v1/backup",
		"/v1/vault", "/v1/apps/{app}/log",
	}},
	{"description", "What is sent and answered, and what errors mean", []string{
		"/asyncapi.json", "/v1/schemas", "/v1/errors",
	}},
}

// topicOf returns the group of a route; empty: it is in none.
func topicOf(path string) (name string) {
	longest := 0
	for _, t := range topics {
		for _, begin := range t.paths {
			rest, has := strings.CutPrefix(path, begin)
			if has && (rest == "" || rest[0] == '/') && len(begin) > longest {
				name, longest = t.name, len(begin)
			}
		}
	}
	return name
}

// describeTopics puts every route into its group, and describes the groups that have one.
func describeTopics(doc *huma.OpenAPI) {
	var used []string
	for path, item := range doc.Paths {
		for _, op := range operations(item) {
			if name := topicOf(path); name != "" {
				op.Tags = []string{name}
				used = append(used, name)
			}
		}
	}
	for _, t := range topics {
		if slices.Contains(used, t.name) {
			doc.Tags = append(doc.Tags, &huma.Tag{Name: t.name, Description: t.says})
		}
	}
}
