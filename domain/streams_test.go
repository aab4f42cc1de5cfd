package domain

import (
	"slices"
	"testing"
)

func TestEveryStreamIsNamedAsItIsRead(t *testing.T) {
	streams := []struct {
		stream StreamID
		name   string
	}{
		{SubjectStream("demo", "00ff"), "subject-demo-00ff"},
		{AccessStream("demo", "00ff"), "access-demo-00ff"},
		{AccessStream("demo", AppStream), "access-demo-main"},
		{RequestStream("demo", "0a1b"), "request-demo-0a1b"},
		{IncidentStream("demo", "0a1b"), "incident-demo-0a1b"},
		{ObligationStream("demo", "0a1b"), "obligation-demo-0a1b"},
		{ServiceStream("demo"), "service-demo-main"},
		{PolicyStream("demo"), "policy-demo-main"},
		{SurfaceStream("demo"), "surface-demo-main"},
		{CalendarStream("demo"), "calendar-demo-main"},
	}
	for _, c := range streams {
		if c.stream.String() != c.name {
			t.Errorf("%v is named %s, not %s", c.stream, c.stream, c.name)
		}
		if read, err := ParseStreamID(c.name); err != nil || read != c.stream {
			t.Errorf("%s is read as %v (%v), not as %v", c.name, read, err, c.stream)
		}
	}
}

func TestAnAppHasOneOfEachOfItsOwnStreams(t *testing.T) {
	want := []string{"service-demo-main", "policy-demo-main", "surface-demo-main", "calendar-demo-main"}
	var names []string
	for _, s := range OwnStreams("demo") {
		names = append(names, s.String())
	}
	if !slices.Equal(names, want) {
		t.Errorf("an app's own streams are %v, not %v", names, want)
	}
}
