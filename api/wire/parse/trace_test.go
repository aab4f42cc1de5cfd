package parse

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
	want, err := Event("smartkey", plain)
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
			got, err := Event("smartkey", event)
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
		if _, err := Event("smartkey", event); err != nil {
			t.Errorf("%s: %v", attribute, err)
		}
	}
}

func TestAMessageSaysItsTraceInAHeader(t *testing.T) {
	another := strings.Replace(aTrace, "0af7", "0af8", 1)
	made := ledger.Request{Traceparent: another}
	for _, c := range []struct {
		name       string
		header     map[string][]string
		req        ledger.Request
		sent, made string
	}{
		{"as W3C writes it", map[string][]string{"traceparent": {aTrace}}, ledger.Request{}, aTrace, ""},
		{"as Go writes it", map[string][]string{"Traceparent": {aTrace}}, ledger.Request{}, aTrace, ""},
		{"in capitals", map[string][]string{"TRACEPARENT": {aTrace}}, ledger.Request{}, aTrace, ""},
		{"both, in structured mode", map[string][]string{"traceparent": {aTrace}}, made, aTrace, another},
		{"both, and they are one", map[string][]string{"traceparent": {another}}, made, another, ""},
		{"the event alone", nil, made, another, ""},
		{"a header without a value", map[string][]string{"traceparent": nil}, made, another, ""},
		{"a header with two", map[string][]string{"traceparent": {aTrace, aTrace}}, made, another, ""},
		{"nothing", map[string][]string{"nats-msg-id": {"1"}}, ledger.Request{}, "", ""},
	} {
		if sent, made := Traceparents(c.header, c.req); sent != c.sent || made != c.made {
			t.Errorf("%s: sent in %q, made in %q", c.name, sent, made)
		}
	}
}

func TestABinaryEventSaysItsTraceInAHeader(t *testing.T) {
	for _, name := range []string{"ce-traceparent", "Ce-Traceparent", "CE-TRACEPARENT"} {
		header := map[string][]string{
			"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"s"}, "ce-type": {"consent.withdrawn"}, "ce-subject": {"user-1"}, name: {aTrace},
		}
		got, err := BinaryEvent("smartkey", header, []byte(`{"all":true}`), "")
		if err != nil || got.Traceparent != aTrace {
			t.Errorf("%s: %q, %v", name, got.Traceparent, err)
		}
	}
}
