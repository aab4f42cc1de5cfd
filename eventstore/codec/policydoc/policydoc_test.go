package policydoc_test

import (
	"reflect"
	"strings"
	"testing"

	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/policydoc"
)

// full returns a T with every field set to something readable.
func full(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			full(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		full(v.Index(0))
		full(v.Index(1))
	case reflect.Array:
		v.Index(3).SetUint(7)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(3)
	case reflect.Uint8:
		v.SetUint(1)
	}
}

func TestEveryFieldComesBack(t *testing.T) {
	var d policy.Document
	full(reflect.ValueOf(&d).Elem())
	b, err := policydoc.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := policydoc.Unmarshal(b)
	if err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("got %+v\nwant %+v (%v)", got, d, err)
	}
}

func TestTheBytesAreThese(t *testing.T) {
	d := policy.Document{
		Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai",
		Purposes: []policy.Purpose{{
			ID: "mail", Title: "Send <mail> \u00e9", Actions: []policy.Action{policy.Collect, policy.Export},
			Basis: policy.BasisLegalDuty, Separate: true, ConsentLasts: 12,
		}},
		Acts:  []policy.Act{{ID: "click"}, {ID: "sign", Counts: policy.WrittenConsent}},
		Texts: []policy.Text{{Locale: "en", Hash: content.Hash{7}, Force: policy.Sample}},
	}
	const want = `{"acts":[{"id":"click"},{"counts":"written","id":"sign"}],"jurisdiction":"CN","name":"privacy",` +
		`"purposes":[{"actions":["collect","export"],"basis":"legal-duty","consent_lasts_months":12,"id":"mail","separate":true,"title":"Send <mail> é"}],` +
		`"schema":"policy/1","texts":[{"hash":"sha256:0700000000000000000000000000000000000000000000000000000000000000","locale":"en","standing":"sample"}],"timezone":"Asia/Shanghai"}`
	got, err := policydoc.Marshal(d)
	if err != nil || string(got) != want {
		t.Errorf("got  %s\nwant %s (%v)", got, want, err)
	}
	const hash = "sha256:0e64903ba6b1dc2930b9a762620769ede262c0f3443814a67705f6f3fb5ad978"
	if h, err := policydoc.Hash(d); err != nil || h.String() != hash {
		t.Errorf("hash %v (%v)", h, err)
	}
}

func TestEmptyAndAbsentAreTheSameBytes(t *testing.T) {
	a, _ := policydoc.Hash(policy.Document{Name: "a"})
	b, _ := policydoc.Hash(policy.Document{Name: "a", Acts: []policy.Act{}})
	if a != b {
		t.Error("an empty list changes the hash")
	}
}

func TestWhatCannotBeReadIsNotWritten(t *testing.T) {
	for _, d := range []policy.Document{
		{Purposes: []policy.Purpose{{Basis: 99}}},
		{Purposes: []policy.Purpose{{Actions: []policy.Action{0}}}},
		{Name: "\xff"},
	} {
		if b, err := policydoc.Marshal(d); err == nil {
			t.Errorf("written: %s", b)
		}
	}
}

func TestForeignBytesAreRefused(t *testing.T) {
	for _, s := range []string{
		``, `null`, `[]`, `{}`, `{"schema":"policy/2"}`, `{"schema":"policy/1","nome":"x"}`,
		`{"schema":"policy/1","name":"a","name":"b"}`, `{"schema":"policy/1","purposes":[{"basis":1}]}`,
		`{"schema":"policy/1","purposes":[{"basis":null}]}`, `{"schema":"policy/1","texts":[{"hash":"sha256:00"}]}`,
	} {
		if d, err := policydoc.Unmarshal([]byte(s)); err == nil {
			t.Errorf("%s was read as %+v", s, d)
		}
	}
}

func TestFieldsAreTheNamesOnDisk(t *testing.T) {
	for pointer, want := range map[string]string{
		"":                "schema,name,title,handler",
		"/minors/rules/3": "code,title,section,law_mapping,doubtful,discretionary",
		"/texts/0":        "locale,hash,standing",
		"/texts/0/locale": "",
		"/nowhere/1":      "",
	} {
		if got := strings.Join(policydoc.Fields(pointer), ","); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("Fields(%q) = %s, want %s", pointer, got, want)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"schema":"policy/1","purposes":[{"id":"a","actions":["use"]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := policydoc.Unmarshal(b)
		if err != nil {
			return
		}
		again, err := policydoc.Marshal(d)
		if err != nil {
			t.Fatalf("read and cannot be written: %v", err)
		}
		if back, err := policydoc.Unmarshal(again); err != nil {
			t.Fatalf("written and cannot be read: %v (%+v)", err, back)
		}
	})
}
