package consents

import (
	"encoding/base64"

	"consentledger/domain"
	"consentledger/eventstore/codec/jsonwrite"
)

// appendTo writes f as reflection would; a test holds it to that.
func (f *saidV1) appendTo(b []byte) ([]byte, error) {
	t := jsonwrite.Text{B: append(b, '{')}
	t.Text("k", string(f.Kind))
	t.Textz("p", f.Policy)
	if f.Version != (domain.Hash{}) {
		octets(&t, "v", f.Version[:])
	}
	t.Textz("c", string(f.Act))
	t.Intz("u", int64(f.Until))
	t.Flagz("l", f.All)
	jsonwrite.Listz(&t, "o", f.Purposes)
	jsonwrite.Listz(&t, "h", f.Short)
	f.records(&t)
	t.Textz("b", f.Build)
	t.Intz("t", int64(f.Strength))
	t.Textz("g", string(f.Guardian))
	t.Flagz("e", f.Once)
	t.Intz("q", int64(f.Evidence))
	t.Intz("y", int64(f.Band))
	t.Textz("x", f.Other)
	jsonwrite.Listz(&t, "w", f.Added)
	if len(f.Ends) > 0 {
		jsonwrite.Objects(&t, "z", f.Ends, func(t *jsonwrite.Text, e *endV1) {
			t.Text("p", string(e.Purpose))
			t.Int("u", int64(e.Until))
		})
	}
	jsonwrite.Listz(&t, "m", f.Assents)
	t.Flagz("s", f.Signal)
	return append(t.B, '}'), t.Err
}

func (f *saidV1) records(t *jsonwrite.Text) {
	for i := range f.Records {
		if i == 0 {
			t.Name("d")
			t.B = append(t.B, '[')
		} else {
			t.B = append(t.B, ',')
		}
		quoted(t, f.Records[i][:])
	}
	if len(f.Records) > 0 {
		t.B = append(t.B, ']')
	}
}

// octets writes a member that is bytes, in base64.
func octets(t *jsonwrite.Text, name string, b []byte) {
	t.Name(name)
	quoted(t, b)
}

func quoted(t *jsonwrite.Text, b []byte) {
	t.B = append(base64.StdEncoding.AppendEncode(append(t.B, '"'), b), '"')
}
