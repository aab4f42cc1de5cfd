package wire

import (
	"testing"

	"consentledger/eventstore/codec/jsonwrite"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// TestHistoryEntriesAreWrittenAsReflectionWritesThem: with all members, and with
// none.
func TestHistoryEntriesAreWrittenAsReflectionWritesThem(t *testing.T) {
	odd := "\"\\\n\x01 同意 <b>&\u2028"
	for _, h := range []HistoryEntry{
		{Data: jsontext.Value("{}"), Parts: []string{}},
		{
			EventID: odd, Type: odd, Position: odd, Revision: 1<<53 - 1, At: odd, Recorded: odd, Claimed: odd, Sequence: 1<<64 - 1, Actor: odd, RecordedBy: odd,
			OnBehalfOf: odd, Stream: odd, Data: jsontext.Value(`{"a":[1,"<"]}`), Parts: []string{odd, "", "binding"}, Leaf: odd, NotUnderstood: odd,
		},
	} {
		want, err := json.Marshal(h)
		got := jsonwrite.Text{B: []byte("{")}
		if appendEntry(&got, h); err != nil || got.Err != nil || string(got.B)+"}" != string(want) {
			t.Errorf("%s}\nis written, by reflection\n%s\n%v, %v", got.B, want, err, got.Err)
		}
	}
}
