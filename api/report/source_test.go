package report_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"consentledger/api/report"
	"consentledger/domain/request"
)

// foreign is a run of Latin letters that no Chinese text of a source may hold but
// as the law's own abbreviation or number, or a policy's own section.
var (
	foreign      = regexp.MustCompile(`[A-Za-z][A-Za-z']*`)
	abbreviation = regexp.MustCompile(`GB/T|GDPR|EDPB|App违法|a 项|[IVX]+\([IVXv\d]+\)\d?|(?:, )?[IVX]+`)
)

// TestEverySourceThatIsShippedIsChinese: of the rules that the program ships, of
// those of its policies, and of those for what no policy promises.
func TestEverySourceThatIsShippedIsChinese(t *testing.T) {
	var all []string
	for file, form := range map[string]string{
		"../../cmd/consentledger/law/deadline-rules.json": `"source"\s*:\s*"((?:[^"\\]|\\.)*)"`,
		"../../cmd/consentledger/smartkey/policy.yaml":    `\{id: [^ ,]+, source: (?:"([^"]*)"|([^,]*)), unit`,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".yaml") {
			more, err := os.ReadFile(strings.Replace(file, "policy", "sharing", 1))
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, more...)
		}
		found := regexp.MustCompile(form).FindAllStringSubmatch(string(text), -1)
		if len(found) < 10 {
			t.Fatalf("%s has %d sources", file, len(found))
		}
		for _, m := range found {
			all = append(all, strings.Join(m[1:], ""))
		}
	}
	for _, jurisdiction := range []string{"CN", "DE", "BR"} {
		for _, r := range request.Types() {
			all = append(all, request.LawReply(jurisdiction, "", r).Source)
		}
	}
	for _, source := range all {
		text := report.SourceName("zh", source)
		bare := abbreviation.ReplaceAllString(text, "")
		bare = strings.ReplaceAll(bare, "BR", "") // a jurisdiction is named by its code
		if text == source || foreign.MatchString(bare) {
			t.Errorf("%q is %q in Chinese", source, text)
		}
		if got := report.SourceName("en", source); got != source {
			t.Errorf("%q is %q in English", source, got)
		}
	}
	if got := report.SourceName("zh-CN", "第七条"); got != "第七条" {
		t.Errorf("a policy's own words became %s", got)
	}
}
