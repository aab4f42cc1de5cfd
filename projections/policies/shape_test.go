package policies

import (
	"testing"

	"consentledger/projections/readmodel"
)

// What lies in columns as JSON has this shape. One that changes is another schema by itself: every
// read model of before is built again. Write it here.
func TestTheShapeOfWhatLiesInColumns(t *testing.T) {
	const want = `[]{Locale "locale" string;Hash "hash" string;Standing "standing" string;}
[]string
[]string
[]string
`
	if got := readmodel.ShapesText(inColumns...); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
