package policyfile_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"

	"consentledger/api/policyfile"
	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/policydoc"
)

// The sample lives beside the program; read from disk, so that api imports
// nothing of cmd.
const sample = "../../cmd/consentledger/smartkey"

var update = flag.Bool("update", false, "rewrite testdata/smartkey.lint")

func open(path string) ([]byte, error) { return fs.ReadFile(os.DirFS(sample), path) }

func smartkey(t *testing.T) (policy.Document, map[content.Hash][]byte, []byte) {
	t.Helper()
	file, err := open("policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, texts, err := policyfile.Parse("policy.yaml", file, open)
	if err != nil {
		t.Fatal(err)
	}
	return doc, texts, file
}

func TestSmartKeyCountsAsItsPolicyDoes(t *testing.T) {
	d, texts, _ := smartkey(t)
	discretionary, sensitive, codes := 0, 0, map[string]bool{}
	for _, g := range d.Rejections {
		if g.Discretionary {
			discretionary++
		}
	}
	for _, c := range d.Categories {
		if c.SensitiveByPolicy && c.ID != "identity-elements" { // XIII(3), not (2)
			sensitive++
		}
	}
	for _, p := range d.Purposes {
		for _, code := range p.Codes {
			codes[code] = true
		}
	}
	purposes, uses, contexts := 0, 0, 0
	for code := range codes {
		switch {
		case strings.HasPrefix(code, "PUR-"):
			purposes++
		case strings.HasPrefix(code, "USE-"):
			uses++
		case strings.HasPrefix(code, "CTX-"):
			contexts++
		}
	}
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"grounds to collect", len(d.ExemptionsCollect), 11},
		{"grounds to provide", len(d.ExemptionsProvide), 7},
		{"discretionary rejections", discretionary, 4},
		{"listed rejections", len(d.Rejections) - discretionary, 6},
		{"disclosures", len(d.Disclosures), 3},
		{"material kinds", len(d.MaterialKinds), 6},
		{"principles", len(d.Principles), 7},
		{"measures", len(d.Measures), 6},
		{"parts of an incident notice", len(d.IncidentNotice), 4},
		{"identity elements", len(d.IdentityElements), 7},
		{"rules for minors", len(d.Minors.Rules), 5},
		{"sensitive categories of XIII(2)", sensitive, 13},
		{"permissions", len(d.Permissions), 1},
		{"acts", len(d.Acts), 9},
		{"deadline rules", len(d.DeadlineRules), 26},
		{"duties", len(d.Duties), 27},
		{"codes PUR", purposes, 6},
		{"codes USE", uses, 6},
		{"codes CTX", contexts, 5},
		{"texts", len(texts), 1},
	} {
		if c.got != c.want {
			t.Errorf("%d %s, want %d", c.got, c.what, c.want)
		}
	}
	if ids := d.PermissionPurposes("network"); len(ids) != 1 || ids[0] != "network-diagnosis" {
		t.Errorf("permission network is bound to %v", ids)
	}
	if a, ok := d.Act("use-of-service"); !ok || a.Counts != policy.NoConsent {
		t.Errorf("use of the service counts as %v", a.Counts)
	}
	for _, p := range d.Purposes {
		for _, a := range p.Actions {
			if a != policy.Collect && a != policy.Use {
				t.Errorf("purpose %s: %v, and the policy shares with nobody", p.ID, a)
			}
		}
	}
	if text := texts[d.Texts[0].Hash]; !strings.HasPrefix(string(text), "SmartKey") || len(text) != 30412 {
		t.Errorf("the text is not whole: %d bytes", len(text))
	}
}

func TestSmartKeyComesBackFromItsBytesAndIsCompact(t *testing.T) {
	d, _, _ := smartkey(t)
	b, err := policydoc.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) >= 40_000 {
		t.Errorf("%d bytes, want below 40000", len(b))
	}
	t.Logf("%d bytes", len(b))
	again, err := policydoc.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	h, err := policydoc.Hash(d)
	if g, err2 := policydoc.Hash(again); err != nil || err2 != nil || g != h {
		t.Errorf("hash %v, then %v (%v, %v)", h, g, err, err2)
	}
}

func TestSmartKeyLeavesOutWhatIsKnown(t *testing.T) {
	_, _, file := smartkey(t)
	var b strings.Builder
	for _, f := range policyfile.Lint(file, open) {
		b.WriteString(f.String() + "\n")
	}
	if *update {
		if err := os.WriteFile("testdata/smartkey.lint", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/smartkey.lint")
	if err != nil || b.String() != string(want) {
		t.Errorf("lint says (%v)\n%s\nwant\n%s", err, b.String(), want)
	}
}

const small = `schema: policy/1
name: privacy
title: [{locale: en, text: Privacy}]
jurisdiction: CN
timezone: Asia/Shanghai
purposes:
  - id: mail
    title: Send mail
    categories: [address]
    actions: [collect, use]
    basis: consent
categories:
  - {id: address, title: Address}
acts:
  - {id: use-of-service, title: Use, counts: none}
texts:
  - {locale: en, standing: sample, file: en.txt}
`

func openSmall(path string) ([]byte, error) {
	if path == "en.txt" {
		return []byte("We send mail.\n"), nil
	}
	return nil, fs.ErrNotExist
}

func TestAByteOrderMarkIsNoPartOfAFile(t *testing.T) {
	doc, _, err := policyfile.Parse("p.yaml", []byte(small), openSmall)
	if err != nil {
		t.Fatal(err)
	}
	marked, _, err := policyfile.Parse("p.yaml", []byte("\ufeff"+small), openSmall)
	if err != nil || !reflect.DeepEqual(marked, doc) {
		t.Errorf("%v", err)
	}
	if b, err := policyfile.JSON("s.yaml", []byte("\ufeffschema: surface/1\n")); err != nil || strings.TrimSpace(string(b)) != `{"schema": "surface/1"}` {
		t.Errorf("%s, %v", b, err)
	}
}

func TestABrokenFileSaysWhereAndWhatWouldBeRight(t *testing.T) {
	if _, _, err := policyfile.Parse("p.yaml", []byte(small), openSmall); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"an unknown basis", "basis: consent", "basis: hope", "p.yaml:11:12: a legal basis is one of consent, contract, "},
		{"an unknown action", "[collect, use]", "[collect, sell]", "p.yaml:10:24: an action is one of collect, use, "},
		{"a sample of more than all", "basis: consent", "basis: consent\n    log_checks: 3 in 2", `p.yaml:12:17: a log of checks is none, sampled, all, or as in "1 in 10"`},
		{"an act for nothing that is declared", "counts: none", "counts: none, purposes: [male]", `p.yaml:15:63: acts[0].purposes[0] there is no purpose "male"`},
		{"an unknown name", "    actions:", "    action:", `p.yaml:10:5: there is no "action" here, but: actions, section, `},
		{"a name at the top", "jurisdiction", "juristiction", `p.yaml:4:1: there is no "juristiction" here, but: jurisdiction, schema, `},
		{"a name twice", "name: privacy", "name: privacy\nname: other", "p.yaml:3:1: "},
		{"a category that nobody declared", "[address]", "[adress]", `p.yaml:9:18: purposes[0].categories[0] there is no category "adress"`},
		{"a purpose twice", "categories:\n  -", "  - {id: mail, title: x, actions: [use], basis: consent}\ncategories:\n  -", `p.yaml:12:10: purposes[1].id purpose "mail" is already declared by purposes[0].id`},
		{"a number for text", "name: privacy", "name: 7", "p.yaml:2:7: name wants text"},
		{"a number that YAML rounds", "name: privacy", "name: 9007199254740993.0", "p.yaml:2:7: is a number with a point or an exponent"},
		{"a number that is octal for some", "name: privacy", "name: 010", "p.yaml:2:7: is a number that not every program reads as the same"},
		{"a number that is octal", "name: privacy", "name: 0o17", "p.yaml:2:7: is a number that not every program"},
		{"a hexadecimal number", "name: privacy", "name: 0x10", "p.yaml:2:7: is a number that not every program"},
		{"a binary number", "name: privacy", "name: 0b11", "p.yaml:2:7: is a number that not every program"},
		{"a number with an underscore", "name: privacy", "name: 1_5", "p.yaml:2:7: is a number that not every program"},
		{"a number with a plus", "name: privacy", "name: +15", "p.yaml:2:7: is a number that not every program"},
		{"a number that a float64 does not hold", "name: privacy", "name: 9007199254740993", "p.yaml:2:7: is a number that not every program"},
		{"such a number in a list", "[collect, use]", "[collect, 010]", "p.yaml:10:24: is a number that not every program"},
		{"text for a list", "[collect, use]", "collect", "p.yaml:10:14: actions wants a list"},
		{"a text that is not there", "en.txt", "de.txt", `p.yaml:17:42: "de.txt" cannot be read`},
		{"a text without a file", ", file: en.txt", "", "p.yaml:17:5: a text names its file"},
		{"a time zone that is none", "Asia/Shanghai", "Asia/Shangai", "p.yaml:5:11: timezone is a name"},
		{"another schema", "policy/1", "policy/2", "p.yaml:1:9: "},
		{"an alias", "basis: consent", "basis: *b", "p.yaml:11:12: anchors, aliases and tags"},
		{"broken YAML", "[collect, use]", "[collect, use", "p.yaml:11:5: "},
		{"a list", small, "- a\n- b\n", "p.yaml:1:1: a policy file is one YAML map"},
		{"nothing", small, "", "p.yaml:1:1: a policy file is one YAML map"},
		{"null", small, "null", "p.yaml:1:1: a policy file is one YAML map"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := strings.Replace(small, c.old, c.new, 1)
			_, _, err := policyfile.Parse("p.yaml", []byte(file), openSmall)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			var at *policyfile.Error
			if err != nil && !errors.As(err, &at) {
				t.Errorf("%T holds no Error", err)
			}
		})
	}
}

func TestAllProblemsAreSaidAtOnce(t *testing.T) {
	file := strings.Replace(small, "[address]", "[a, b]", 1)
	if found := policyfile.Lint([]byte(file), openSmall); len(found) != 2 || found[0].Severity != policyfile.SeverityError {
		t.Errorf("found %v", found)
	}
}

func TestLintKnowsWhatToLookFor(t *testing.T) {
	complaint := `rights:
  - {id: complain, title: Complain, procedure: Ask, deadlines: [c]}
deadline_rules:
  - {id: c, source: policy 1, unit: working_day, length: 15, calendar: CN, timezone: Asia/Shanghai, clock_start: ComplaintVerified}
`
	for _, c := range []struct{ name, old, new, code string }{
		{"use that counts", "counts: none", "counts: general", "error consent-by-use"},
		{"a permission that counts", "use-of-service, title: Use, counts: none", "permission-grant, title: P, counts: explicit", "error consent-by-permission"},
		{"sharing without separate consent", "[collect, use]", "[collect, provide]", "warning separate-consent-missing"},
		{"a separate consent by no act of its own", "basis: consent", "basis: consent\n    separate: true", "warning separate-act-missing"},
		{"a purpose that no act stands for", "categories:\n  - {id: address, title: Address}\nacts:\n",
			"  - {id: news, title: Send news, actions: [use], basis: consent}\ncategories:\n  - {id: address, title: Address}\nacts:\n" +
				"  - {id: tick, title: Tick, counts: explicit, purposes: [news]}\n", "warning act-missing: purpose mail"},
		{"a sensitive category", "title: Address", "title: Address, sensitive_by_law: true", "warning sensitive-unflagged"},
		{"a decision by machine", "basis: consent", "basis: consent\n    automated: true", "warning automated-no-refusal"},
		{"a complaint that waits for ever", "acts:", complaint + "acts:", "warning complaint-unwatched"},
		{"nobody to complain to", "", "", "warning complaint-channel-missing"},
		{"a reply that only the law promises", "", "", "warning reply-unpromised: no right gives a deadline for requests of the types correct, complete, delete, cancel-account"},
		{"a reply that nobody promises", "", "", "warning reply-undated: no right gives a deadline for requests of the types question, authority"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all strings.Builder
			for _, f := range policyfile.Lint([]byte(strings.Replace(small, c.old, c.new, 1)), openSmall) {
				all.WriteString(f.String() + "\n")
			}
			if !strings.Contains(all.String(), c.code) {
				t.Errorf("no %q in\n%s", c.code, all.String())
			}
		})
	}
}

func TestAPolicySaysHowManyAnswersAreRecorded(t *testing.T) {
	file := strings.Replace(small, "basis: consent", "basis: consent\n    separate: true\n    log_checks: 1 in 10", 1)
	file = strings.Replace(file, "counts: none}", "counts: none}\n  - {id: own, title: Own, counts: separate, purposes: [mail]}", 1)
	d, _, err := policyfile.Parse("p.yaml", []byte(file), openSmall)
	if err != nil {
		t.Fatal(err)
	}
	if n, of := d.Purposes[0].LogChecks.Rate(); n != 1 || of != 10 || fmt.Sprint(d.Acts[1].Purposes) != "[mail]" {
		t.Errorf("%d in %d, by %v", n, of, d.Acts)
	}
	for _, f := range policyfile.Lint([]byte(file), openSmall) {
		if f.Code == "separate-act-missing" {
			t.Error(f)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(small)
	f.Add("a: &x [*x]")
	f.Fuzz(func(t *testing.T, file string) {
		doc, _, err := policyfile.Parse("f", []byte(file), openSmall)
		if err != nil {
			return
		}
		if problems := doc.Check(); len(problems) > 0 {
			t.Errorf("parsed with problems: %v", problems)
		}
	})
}

func TestAFileMayPrevailNameRecipientsAndSayWhatIsRecorded(t *testing.T) {
	const file = `schema: policy/1
name: face
title: [{locale: en, text: Face}]
jurisdiction: CN
timezone: Asia/Shanghai
over: privacy
quiet_hours: 72
purposes:
  - {id: unlock, title: Unlock, section: I, actions: [use], basis: consent, log_checks: all}
  - {id: tune, title: Tune, section: I, actions: [use], basis: consent, log_checks: sampled}
acts: [{id: agree, title: Agree, section: I, counts: explicit}]
recipients: [{id: acme, title: Acme, section: V, purposes: [unlock], abroad: true}]
minors: {adult_age: 18, child_below_policy: 14, child_below_law: 14}
texts: [{locale: en, standing: sample, file: smartkey.en.txt}]
`
	d, _, err := policyfile.Parse("face.yaml", []byte(file), open)
	if err != nil {
		t.Fatal(err)
	}
	if d.Over != "privacy" || d.QuietHours != 72 || d.Purposes[0].LogChecks != policy.LogAll || d.Purposes[1].LogChecks != policy.LogSampled ||
		len(d.Recipients) != 1 || d.Recipients[0].Purposes[0] != "unlock" || !d.Recipients[0].Abroad {
		t.Errorf("%+v", d)
	}
	for at, change := range map[string][2]string{
		"face.yaml:9:":  {"log_checks: all", "log_checks: often"},
		"face.yaml:12:": {"purposes: [unlock]", "purposes: [nothing]"},
		"face.yaml:7:":  {"quiet_hours: 72", "quiet_hours: -1"},
	} {
		if _, _, err := policyfile.Parse("face.yaml", []byte(strings.Replace(file, change[0], change[1], 1)), open); err == nil || !strings.HasPrefix(err.Error(), at) {
			t.Errorf("%s: %v, want it at %s", change[1], err, at)
		}
	}
}
