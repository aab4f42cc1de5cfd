package webhook

import (
	"slices"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/memory"
)

// TestRowsAreReadForEver: lines are added here, and none is changed.
func TestRowsAreReadForEver(t *testing.T) {
	rows := new(memory.Rows)
	for key, value := range map[string]string{
		"webhook/1/shop/wh-01/is":                     `{"v":1,"url":"https://shop.example.com/consents","types":["consent.given"],"created":1767225600000,"by":"p-01"}`,
		"webhook/1/shop/wh-01/from":                   `{"v":1,"position":7,"turn":"a1"}`,
		"webhook/1/shop/wh-01/at":                     `{"v":1,"position":9,"turn":"a1","failures":2,"last":"the receiver answered 500"}`,
		"webhook/1/shop/wh-01/paused":                 `{"v":1,"at":1767225700000,"why":"asked"}`,
		"webhook/1/shop/wh-01/key/1767225600000-0a0b": `{"v":1,"sealed":"AQID","until":1767225800000}`,
		"webhook/1/shop/wh-02/is":                     `{"v":1,"url":"https://shop.example.com/due","types":["obligation.overdue"],"created":1767225600001}`,
		"webhook/1/shop/wh-02/from":                   `{"v":1,"position":7,"turn":"b2"}`,
		"webhook/1/shop/wh-02/at":                     `{"v":1,"position":9,"turn":"b1"}`, // of before it was set back
	} {
		if err := rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: []byte(key), Value: []byte(value)}}}); err != nil {
			t.Fatal(err)
		}
	}
	h := &Hooks{Rows: rows}
	all, err := h.read(t.Context(), "")
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	first, second := all[0], all[1]
	if first.App != "shop" || first.ID != "wh-01" || first.URL != "https://shop.example.com/consents" || !slices.Equal(first.Types, []string{"consent.given"}) ||
		first.Position != 9 || first.Failures != 2 || first.Last != "the receiver answered 500" || first.By != "p-01" ||
		first.Why != Asked || !first.Paused.Equal(time.UnixMilli(1767225700000)) || len(first.keys) != 1 || len(first.keys["key/1767225600000-0a0b"].Sealed) != 3 {
		t.Errorf("%+v", first)
	}
	if second.ID != "wh-02" || second.Position != 7 || second.State() != "well" {
		t.Errorf("%+v", second)
	}

	later := eventstore.Row{Key: []byte("webhook/1/shop/wh-01/is"), Value: []byte(`{"v":2}`)}
	if err := rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{later}}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.read(t.Context(), ""); err == nil {
		t.Error("a row of a later version is read")
	}
}
