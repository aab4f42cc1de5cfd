package ident

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

func TestWhatIsOwedSinceARecordHasAStreamOfItsOwn(t *testing.T) {
	history := SubjectStream("demo", "00ff")
	if got := OwedStream(history, 12).String(); got != "obligation-demo-00ff-12" {
		t.Errorf("the stream is named %s", got)
	}
	for name, want := range map[string]uint64{
		"obligation-demo-00ff-12": 12, "obligation-demo-00ff-1": 1,
		"obligation-demo-00ff": 0, "obligation-demo-00ff-0": 0, "obligation-demo-00ff-01": 0, "obligation-demo-00ff-1-2": 0, "obligation-demo-00ff--1": 0,
		"obligation-demo-00ff-99999999999999999999": 0, "request-demo-00ff-12": 0,
	} {
		s, err := ParseStreamID(name)
		if err != nil {
			t.Fatal(err)
		}
		of, revision, ok := s.OwedSince()
		if ok != (want > 0) || ok && (of != history || revision != want) {
			t.Errorf("%s: %v, %d, %v", name, of, revision, ok)
		}
	}
}
