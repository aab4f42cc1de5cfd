package codec

import (
	"bytes"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"consentledger/domain/rounds"
	"consentledger/eventstore"
)

// goldenLines are the lines that lie on disks.
func goldenLines(t testing.TB) [][]byte {
	t.Helper()
	all, err := os.ReadFile("testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(all, []byte("\n")), []byte("\n"))
}

// agree holds reading by hand to reading by reflection.
func agree(t *testing.T, r eventstore.Recorded) (byHand bool) {
	t.Helper()
	want, wantErr := reflected(r)
	got, err := decode(r)
	if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%s\nread %+v, %v\nby reflection %+v, %v", r.Data, got, err, want, wantErr)
	}
	e, data, ok := scanLine(r)
	if ok {
		_, byHand = scanShape(e.Type, data)
	}
	return byHand
}

func TestLinesOfEveryDayAreReadByHand(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		for _, shape := range []any{new(consentGivenV2), new(consentRefusedV2), new(consentWithdrawnV2), new(permissionRevokedV1)} {
			fill(random, reflect.ValueOf(shape).Elem())
			agreeOn(t, shape)
		}
	}
	byHand := 0
	for _, e := range samples {
		if agree(t, encode(t, e)) {
			byHand++
		}
	}
	if byHand != 9 { // that of a grant that has a proof is not
		t.Errorf("%d of the samples were read by hand", byHand)
	}
}

// agreeOn is agree on a line with a shape as its data, of which what is no free
// text is made valid.
func agreeOn(t *testing.T, shape any) {
	t.Helper()
	name := map[reflect.Type]string{
		reflect.TypeFor[*consentGivenV2](): "consent.given.v2", reflect.TypeFor[*consentRefusedV2](): "consent.refused.v2",
		reflect.TypeFor[*consentWithdrawnV2](): "consent.withdrawn.v2", reflect.TypeFor[*permissionRevokedV1](): "permission.revoked.v1",
	}[reflect.TypeOf(shape)]
	valid(reflect.ValueOf(shape).Elem())
	l := line{
		Actor: "person", At: -5, Data: shape, ID: envelope.ID.String(), Recorded: 1767225600001, RecordedBy: "unauthenticated",
		Stream: "subject-demo-00ff", Type: name, V: 1,
	}
	data, err := l.marshal()
	if err != nil {
		t.Fatal(err)
	}
	r := eventstore.Recorded{Record: eventstore.Record{ID: envelope.ID, Type: name, Data: data}, Stream: "subject-demo-00ff", Revision: 1, Position: 1}
	agree(t, r)
	if _, err := decode(r); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}

// valid puts what can be read into those members that are no free text.
func valid(v reflect.Value) {
	id, hash := "01234567-89ab-cdef-0123-456789abcdef", "sha256:"+strings.Repeat("0a", 32)
	for name, text := range map[string]string{
		"Version": hash, "Text": hash, "Surface": hash, "Notice": id, "Kind": "general", "Initial": "unticked", "Quality": "partial", "Document": hash, "Basis": "legal-duty",
	} {
		if f := v.FieldByName(name); f.IsValid() && (f.String() != "" || name == "Kind" || name == "Version") {
			f.SetString(text)
		}
	}
	if f := v.FieldByName("Confirms"); f.IsValid() {
		for i := range f.Len() {
			f.Index(i).SetString(id)
		}
	}
	if f := v.FieldByName("Rests"); f.IsValid() {
		for i := range f.Len() {
			valid(f.Index(i))
			f.Index(i).FieldByName("Basis").SetString("contract")
		}
	}
	for _, name := range []string{"Evidence", "Proof"} {
		if f := v.FieldByName(name); f.IsValid() && !f.IsNil() {
			valid(f.Elem())
		}
	}
}

func TestADamagedLineIsReadAlikeByHand(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, line := range goldenLines(t) {
		r := eventstore.Recorded{Record: eventstore.Record{ID: envelope.ID, Type: typeOf(t, line), Data: line}, Stream: "subject-demo-00ff", Revision: 1, Position: 1}
		agree(t, r)
		for range rounds.Of(t, 20) {
			i := random.IntN(len(line))
			r.Data = bytes.Clone(line)
			r.Data[i] ^= 1 << random.IntN(8)
			agree(t, r)
			r.Data = append(bytes.Clone(line[:i]), line[i+1:]...)
			agree(t, r)
			r.Data = append(append(bytes.Clone(line[:i]), []byte(`,{}[]":\0-1e aA`)[random.IntN(15)]), line[i:]...)
			agree(t, r)
			r.Data = line[:i]
			agree(t, r)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	line := goldenLines(b)[2]
	for _, l := range goldenLines(b) {
		if bytes.Contains(l, []byte(`"type":"consent.withdrawn.v2"`)) {
			line = l
		}
	}
	r := eventstore.Recorded{Record: eventstore.Record{ID: envelope.ID, Type: "consent.withdrawn.v2", Data: line}, Stream: "subject-demo-00ff", Revision: 1, Position: 1}
	for name, read := range map[string]func(eventstore.Recorded) (Entry, error){"by hand": decode, "by reflection": reflected} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := read(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
