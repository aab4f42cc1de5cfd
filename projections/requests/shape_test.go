package requests

import (
	"testing"

	"consentledger/projections/readmodel"
)

// What lies in columns as JSON has this shape. One that changes is another schema by itself: every
// read model of before is built again. Write it here.
func TestTheShapeOfWhatLiesInColumns(t *testing.T) {
	const want = `{Jurisdiction "jurisdiction" string;AddsTo "adds_to,omitzero" string;Year "year" int;Version "version" int;Notice "notice,omitzero" string;Issued "issued,omitzero" int32;Off "off,omitempty" []int32;MakeUp "makeup,omitempty" []int32;WorkingDays "working_days,omitzero" int;Partial "partial,omitzero" bool;Projected "projected,omitzero" bool;Reported "reported,omitzero" bool;Source "source,omitzero" string;}
map string string
`
	if got := readmodel.ShapesText(inColumns...); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
