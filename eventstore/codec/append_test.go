package codec

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"consentledger/domain/rounds"

	"github.com/go-json-experiment/json"
)

// What is written by hand is what reflection writes, whatever is in it.
func TestHandWrittenLines(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range rounds.Of(t, 800) {
		var l line
		fill(random, reflect.ValueOf(&l).Elem())
		for _, shape := range []any{new(consentGivenV2), new(consentRefusedV2), new(consentWithdrawnV2), new(permissionRevokedV1), new(policyAcknowledgedV1), new(permissionGrantedV1), new(obligationOpenedV1)} {
			fill(random, reflect.ValueOf(shape).Elem())
			l.Data = shape
			want, err := json.Marshal(&l, json.Deterministic(true))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := l.marshal(); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
			}
		}
	}
}

func TestHandWrittenLineRefusesWhatIsNoText(t *testing.T) {
	l := line{Data: &permissionRevokedV1{Permission: "\xff"}}
	if _, err := l.marshal(); err == nil {
		t.Error("a line that is not UTF-8 was written")
	}
}

// fill puts something into v, or leaves it zero.
func fill(random *rand.Rand, v reflect.Value) {
	if random.IntN(3) == 0 && v.Kind() != reflect.Struct {
		v.SetZero()
		return
	}
	switch v.Kind() {
	case reflect.String:
		texts := []string{"a", "personalisation", "\"\\\n\x01", "同意", "<b>&\u2028", "0123456789abcdef"}
		v.SetString(texts[random.IntN(len(texts))])
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int64N(1<<53) - 1<<52)
	case reflect.Uint8:
		v.SetUint(random.Uint64N(1 << 8))
	case reflect.Uint64:
		v.SetUint(random.Uint64N(1 << 53))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(3), 3))
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(random, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(random, v.Field(i))
		}
	case reflect.Interface: // the data is set apart
	default:
		panic("no case for " + v.Kind().String())
	}
}
