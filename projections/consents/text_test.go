package consents

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/eventstore"

	"github.com/go-json-experiment/json"
)

func TestFactsAreWrittenAsReflectionWritesThem(t *testing.T) {
	full := saidV1{
		Kind: given, Policy: "a \"policy\"\u2028",
		Version: domain.Hash{4, 250}, Act: "click", Until: 5, All: true, Purposes: []domain.PurposeID{"ads", "face"}, Short: []domain.PurposeID{"map"},
		Records: []domain.EventID{{6}, {7}}, Build: "1.2", Strength: domain.GuardianConsent, Guardian: "00ff", Once: true, Evidence: domain.Imported,
		Band: domain.ChildUnder14, Other: "ff00", Added: []domain.PurposeID{"map"}, Ends: []endV1{{"ads", 8}, {"face", 9}}, Assents: []domain.PurposeID{"news"}, Signal: true,
	}
	for v, i := reflect.ValueOf(full), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the full fact has no %s", v.Type().Field(i).Name)
		}
	}
	for _, f := range []saidV1{{}, full, {Kind: withdrawn, Purposes: []domain.PurposeID{"ads"}}, {Kind: voided, Records: []domain.EventID{{9}}}} {
		want, err := json.Marshal(&f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.appendTo(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: wrote\n%s\nreflection writes\n%s", err, got, want)
		}
	}
}

func TestStandingsAreWrittenAsReflectionWritesThem(t *testing.T) {
	yes := domain.Standing{Status: domain.Given, Since: 1, Until: 9, Policy: "a \"policy\"", Version: domain.Hash{1}, Act: "click", Because: []domain.EventID{{1}, {2}}, Alone: true, Rules: 2,
		Opposed: domain.Opposition{Signal: "gpc", Because: domain.EventID{4}}}
	no := domain.Standing{Status: domain.Withdrawn, Since: 7, Because: []domain.EventID{{3}}}
	standings := []domain.Standing{yes, {}, yes, yes, no}
	var rows []row
	for i, s := range standings {
		proof, err := appendProof(nil, &s)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row{purpose: []domain.PurposeID{"ads", "face", "map", "news", "radio"}[i], status: s.Status, proof: string(proof), position: []eventstore.Position{3, 4, 3, 5, 6}[i]})
		var p proofV1
		if err := json.Unmarshal(proof, &p, json.RejectUnknownMembers(true)); err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(p)
		if err != nil || !bytes.Equal(proof, want) {
			t.Errorf("%v: wrote\n%s\nreflection writes\n%s", err, proof, want)
		}
		if read, err := p.standing(s.Status.String()); err != nil || !reflect.DeepEqual(read, s) {
			t.Errorf("%v: read %v, wrote %v", err, read, s)
		}
	}
	got, err := appendStandings(nil, rows)
	if err != nil {
		t.Fatal(err)
	}
	var list []standingV2
	if err := json.Unmarshal(got, &list, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(list)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v: wrote\n%s\nreflection writes\n%s", err, got, want)
	}
	if len(list) != 4 || len(list[0].Purposes) != 2 {
		t.Errorf("%d standings, want 4 of which ads and map share one:\n%s", len(list), got)
	}
	again, err := readStandings(string(got))
	if err != nil || !slices.Equal(again, rows) {
		t.Fatalf("%v: read %v, wrote %v", err, again, rows)
	}
}
