package wiretest

import "testing"

func TestAPartIsFoundByItsValue(t *testing.T) {
	const body = `{"app":"shop","counts":[{"people":1,"status":"given"},{"people":22,"status":"withdrawn"}],"next":"4"}`
	for part, want := range map[string]bool{
		`"app":"shop"`:                    true,
		`"app": "shop"`:                   true,
		`"app":"sho"`:                     false,
		`"people":2`:                      false, // which as text stands in it
		`"people":22`:                     true,
		`"status":"given","people":1`:     true, // in whatever order
		`"status":"withdrawn","people":1`: false,
		`{"people":1,`:                    true,
		`{"people":1}`:                    false, // that is not the whole object
		`{"status":"given","people":1}`:   true,
		`"counts":[{"people":1}]`:         false,
		`"next"`:                          true,
		`"4"`:                             true,
		`"nex"`:                           false,
		`"next":"`:                        true, // half a value is looked for as text
		`[{"people":1,"status":"given"}]`: false,
		`"people":1,"other":1`:            false, // one member of two is missing
		`"people":1.0`:                    false, // numbers are compared as they are written
		`22`:                              true,
		`2`:                               false,
	} {
		if got := Holds(body, part); got != want {
			t.Errorf("holds %s: %v", part, got)
		}
	}

	lines := "{\"a\":1}\n{\"a\":2,\"b\":3}\n"
	if !Holds(lines, `"a":2,"b":3`) || Holds(lines, `"a":1,"b":3`) {
		t.Error("members of two lines are not those of one object")
	}
	if Holds(lines, `[{"a":1},{"a":2,"b":3}]`) {
		t.Error("two lines are no list")
	}
	if !Holds(`a table "a":1`, `"a":1`) || Holds("", `"a":1`) {
		t.Error("what is no JSON is looked at as text")
	}
}
