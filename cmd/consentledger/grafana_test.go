package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/telemetry"

	"github.com/goccy/go-yaml"
)

// A board is a dashboard of Grafana.
type board struct {
	UID        string
	Templating struct {
		List []struct {
			Query      string
			Datasource source
		}
	}
	Panels []struct {
		Title   string
		Targets []struct {
			Datasource   source
			Expr, RawSQL string
			LegendFormat string
		}
	}
}

type source struct{ UID string }

// boards reads every dashboard.
func boards(t *testing.T) (all []board) {
	t.Helper()
	files, err := filepath.Glob("../compose/grafana/dashboards/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var b board
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, b)
	}
	return all
}

// An alert is a rule of Grafana.
type alert struct {
	UID, Title, For, Condition string
	Labels, Annotations        map[string]string
	Data                       []struct {
		RefID         string `yaml:"refId"`
		DatasourceUID string `yaml:"datasourceUid"`
		Model         struct {
			Expr, Expression, Type string
			Conditions             []struct {
				Evaluator struct {
					Type   string
					Params []float64
				}
			}
		}
	}
}

// alerts reads every alert, each of which fires while its expression is above 0.
func alerts(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile("../compose/grafana/provisioning/alerting/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) < 10 {
		t.Fatalf("%d groups", len(file.Groups))
	}
	for _, a := range file.Groups[0].Rules {
		if len(a.Data) != 2 || a.Data[0].DatasourceUID != "prometheus" || a.Data[1].DatasourceUID != "__expr__" ||
			a.Data[1].Model.Expression != a.Data[0].RefID || a.Condition != a.Data[1].RefID || a.Data[1].Model.Type != "threshold" {
			t.Fatalf("%s is not a query and a threshold", a.UID)
		}
		if e := a.Data[1].Model.Conditions[0].Evaluator; e.Type != "gt" || !slices.Equal(e.Params, []float64{0}) {
			t.Fatalf("%s fires %s %v: want above 0", a.UID, e.Type, e.Params)
		}
		if regexp.MustCompile(`(^|[^$])\$[a-z]`).MatchString(a.Annotations["summary"]) {
			t.Errorf("%s: Grafana takes $ for a variable of its environment: %s", a.UID, a.Annotations["summary"])
		}
	}
	return file.Groups[0].Rules
}

// Every metric, label and value that a panel or an alert names is one that there is.
func TestDashboardsAndAlertsAskForMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	asked := map[string][]string{} // an expression, and where it stands
	for _, b := range boards(t) {
		for _, p := range b.Panels {
			for _, target := range p.Targets {
				if target.Datasource.UID == "prometheus" {
					asked[strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")] = []string{p.Title, target.LegendFormat}
				}
			}
		}
	}
	for _, a := range alerts(t) {
		asked[a.Data[0].Model.Expr] = []string{a.Title, a.Annotations["summary"]}
	}
	if len(asked) < 30 {
		t.Fatalf("there are %d expressions", len(asked))
	}
	var lines []string
	for expr := range asked {
		lines = append(lines, expr)
	}
	var read []struct {
		Text      string
		Selectors []struct {
			Metric string
			Labels map[string][]string
		}
		Grouped []string
	}
	deployTool(t, strings.Join(lines, "\n"), &read, "promql")

	there := families(t)
	used := map[string]bool{}
	for _, e := range read {
		labels := map[string][]string{"instance": nil, "job": {"consentledger", "collector"}}
		for _, s := range e.Selectors {
			own, known := there[s.Metric]
			if !known {
				t.Errorf("%v: there is no metric %s", asked[e.Text], s.Metric)
			}
			used[s.Metric] = true
			for name, values := range own {
				labels[name] = values
			}
			for name, values := range s.Labels {
				checkLabel(t, asked[e.Text], labels, name, values...)
			}
		}
		for _, name := range e.Grouped {
			checkLabel(t, asked[e.Text], labels, name)
		}
		for _, name := range regexp.MustCompile(`\{\{ ?(?:\$\$labels\.)?([a-z_]+) ?\}\}`).FindAllStringSubmatch(asked[e.Text][1], -1) {
			checkLabel(t, asked[e.Text], labels, name[1])
		}
	}
	for metric := range there {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(metric, "")
		if !used[base] && !used[base+"_bucket"] && !used[base+"_sum"] && !used[base+"_count"] {
			t.Errorf("no panel shows %s", metric)
		}
	}
}

func checkLabel(t *testing.T, where []string, labels map[string][]string, name string, values ...string) {
	t.Helper()
	may, known := labels[name]
	if !known {
		t.Errorf("%v: there is no label %s here", where, name)
	}
	for _, v := range values {
		if may != nil && !slices.Contains(may, v) {
			t.Errorf("%v: %s is never %q, but %v", where, name, v, may)
		}
	}
}

// families returns the series that there may be, with their labels and the values of
// these: every metric of the program, under the name that a running ledger gives it.
func families(t *testing.T) map[string]map[string][]string {
	t.Helper()
	r := startWith(t, server.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Telemetry: telemetry.Config{Prometheus: true}})
	furnish(t, r)
	for id := range 2 {
		body := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"test","type":"consent.given","subject":"ada","data":{"act":"agree-popup","locale":"en"}}`, id)
		post(t, r, "/v1/apps/smartkey/events", "", []byte(body))
	}
	named := regexp.MustCompile(`(?m)^# HELP (consentledger_[a-z_]+) (.*)$`)
	all := map[string]map[string][]string{"up": {}}
	found := map[string]bool{}
	eventually(t, "all", func() string {
		for _, line := range named.FindAllStringSubmatch(scrape(t, r), -1) {
			at := slices.IndexFunc(telemetry.Metrics, func(m *telemetry.Metric) bool { return m.Text == line[2] })
			if at >= 0 {
				found[telemetry.Metrics[at].Name] = true
				add(all, line[1], telemetry.Metrics[at])
			}
		}
		for _, m := range telemetry.Metrics {
			if !found[m.Name] && m != telemetry.RebuildProgress && m != telemetry.Rejected {
				return m.Name
			}
		}
		return "all"
	})
	// These two are there once something happened that here does not.
	add(all, "consentledger_rebuild_progress_ratio", telemetry.RebuildProgress)
	add(all, "consentledger_rejected_total", telemetry.Rejected)
	return all
}

func add(all map[string]map[string][]string, name string, m *telemetry.Metric) {
	labels := map[string][]string{}
	if m.Label != "" {
		labels[m.Label] = m.Values
	}
	if m.Kind != telemetry.Histogram {
		all[name] = labels
		return
	}
	all[name+"_sum"], all[name+"_count"] = labels, labels
	with := map[string][]string{"le": nil}
	for name, values := range labels {
		with[name] = values
	}
	all[name+"_bucket"] = with
}

// Every table and column that a panel asks for is there: the questions are asked of the
// tables of a running ledger, in both places where these may be. In PostgreSQL they are
// asked as Grafana asks them, by the user that the deployment makes for it.
func TestDashboardsAskForTablesThatThereAre(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		dir := t.TempDir()
		r := start(t, dir, false)
		db := openTables(t, "sqlite", filepath.Join(dir, "views", "consents.sqlite"))
		if _, err := db.Exec("ATTACH ? AS requests", filepath.Join(dir, "views", "requests.sqlite")); err != nil {
			t.Fatal(err)
		}
		askAsDashboards(t, r, db)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		pg := deployedDatabase(t, filepath.Join(deployment(t), "secrets"))
		as := func(user string) string { return pg.Address("consentledger") + " user=" + user }
		r := startWith(t, server.Config{
			Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0",
			Views: as("ledger"), ViewsRole: "dashboards",
		})
		askAsDashboards(t, r, openTables(t, "pgx", as("dashboards")))
	})
}

// openTables opens the tables of a ledger, by one connection.
func openTables(t *testing.T, driver, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

// askAsDashboards asks the tables of a ledger all that the panels ask.
func askAsDashboards(t *testing.T, r *running, db *sql.DB) {
	t.Helper()
	furnish(t, r)
	for _, args := range [][]string{
		{"record", "--app", "smartkey", "--type", "consent.given", "--subject", "ada", "--data", `{"act":"agree-popup","locale":"en"}`},
		{"request", "open", "--app", "smartkey", "--subject", "ada", "--types", "access", "--channel", "app"},
	} {
		if out, err := cli(t, r, args...); err != nil {
			t.Fatal(out, err)
		}
	}
	eventually(t, "there", func() string {
		var there bool
		err := db.QueryRow("SELECT (SELECT count(*) FROM requests) > 0 AND (SELECT count(*) FROM consent_counts) > 0").Scan(&there)
		if there {
			return "there"
		}
		return fmt.Sprint("not yet: ", err)
	})

	questions, answered := 0, 0
	ask := func(where, question string) {
		t.Helper()
		questions++
		if strings.Contains(question, "$") {
			t.Errorf("%s has a variable that is not the app: %s", where, question)
		}
		rows, err := db.Query(question)
		if err != nil {
			t.Errorf("%s: %v: %s", where, err, question)
			return
		}
		defer rows.Close()
		if rows.Next() {
			answered++
		}
		if err := rows.Err(); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	for _, b := range boards(t) {
		for _, v := range b.Templating.List {
			ask(b.UID, v.Query)
		}
		for _, p := range b.Panels {
			for _, target := range p.Targets {
				switch target.Datasource.UID {
				case "ledger-sql":
					ask(p.Title, strings.ReplaceAll(target.RawSQL, "$app", "smartkey"))
				case "prometheus":
				default:
					t.Errorf("%s has the source %q, which is not provisioned", p.Title, target.Datasource.UID)
				}
			}
		}
	}
	if questions < 10 || answered < 7 {
		t.Errorf("%d questions were asked, and %d had an answer", questions, answered)
	}
}

// Prometheus' own tool evaluates every alert: it fires when it has to, and only then.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	const quiet = `
  - {series: 'up{job="consentledger", instance="ledger1:8080"}', values: '1x30'}
  - {series: 'up{job="consentledger", instance="ledger:8080"}', values: '0x30'}
  - {series: 'up{job="collector", instance="collector:8888"}', values: '1x30'}
  - {series: 'consentledger_obligations{state="overdue"}', values: '0x30'}
  - {series: 'consentledger_obligations{state="at-risk"}', values: '0x30'}
  - {series: 'consentledger_rejected_unseen', values: '0x30'}
  - {series: 'consentledger_projection_stopped{instance="ledger1:8080", projection="consents"}', values: '0x30'}
  - {series: 'consentledger_projection_lag_seconds{instance="ledger1:8080", projection="consents"}', values: '2x30'}
  - {series: 'consentledger_checkpoint_lag_seconds', values: '2x30'}
  - {series: 'consentledger_followup_lag_seconds', values: '2x30'}
  - {series: 'consentledger_turn{instance="ledger1:8080", work="intake"}', values: '1x30'}
  - {series: 'consentledger_turn{instance="ledger2:8080", work="intake"}', values: '0x30'}
  - {series: 'consentledger_intake_lag_seconds', values: '2x30'}
  - {series: 'consentledger_append_duration_seconds_count{outcome="failed"}', values: '0x30'}
  - {series: 'consentledger_disk_free_bytes{instance="ledger1:8080"}', values: '1000000x30'}
  - {series: 'consentledger_disk_reserve_bytes{instance="ledger1:8080"}', values: '1000x30'}
`
	firing := map[string]string{ // and what makes it fire, in place of the line above
		"ledger-none":        `up{job="consentledger", instance="ledger1:8080"}: 1x5 0x30`,
		"ledger-gone":        `up{job="consentledger", instance="ledger1:8080"}: 1x5 0x30`,
		"obligation-overdue": `consentledger_obligations{state="overdue"}: 3x30`,
		"obligation-at-risk": `consentledger_obligations{state="at-risk"}: 3x30`,
		"rejected-unseen":    `consentledger_rejected_unseen: 1x30`,
		"projection-stopped": `consentledger_projection_stopped{instance="ledger1:8080", projection="consents"}: 1x30`,
		"projection-behind":  `consentledger_projection_lag_seconds{instance="ledger1:8080", projection="consents"}: 301x30`,
		"checkpoint-behind":  `consentledger_checkpoint_lag_seconds: 301x30`,
		"followup-behind":    `consentledger_followup_lag_seconds: 301x30`,
		"intake-behind":      `consentledger_intake_lag_seconds: 61x30`,
		"append-failing":     `consentledger_append_duration_seconds_count{outcome="failed"}: 0+1x30`,
		"disk-full":          `consentledger_disk_free_bytes{instance="ledger1:8080"}: 1999x30`,
		"nobodys-turn":       `consentledger_turn{instance="ledger1:8080", work="intake"}: 1x5 0x30`,
		"collector-gone":     `up{job="collector", instance="collector:8888"}: 0x30`,
	}

	dir := t.TempDir()
	rules, tests := "groups:\n- name: consentledger\n  rules:\n", "rule_files: [rules.yaml]\ntests:\n"
	for _, a := range alerts(t) {
		rules += fmt.Sprintf("  - {alert: %s, for: %s, expr: '(%s) > 0'}\n", a.UID, a.For, a.Data[0].Model.Expr)
		series, value, has := strings.Cut(firing[a.UID], ": ")
		if !has {
			t.Fatalf("nothing makes %s fire", a.UID)
		}
		delete(firing, a.UID)
		bad := regexp.MustCompile(`(?m)^.*`+regexp.QuoteMeta(series)+`'.*$`).ReplaceAllLiteralString(quiet,
			fmt.Sprintf("  - {series: '%s', values: '%s'}", series, value))
		if bad == quiet {
			t.Fatalf("%s: there is no series %s", a.UID, series)
		}
		tests += oneAlert(a.UID, quiet, 0) + oneAlert(a.UID, bad, 1)
	}
	if len(firing) > 0 {
		t.Errorf("there are no alerts %v", firing)
	}
	for name, text := range map[string]string{"rules.yaml": rules, "tests.yaml": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), "promtool", "test", "rules", filepath.Join(dir, "tests.yaml"))
	out, err := c.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("SUCCESS")) {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// oneAlert is a test of promtool: how many alerts of that name fire after 20 minutes.
func oneAlert(uid, series string, firing int) string {
	expr := fmt.Sprintf(`count(ALERTS{alertname="%s", alertstate="firing"}) or vector(0)`, uid)
	return fmt.Sprintf("- name: %s\n  interval: 1m\n  input_series:%s  promql_expr_test:\n  - {expr: '%s', eval_time: 20m, exp_samples: [{labels: '{}', value: %d}]}\n",
		uid, series, expr, firing)
}
