package wire

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"consentledger/eventstore/ledger"
)

// aTrace says in which trace an event was made.
const aTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// An event is the same event whatever trace it was made in: its body, which the
// ledger compares, has nothing of it.
func TestATraceIsNoPartOfAnEvent(t *testing.T) {
	plain := dailyEvents(true)[0]
	want, err := ParseEvent("smartkey", plain)
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct{ name, attributes, says string }{
		{"the extension", `"traceparent":"` + aTrace + `",`, aTrace},
		{"the extension with its tracestate", `"traceparent":"` + aTrace + `","tracestate":"a=b",`, aTrace},
		{"a tracestate alone", `"tracestate":"a=b",`, ""},
		{"with an escape", `"traceparent":"` + strings.Replace(aTrace, "0", `\u0030`, 1) + `",`, aTrace},
		{"beside an attribute that nobody knows", `"partitionkey":"7","traceparent":"` + aTrace + `",`, aTrace},
		{"one that is no trace", `"traceparent":"yesterday",`, "yesterday"},
		{"one that is no text", `"traceparent":7,"tracestate":true,`, ""},
		{"null", `"traceparent":null,`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			event := bytes.Replace(plain, []byte(`"source"`), []byte(c.attributes+`"source"`), 1)
			got, err := ParseEvent("smartkey", event)
			if err != nil {
				t.Fatal(err)
			}
			if got.Traceparent != c.says {
				t.Errorf("the trace is %q, want %q", got.Traceparent, c.says)
			}
			got.Traceparent = ""
			if !reflect.DeepEqual(got, want) {
				t.Errorf("it is another event:\n%+v\n%+v", got, want)
			}
		})
	}
}

func TestNoTraceRefusesAnOptOut(t *testing.T) {
	for _, attribute := range []string{
		`"traceparent":"` + aTrace + `","traceparent":"` + aTrace + `"`, `"traceparent":{"a":1}`, `"tracestate":[]`, `"tracestate":"","tracestate":""`,
	} {
		event := []byte(`{"specversion":"1.0","id":"1","source":"s","type":"consent.withdrawn","subject":"user-1",` + attribute + `,"data":{"all":true}}`)
		if _, err := ParseEvent("smartkey", event); err != nil {
			t.Errorf("%s: %v", attribute, err)
		}
	}
}

func TestABinaryEventSaysItsTraceInAHeader(t *testing.T) {
	for _, name := range []string{"traceparent", "Traceparent", "TRACEPARENT", "ce-traceparent", "Ce-Traceparent"} {
		header := map[string][]string{name: {aTrace}, "Content-Type": {"application/json"}}
		if got := Traceparent(header, ledger.Request{}); got != aTrace {
			t.Errorf("%s: %q", name, got)
		}
	}
	another := strings.Replace(aTrace, "0af7", "0af8", 1)
	header := map[string][]string{"ce-traceparent": {another}, "traceparent": {aTrace}}
	if got := Traceparent(header, ledger.Request{Traceparent: another}); got != aTrace {
		t.Errorf("the message was sent in %s, not in %q", aTrace, got)
	}
	for _, header := range []map[string][]string{nil, {"traceparent": nil}, {"traceparent": {aTrace, another}}} {
		if got := Traceparent(header, ledger.Request{Traceparent: another}); got != another {
			t.Errorf("%v: %q", header, got)
		}
	}
}
