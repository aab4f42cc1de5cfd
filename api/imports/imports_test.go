package imports_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/api/imports"
	"consentledger/api/wire/parse"
	"consentledger/domain/ident"
)

const mapping = `schema: import/1
from: oldshop
format: csv
subject: user
purpose: {column: list, values: {News: newsletter, Ads: ads}, list_separator: "|"}
decision: {column: state, values: {"yes": given, "no": refused, out: withdrawn, "?": skip}}
time: {column: when, zone: Europe/Berlin}
act: {constant: tick}
evidence: [form, ip]
`

func parsed(t *testing.T, text string) imports.Mapping {
	t.Helper()
	m, err := imports.ParseMapping("m.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// looked returns what is to be recorded of a file, and what is wrong with it.
func looked(t *testing.T, m imports.Mapping, text string, file imports.File) (plan *imports.Plan, events []map[string]any, wrong []string) {
	t.Helper()
	nobody := func(subject string) bool { return subject == "account:erased" }
	plan, err := m.Look(strings.NewReader(text), int64(len(text)), file, nobody, func(p imports.Problem) error {
		wrong = append(wrong, p.Error())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for len(events) < plan.Events() {
		batch, err := plan.Batch(len(events), 2, 1<<20)
		if err != nil || len(batch) == 0 {
			t.Fatalf("%d of %d: %v", len(events), plan.Events(), err)
		}
		for _, e := range batch {
			if _, err := parse.Event("demo", e.JSON); err != nil {
				t.Errorf("%s: %v", e.JSON, err)
			}
			var event map[string]any
			if err := json.Unmarshal(e.JSON, &event); err != nil {
				t.Fatal(err)
			}
			events = append(events, event)
		}
	}
	return plan, events, wrong
}

// Each person's oldest answer comes first, whatever the order of the file, and every
// event says that it is imported, with the proof as it was found.
func TestRowsBecomeEventsInTheOrderInWhichTheyWereSaid(t *testing.T) {
	text := "\ufeffuser,list,state,when,form,ip\n" +
		"u1,News,out,2025-03-01T10:00:00Z,,\n" +
		"u2,News|Ads,no,2024-03-02 10:00:00,\"a \"\"b\"\",\nc\",\n" +
		"u1,News,yes,2024-03-01,footer,192.0.2.1\n" +
		"u3,News,?,,,\n" +
		"erased,News,yes,2024-03-01,,\n"
	plan, events, wrong := looked(t, parsed(t, mapping), text, imports.File{FilteredBy: "operator:ann"})
	if len(wrong) > 0 || plan.Rows != 5 || plan.Skipped != 2 {
		t.Fatalf("%d rows, %d skipped, wrong: %v", plan.Rows, plan.Skipped, wrong)
	}
	var said []string
	for _, e := range events {
		data := e["data"].(map[string]any)
		said = append(said, fmt.Sprint(e["type"], e["subject"], e["time"], data["purposes"], data["import"], data["filtered_by"], data["act"]))
	}
	want := []string{
		"consent.givenaccount:u12024-02-29T23:00:00Z[newsletter] trueoperator:anntick",
		"consent.refusedaccount:u22024-03-02T09:00:00Z[newsletter ads] <nil> <nil> <nil>",
		"consent.withdrawnaccount:u12025-03-01T10:00:00Z[newsletter] <nil> <nil> <nil>",
	}
	if !slices.Equal(said, want) {
		t.Errorf("got  %q\nwant %q", said, want)
	}
	origin := events[1]["data"].(map[string]any)["details"].(map[string]any)["imported"].(map[string]any)
	if origin["from"] != "oldshop" || origin["row"] != 2.0 || origin["evidence"].(map[string]any)["form"] != "a \"b\",\nc" {
		t.Errorf("%v", origin)
	}
}

// The same file gives the same events; a row with an id of its own gives the same
// event in another file, too.
// Spreadsheets put a mark before a quoted head, and other signs between the columns.
func TestFilesOfSpreadsheetsAreRead(t *testing.T) {
	m := parsed(t, strings.Replace(mapping, "format: csv", "format: csv\nseparator: \";\"", 1))
	text := "\ufeff\"user\";\"list\";\"state\";\"when\";\"form\";\"ip\"\r\nu-1;News;yes;2024-03-01T10:00:00Z;a;b\r\nu-2;Ads;no;2024-03-02T10:00:00Z;a;b\r\n"
	_, events, wrong := looked(t, m, text, imports.File{})
	if len(events) != 2 || len(wrong) > 0 || events[1]["subject"] != "account:u-2" {
		t.Errorf("%v %v", events, wrong)
	}

	for text, want := range map[string]string{
		"":                          "has no head",
		"\"user\";list\n":           `between the columns is ','`,
		"user;list;state;when\nu-1": `has 1 other names, with ',' between them`,
	} {
		m := parsed(t, mapping)
		_, err := m.Look(strings.NewReader(text), int64(len(text)), imports.File{}, func(string) bool { return false }, func(imports.Problem) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAnIDIsTheSameEveryTime(t *testing.T) {
	own := mapping + "id: nr\n"
	head := "nr,user,list,state,when,form,ip\n"
	a, b := head+"1,u1,News,yes,2024-03-01,,\n", head+"2,u2,News,yes,2024-03-01,,\n1,u1,News,yes,2024-03-01,,\n"
	_, first, _ := looked(t, parsed(t, own), a, imports.File{Hash: [32]byte{1}})
	_, second, _ := looked(t, parsed(t, own), b, imports.File{Hash: [32]byte{2}})
	if one, two := fmt.Sprint(first[0]), fmt.Sprint(second[1]); one != two || first[0]["id"] != "import:oldshop:1" {
		t.Errorf("%s\n%s", one, two)
	}
	_, _, wrong := looked(t, parsed(t, own), head+"1,u1,News,yes,2024-03-01,,\n1,u2,News,yes,2024-03-01,,\n,u2,News,yes,2024-03-01,,\n", imports.File{})
	if !slices.Equal(wrong, []string{"row 2, column nr: row 1 has the same id", "row 3, column nr: the row has no id"}) {
		t.Errorf("%q", wrong)
	}
	_, events, _ := looked(t, parsed(t, mapping), strings.Replace(a[3:], "1,u1", "u1", 1), imports.File{Hash: [32]byte{1}})
	if id := events[0]["id"].(string); !strings.HasPrefix(id, "import:sha256:01") || !strings.HasSuffix(id, ":1") {
		t.Errorf("id %s", id)
	}
}

// What is wrong is told by row and column, and never what stands there.
func TestWhatIsWrongIsToldWithoutRepeatingIt(t *testing.T) {
	const secret = "ann@example.org"
	known := &imports.Known{Purposes: []string{"newsletter"}, Acts: []string{"tick"}, First: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC),
		Now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	for line, want := range map[string]string{
		secret + ",News,yes,2024-03-02,,":              "row 1, column user: a person's id is",
		"u1," + secret + ",yes,2024-03-02,,":           "row 1, column list: purpose has a value that the mapping does not name",
		"u1,News," + secret + ",2024-03-02,,":          "row 1, column state: decision has a value",
		"u1,News,yes," + secret + ",,":                 "row 1, column when: the time cannot be read",
		"u1,News,yes,,,":                               "row 1, column when: the row does not say when",
		",News,yes,2024-03-02,,":                       "row 1, column user: the row does not say who",
		"u1,,yes,2024-03-02,,":                         "row 1, column list: the row does not say to what",
		"u1,News,yes":                                  "row 1: it has 3 columns",
		"u1,News,yes,2024-03-02,\"" + secret + "x\"y,": "row 1: line 2 is no row of CSV",
		"u1,Ads,yes,2024-03-02,,":                      "row 1, column list: no version of a policy declares this purpose",
		"u1,News,yes,2023-03-02,,":                     "row 1, column when: the consent is from before the first version",
		"u1,News,yes,2026-03-02,,":                     "row 1, column when: the consent is from a time that is still to come",
		"u1,News,yes,2026-03-01T00:59:00Z,,":           "",
		"u1,News,out,2031-03-02,,":                     "",
		"u1,News,yes,2024-03-31 02:30:00,,":            "row 1, column when: the clocks of zone did not show this time",
		"u1,News,yes,2024-03-31T02:30:00+02:00,,":      "",
		"u1,News,yes,2024-10-27 02:30:00,,":            "",
		"u1,News,out,2023-03-02,,":                     "",
		"u1,News,yes,2024-03-02,,":                     "",
	} {
		_, events, wrong := looked(t, parsed(t, mapping), "user,list,state,when,form,ip\n"+line+"\n", imports.File{Known: known})
		got := strings.Join(wrong, "; ")
		if !strings.HasPrefix(got, want) || want == "" && got != "" || strings.Contains(got, secret) || len(events)+len(wrong) != 1 {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// A day begins, also where the clocks are set forward at midnight; a layout that has an
// offset is exact.
func TestADayHasABeginningEverywhere(t *testing.T) {
	for layout, want := range map[string]string{
		`"02.01.2006"`:             "2018-11-04T02:00:00Z",
		`"02.01.2006 15:04"`:       "the clocks of zone did not show this time",
		`"02.01.2006 15:04 -0700"`: "2018-11-03T23:30:00Z",
	} {
		text := strings.NewReplacer("02.01.2006", "04.11.2018", "15:04", "00:30", "-0700", "+0100", `"`, "").Replace(layout)
		m := parsed(t, strings.Replace(mapping, "zone: Europe/Berlin", "zone: America/Sao_Paulo, layout: "+layout, 1))
		_, events, wrong := looked(t, m, "user,list,state,when,form,ip\nu1,News,yes,"+text+",,\n", imports.File{})
		got := strings.Join(wrong, "")
		for _, e := range events {
			got += e["time"].(string)
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestNDJSONHasMembersOfMembersAndListsAndColumnsForPurposes(t *testing.T) {
	m := parsed(t, `{schema: import/1, from: cmp, format: ndjson, subject: {column: user.id, prefix: "device:"}, time: {column: at, layout: unix},
  decisions: {ads: {column: choices.ads, values: {"true": given, "false": refused}}, news: {column: choices.news, values: {"true": given, "false": refused}}}, act: {constant: tick}}`)
	text := `{"user":{"id":"d1"},"at":1709287200,"choices":{"ads":false,"news":true}}` + "\n\n" +
		`{"user":{"id":"d2"},"at":"1709287200","choices":{"news":false}}` + "\n" + `[1]` + "\n" + `{"user":{"id":"d3"},"at":1.5,"choices":{"news":true}}`
	_, events, wrong := looked(t, m, text, imports.File{})
	var said []string
	for _, e := range events {
		said = append(said, fmt.Sprint(e["subject"], e["type"], e["data"].(map[string]any)["purposes"], e["id"].(string)[79:]))
	}
	if !slices.Equal(said, []string{"device:d1consent.refused[ads]1/ads", "device:d1consent.given[news]1/news", "device:d2consent.refused[news]2/news"}) {
		t.Errorf("%q", said)
	}
	if !slices.Equal(wrong, []string{"row 3: the line is no JSON object", "row 4, column at: the time cannot be read"}) {
		t.Errorf("%q", wrong)
	}
}

// A table says whose account an address is.
func TestATableNamesTheAccount(t *testing.T) {
	m := parsed(t, strings.Replace(mapping, "subject: user", "subject: {column: user, table: accounts.csv}", 1))
	table, err := imports.Table(strings.NewReader("email,account\nann@example.org,u-7\n"))
	if err != nil {
		t.Fatal(err)
	}
	file := imports.File{Tables: map[string]map[string]string{"accounts.csv": table}}
	_, events, wrong := looked(t, m, "user,list,state,when,form,ip\nann@example.org,News,yes,2024-03-02,,\nbob@example.org,News,yes,2024-03-02,,\n", file)
	if len(events) != 1 || events[0]["subject"] != "account:u-7" || !slices.Equal(wrong, []string{"row 2, column user: the table has no row for this person"}) {
		t.Errorf("%v %q", events, wrong)
	}
	if _, err := imports.Table(strings.NewReader("a,b,c\n1,2,3\n")); err == nil {
		t.Error("three columns are a table")
	}
}

func TestAMappingThatSaysTooLittleIsRefused(t *testing.T) {
	for change, want := range map[string]string{
		"schema: import/1>schema: import/2":            "m.yaml: schema: want import/1",
		"from: oldshop>from: Old Shop":                 "from: name the system",
		"format: csv>format: xlsx":                     "format: want csv or ndjson",
		"subject: user>subject: {constant: u1}":        "subject: name the column",
		"subject: user>subjekt: user":                  `m.yaml: there is no "subjekt" here, but: subject, schema, `,
		"{constant: tick}>{constant: tick, klon: 1}":   `m.yaml: act: there is no "klon" here, but: column, `,
		"{constant: tick}>{constant: tick, column: a}": "act: a column or a constant",
		"out: withdrawn>out: gone":                     "decision.values: a decision is one of given, refused, withdrawn, skip",
		"zone: Europe/Berlin>zone: Berlin":             "time: zone: is a name",
		"evidence: [form, ip]>evidence: form":          "/evidence does not fit",
		"zone: Europe/Berlin>zone: Local":              "time: zone: is a name",
		"zone: Europe/Berlin>layout: 2006-01-02 15:04": "time: layout: it has no offset",
		"zone: Europe/Berlin>layout: 02 Jan 2006 MST":  "time: layout: an abbreviation",
		"format: csv>format: csv\nseparator: '\"'":     "separator: one character",
		"format: csv>format: csv\nseparator: tab":      "separator: one character",
		"purpose: {column: list>purpose: {colum: list": `purpose: there is no "colum" here, but: column, `,
		"time: {>when: {":                              `there is no "when" here, but: `,
	} {
		from, to, _ := strings.Cut(change, ">")
		if _, err := imports.ParseMapping("m.yaml", []byte(strings.Replace(mapping, from, to, 1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", change, err, want)
		}
	}
	m := parsed(t, mapping)
	_, err := m.Look(strings.NewReader("user,state\n"), 11, imports.File{}, func(string) bool { return false }, nil)
	if err == nil || !strings.Contains(err.Error(), "the file has no column") || strings.Contains(err.Error(), "state,") {
		t.Errorf("a file without the columns: %v", err)
	}
}

// The presets read what their systems export: members as their documentation names
// them.
func TestThePresetsReadWhatTheirSystemsExport(t *testing.T) {
	for name, c := range map[string]struct{ row, change, want string }{
		"fides": {`{"id":"pri_1","external_id":"u-1","email":null,"request_timestamp":"2024-03-01T10:00:00.000000+00:00","privacy_notice_history_id":"pri_n1","preference":"opt_in","method":"button","url_recorded":"https://shop.example/","affected_system_status":{}}`,
			"values: {}>values: {pri_n1: newsletter}", "consent.given account:u-1 import:fides:pri_1"},
		"mailchimp": {`{"id":"0cc1","contact_id":"c-1","status":"unsubscribed","timestamp_opt":"2020-01-01T00:00:00+00:00","last_changed":"2024-03-01T10:00:00+00:00","ip_opt":"192.0.2.1"}`,
			">", "consent.withdrawn account:c-1 import:sha256:"},
		"salesforce": {"Id,PartyId,DataUsePurposeId,ContactPointType,PrivacyConsentStatus,CaptureDate,CaptureSource,CaptureContactPointType,DoubleConsentCaptureDate,EffectiveFrom,EffectiveTo\n" +
			"0ZY000000000001AAA,0PK000000000001AAA,0ZW000000000001AAA,Email,OptIn,2024-03-01T10:00:00.000Z,shop,Web,,,",
			"values: {}>values: {0ZW000000000001AAA: newsletter}", "consent.given account:u-1 import:salesforce:0ZY000000000001AAA"},
		"onetrust": {`{"id":"f2229953-b4b5-4042-8cb9-b78038cc4c46","identifier":"ada@example.com","name":"Marketing Communications","version":2,"status":"HARD_OPT_OUT","firstTransactionDate":"2020-01-05T11:34:30.974Z","consentDate":"2020-01-05T11:34:30.974Z","lastTransactionDate":"2024-03-01T10:00:00Z","lastReceiptId":"057f47e6-dc7a-47da-a1d3-5b17b5c75e54","source":{"sourceType":"WEB","sourceContent":"https://shop.example/"}}`,
			"values: {}>values: {Marketing Communications: newsletter}", "consent.withdrawn account:u-1 import:sha256:"},
		"hubspot": {`{"channel":"EMAIL","source":"SUBSCRIPTION_PAGE","status":"UNSUBSCRIBED","subscriberIdString":"ada@example.com","subscriptionId":123,"subscriptionName":"Newsletter","timestamp":"2024-03-01T10:00:00Z"}`,
			"values: {}>values: {Newsletter: newsletter}", "consent.withdrawn account:u-1 import:sha256:"},
	} {
		text, has := imports.Preset(name)
		if !has {
			t.Fatalf("no preset %s", name)
		}
		from, to, _ := strings.Cut(c.change, ">")
		m := parsed(t, strings.Replace(string(text), from, to, 1))
		_, events, wrong := looked(t, m, c.row+"\n", imports.File{Tables: map[string]map[string]string{
			"accounts.csv": {"0PK000000000001AAA": "u-1", "ada@example.com": "u-1"},
		}})
		if len(wrong) > 0 || len(events) != 1 {
			t.Errorf("%s: %v %q", name, events, wrong)
			continue
		}
		e := events[0]
		if got := fmt.Sprint(e["type"], " ", e["subject"], " ", e["id"]); !strings.HasPrefix(got, c.want) || e["time"] != "2024-03-01T10:00:00Z" {
			t.Errorf("%s: %s at %v", name, got, e["time"])
		}
	}
	if got := imports.Presets(); !slices.Equal(got, []string{"fides", "hubspot", "mailchimp", "onetrust", "salesforce"}) {
		t.Errorf("presets: %v", got)
	}
}

// OneTrust dates a consent by itself, and what nobody said is left out; a status that the
// mapping does not name is told.
func TestThePresetOfOneTrustTakesOnlyWhatWasSaid(t *testing.T) {
	text, _ := imports.Preset("onetrust")
	m := parsed(t, strings.Replace(string(text), "values: {}", "values: {News: newsletter}", 1))
	row := func(status string) string {
		return `{"identifier":"ada@example.com","name":"News","status":"` + status +
			`","consentDate":"2023-01-01T10:00:00.123Z","lastTransactionDate":"2024-03-01T10:00:00Z"}` + "\n"
	}
	plan, events, wrong := looked(t, m, row("ACTIVE")+row("NO_CONSENT")+row("EXPIRED")+row("EXTEND"), imports.File{
		Tables: map[string]map[string]string{"accounts.csv": {"ada@example.com": "u-1"}},
	})
	if plan.Rows != 4 || len(events) != 1 || events[0]["type"] != "consent.given" || events[0]["time"] != "2023-01-01T10:00:00.123Z" {
		t.Errorf("%d rows, %v", plan.Rows, events)
	}
	if !slices.Equal(wrong, []string{"row 4, column status: decision has a value that the mapping does not name"}) {
		t.Errorf("%q", wrong)
	}
}

// An offset stands with a colon, as RFC 3339 has it, or without, as Salesforce's queries do.
func TestAnOffsetMayHaveNoColon(t *testing.T) {
	m := parsed(t, mapping)
	for _, when := range []string{"2024-03-01T12:00:00.000+0200", "2024-03-01T10:00:00+00:00", "2024-03-01T10:00:00Z"} {
		_, events, wrong := looked(t, m, "user,list,state,when,form,ip\nu1,News,yes,"+when+",,\n", imports.File{})
		if len(wrong) > 0 || len(events) != 1 || events[0]["time"] != "2024-03-01T10:00:00Z" {
			t.Errorf("%s: %v %v", when, events, wrong)
		}
	}
}

// Whatever a file holds, what is planned can be read again and is an event.
func FuzzLook(f *testing.F) {
	f.Add(true, []byte("user,list,state,when,form,ip\n\nu1,News,yes,2024-03-01,\"x\ny\",\r\nu2,Ads|News,no,2024-03-01,,\n"))
	f.Add(false, []byte(`{"user":"u1","list":["News","Ads"],"state":"yes","when":"2024-03-01"}`+"\n\n{}\n"))
	csv, err := imports.ParseMapping("m", []byte(mapping))
	if err != nil {
		f.Fatal(err)
	}
	lines, err := imports.ParseMapping("m", []byte(strings.Replace(mapping, "format: csv", "format: ndjson", 1)))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, isCSV bool, b []byte) {
		m := lines
		if isCSV {
			m = csv
		}
		plan, err := m.Look(bytes.NewReader(b), int64(len(b)), imports.File{}, func(string) bool { return false }, func(imports.Problem) error { return nil })
		if err != nil {
			return
		}
		events, err := plan.Batch(0, 1<<20, 1<<30)
		if err != nil || len(events) != plan.Events() {
			t.Fatalf("%d of %d events: %v", len(events), plan.Events(), err)
		}
		for _, e := range events {
			if _, err := parse.Event(ident.AppName("demo"), e.JSON); err != nil {
				t.Fatalf("%s: %v", e.JSON, err)
			}
		}
	})
}

// What a spreadsheet writes is read: the mark of its encoding before a quoted head, values
// that look like formulas, lines that end in two bytes. A table may have the mark, too.
func TestAFileOfASpreadsheetIsRead(t *testing.T) {
	text := "\ufeff\"user\",\"list\",\"state\",\"when\",\"form\",\"ip\"\r\n" +
		"u1,News,yes,2024-03-02,\"=HYPERLINK(\"\"x\"\")\r\nsecond line\",@1\r\nu2,News,out,2024-03-03,-2,+3\r\n"
	plan, events, wrong := looked(t, parsed(t, mapping), text, imports.File{})
	if len(wrong) > 0 || plan.Rows != 2 || len(events) != 2 {
		t.Fatalf("%d rows, %d events, %q", plan.Rows, len(events), wrong)
	}
	imported := events[0]["data"].(map[string]any)["details"].(map[string]any)["imported"].(map[string]any)
	if got := imported["evidence"].(map[string]any); got["form"] != "=HYPERLINK(\"x\")\nsecond line" || got["ip"] != "@1" {
		t.Errorf("the evidence is %q", got)
	}
	table, err := imports.Table(strings.NewReader("\ufeff\"email\",\"account\"\r\nann,u-7\r\nann,u-7\r\n"))
	if err != nil || table["ann"] != "u-7" {
		t.Errorf("%v %v", table, err)
	}
	ndjson := parsed(t, strings.Replace(mapping, "format: csv", "format: ndjson", 1))
	_, events, wrong = looked(t, ndjson, "\ufeff"+`{"user":"u1","list":"News","state":"yes","when":"2024-03-02"}`, imports.File{})
	if len(events) != 1 || len(wrong) > 0 {
		t.Errorf("NDJSON with the mark: %v %q", events, wrong)
	}
}

// Of two columns with one name, and of two meanings of one value, none is taken.
func TestWhatStandsTwiceIsNotGuessed(t *testing.T) {
	nobody := func(string) bool { return false }
	for head, want := range map[string]string{
		"user,list,state,when,form,ip,state": `several columns "state", which decision names`,
		"user,list,state,when,form,ip,form":  `several columns "form", which evidence names`,
		"user,list,state,when,form,ip,x,x":   "",
	} {
		_, err := parsed(t, mapping).Look(strings.NewReader(head+"\n"), int64(len(head)+1), imports.File{}, nobody, nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", head, err, want)
		}
	}
	if _, err := imports.Table(strings.NewReader("email,account\nann@example.org,u-7\nann@example.org,u-8\n")); err == nil || strings.Contains(err.Error(), "ann@") {
		t.Errorf("an address of two accounts: %v", err)
	}
}

// endless is a file that repeats a text, and counts how much of it was read.
type endless struct {
	begin string
	read  int64
}

func (e *endless) ReadAt(p []byte, at int64) (int, error) {
	for i := range p {
		p[i] = 'x'
		if at+int64(i) < int64(len(e.begin)) {
			p[i] = e.begin[at+int64(i)]
		}
	}
	e.read = max(e.read, at+int64(len(p)))
	return len(p), nil
}

// Of a row that does not end no more is read than a row may have.
func TestARowThatDoesNotEndIsNotReadToItsEnd(t *testing.T) {
	for format, begin := range map[string]string{"csv": "user,list,state,when,form,ip\nu1,News,yes,2024-03-02,\"", "ndjson": `{"user":"`} {
		file := &endless{begin: begin}
		m := parsed(t, strings.Replace(mapping, "format: csv", "format: "+format, 1))
		_, err := m.Look(file, 1<<40, imports.File{}, func(string) bool { return false }, nil)
		if err == nil || !strings.Contains(err.Error(), "row 1 is longer") || file.read > 2<<20 {
			t.Errorf("%s: %v, after %d bytes", format, err, file.read)
		}
	}
}
