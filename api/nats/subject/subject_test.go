package subject_test

import (
	"strings"
	"testing"

	"consentledger/api/nats/subject"
)

func TestASubjectIsReadAsItIsWritten(t *testing.T) {
	for _, c := range []struct{ name, what, full string }{
		{"smartkey", "record", "consent.v1.smartkey.record"},
		{"acme", "group", "consent.v1.acme.group"},
		{"smartkey", "query.state", "consent.v1.smartkey.query.state"},
		{"smartkey", "in.consent.given", "consent.v1.smartkey.in.consent.given"},
		{"*", "query.state", subject.Any + "query.state"},
	} {
		if got := subject.Of(c.name, c.what); got != c.full {
			t.Errorf("%s, %s is written as %s, want %s", c.name, c.what, got, c.full)
		}
		if name, what := subject.Parse(c.full); name != c.name || what != c.what {
			t.Errorf("%s is read as %s, %s", c.full, name, what)
		}
	}
}

func TestOnlyWhatAStreamTakesHasAType(t *testing.T) {
	for full, want := range map[string]string{
		"consent.v1.smartkey.in.consent.given": "consent.given", "consent.v1.smartkey.in.x": "x",
		"consent.v1.smartkey.record": "", "consent.v1.smartkey": "", "": "",
	} {
		if kind, has := subject.Type(full); kind != want || has != (want != "") {
			t.Errorf("%q: %q, %v, want %q", full, kind, has, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"consent.v1.smartkey.in.consent.given", "consent.v1.a", "consent.v1..", "consent.v2.a.record", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, full string) {
		name, what := subject.Parse(full)
		if strings.Contains(name, ".") {
			t.Errorf("%q has the name %q", full, name)
		}
		if what != "" && strings.HasPrefix(full, "consent.v1.") && subject.Of(name, what) != full {
			t.Errorf("%q is written as %q", full, subject.Of(name, what))
		}
	})
}
