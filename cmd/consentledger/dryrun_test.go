package main

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// asks are the operations that are no GET and change nothing but that somebody asked.
var asks = []string{
	"check-many", "check-projections", "compute-deadline", "diff-person", "diff-policies", "export", "list-minors",
	"make-receipt", "preview-void", "query-consents", "query-history", "query-incidents", "query-lawful",
	"query-obligations", "query-prompt", "query-replay", "query-report-deadlines", "query-requests", "query-state",
	"report-late-withdrawals", "reveal-request", "verify", "who-consented",
}

// Whoever adds a command decides whether it has a dry run: the description says it, or why
// not, and the route answers so.
func TestEveryCommandHasADryRunOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	r := start(t, t.TempDir(), false)
	furnish(t, r)
	resp, err := http.Get(r.http + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID, Description string
			Parameters               []struct{ Name string }
			RequestBody              any
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}

	commands := 0
	for path, item := range doc.Paths {
		for method, op := range item {
			method = strings.ToUpper(method)
			if method == http.MethodGet {
				continue
			}
			has := slices.ContainsFunc(op.Parameters, func(p struct{ Name string }) bool { return p.Name == "dry_run" })
			_, why, hasNot := strings.Cut(op.Description, "It has no dry run: ")
			question := slices.Contains(asks, op.OperationID)
			if !has && !hasNot && !question || has && hasNot || question && (has || hasNot) {
				t.Errorf("%s %s (%s): it is foretold %v, says why not %v, is a question %v: one of them is so", method, path,
					op.OperationID, has, hasNot, question)
			}
			if has || question {
				continue
			}

			commands++
			place := strings.NewReplacer("{app}", "smartkey", "{seq}", "1").Replace(path)
			req, err := http.NewRequest(method, r.http+regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(place, "x")+"?dry_run", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			var p struct{ Detail string }
			unauthenticated := resp.StatusCode == http.StatusConflict // nobody has keys or sessions here
			if err != nil || json.Unmarshal(answer, &p) != nil || !unauthenticated &&
				(resp.StatusCode != http.StatusBadRequest || !strings.Contains(p.Detail, strings.TrimSuffix(why, "."))) {
				t.Errorf("%s %s: %d %s, want %s", method, path, resp.StatusCode, answer, why)
			}
		}
	}
	if commands < 10 {
		t.Errorf("%d commands say that they have no dry run", commands)
	}
}
