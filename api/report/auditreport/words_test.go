package auditreport

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"consentledger/domain"
)

var verb = regexp.MustCompile(`%(\[\d\])?[sd]`)

func TestBothCataloguesSayTheSameThings(t *testing.T) {
	for key, text := range english {
		other, ok := chinese[key]
		if !ok {
			t.Errorf("Chinese has no %s", key)
			continue
		}
		if text == "" || other == "" {
			t.Errorf("%s says nothing", key)
		}
		if strings.Contains(text, "%[") || strings.Contains(other, "%[") {
			continue // the same place may be filled twice
		}
		if a, b := len(verb.FindAllString(text, -1)), len(verb.FindAllString(other, -1)); a != b {
			t.Errorf("%s is filled in %d times in English, %d times in Chinese", key, a, b)
		}
	}
	for key, text := range chinese {
		if _, ok := english[key]; !ok {
			t.Errorf("English has no %s", key)
		}
		if strings.ContainsFunc(text, unicode.IsLetter) && !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s is not Chinese: %s", key, text)
		}
	}
}

func TestEveryReasonHasItsName(t *testing.T) {
	for _, r := range domain.CountRules {
		if speak("zh").name(string(r.Short)) == string(r.Short) {
			t.Errorf("the shortfall %s has no name", r.Short)
		}
	}
	for _, gap := range []string{gapHandler, gapRetention, gapSeparate, gapSensitive, gapAct, gapProcedure, gapDeadline, gapLonger, gapDoubtful, gapAge, gapText} {
		speak("en").say("gap." + gap)
	}
}
