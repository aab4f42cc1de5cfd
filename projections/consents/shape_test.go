package consents

import (
	"testing"

	"consentledger/projections/readmodel"
)

// What lies in columns as JSON has this shape. One that changes is another schema by itself: every
// read model of before is built again. Write it here.
func TestTheShapeOfWhatLiesInColumns(t *testing.T) {
	const want = `[]string
[]{Purpose string;Actions []uint8;Categories []string;}
[]{Version [32]uint8;Stale []string;Scopes []{Purpose string;Actions []uint8;Categories []string;};RightsReduced bool;}
`
	if got := readmodel.ShapesText(inColumns...); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
