package report

import (
	"bytes"
	"fmt"
	"testing"

	ics "github.com/arran4/golang-ical"
)

// A calendar goes on event by event, and has the bytes that the library writes of the whole.
func TestACalendarIsWrittenAsItComes(t *testing.T) {
	for _, lines := range []int{0, 1, 200} {
		var out, want bytes.Buffer
		w := NewCalendar(&out, "shop", "zh").(*calendar)
		whole := NewCalendar(&want, "shop", "zh").(*calendar)
		for i := range lines {
			o := Obligation{Stream: fmt.Sprint("request-shop-", i), ID: "d15", Kind: "reply", Source: "一、（二）, and a line that is longer than the seventy-five bytes of one; \\ , ;",
				State: "open", DueDate: "2026-03-23", Due: "2026-03-23T16:00:00.000Z", Binding: true, Changed: "2026-03-02T01:00:00.000Z", Revision: 1}
			before := out.Len()
			if err := w.Write(o); err != nil {
				t.Fatal(err)
			}
			if out.Len() == before {
				t.Fatalf("event %d is held back", i)
			}
			e, err := whole.event(o)
			if err != nil {
				t.Fatal(err)
			}
			whole.cal.AddVEvent(e)
		}
		if err := whole.cal.SerializeTo(&want, ics.WithNewLine("\r\n")); err != nil {
			t.Fatal(err)
		}
		if bytes.HasSuffix(out.Bytes(), []byte(endOfCalendar)) {
			t.Error("a calendar that is not closed has an end")
		}
		if err := w.Close(); err != nil || !bytes.Equal(out.Bytes(), want.Bytes()) {
			t.Errorf("%d events, %v:\n%s\nwant\n%s", lines, err, &out, &want)
		}
	}
}
