package receipt_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consentledger/api/audit/bundle"
	"consentledger/api/audit/receipt"
	"consentledger/api/audit/witness"
	"consentledger/api/policyfile"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/published"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/projections/transparency/merkle"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "logs.example.com/demo"

var opening = bytes.Repeat([]byte{7}, 32)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// hand makes commitments with one opening.
type hand struct{}

func (hand) Commit(_ eventstore.EventID, _ string, plain []byte) [32]byte {
	mac := hmac.New(sha256.New, opening)
	mac.Write(plain)
	return [32]byte(mac.Sum(nil))
}

// given returns a consent in a log of one record, and who verifies it.
func given(t testing.TB) (receipt.Consent, note.Verifier) {
	t.Helper()
	return givenTo(t, document(), origin)
}

// policy is a small one.
func document() policy.Document {
	return policy.Document{
		Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Handler: policy.Handler{Name: "Demo Holding", Contact: "desk"},
		Purposes:   []policy.Purpose{{ID: "ads", Title: "Ads", Basis: policy.BasisConsent, Categories: []policy.CategoryID{"clicks"}, Actions: []policy.Action{policy.Collect, policy.Provide}}, {ID: "face", Title: "Faces", Basis: policy.BasisConsent}, {ID: "net", Title: "Network", Basis: policy.BasisConsent, Sensitive: true, Categories: []policy.CategoryID{"id"}}},
		Categories: []policy.Category{{ID: "clicks"}, {ID: "id", SensitiveByLaw: true}},
		Recipients: []policy.Recipient{{ID: "acme", Title: "Acme", Purposes: []policy.PurposeID{"ads"}}},
		Rights:     []policy.Right{{ID: request.Withdraw.Right(), Title: "Withdraw", Procedure: "tap Withdraw"}},
	}
}

// givenTo is given, to another policy. The witnesses sign the log too.
func givenTo(t testing.TB, document policy.Document, origin string, witnesses ...note.Signer) (receipt.Consent, note.Verifier) {
	t.Helper()
	return recorded(t, domain.ConsentGiven{
		Policy: "privacy", Locale: "en", Text: content.Hash{2}, Act: "agree", Kind: policy.ExplicitConsent, Details: "on the train",
		Items: []domain.Item{{Purpose: "ads"}, {Purpose: "face", Short: domain.NeedsSeparate}, {Purpose: "net"}}, Evidence: domain.Evidence{Quality: domain.Strong},
	}, document, origin, witnesses...)
}

// recorded returns an answer in a log of one record, and who verifies it. It is to
// the document, if it is to any.
func recorded(t testing.TB, event domain.Event, document policy.Document, origin string, witnesses ...note.Signer) (receipt.Consent, note.Verifier) {
	t.Helper()
	canonical, err := policydoc.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	version := content.Hash(sha256.Sum256(canonical))
	var parts []bundle.Part
	switch e := event.(type) {
	case domain.ConsentGiven:
		e.Version = version
		event = e
		if e.Details != "" {
			parts = []bundle.Part{{Role: "details", Ref: "00ff", Text: []byte("on the train"), Opening: opening}}
		}
	case domain.ConsentRefused:
		e.Version = version
		event = e
	default:
		version, canonical, document = content.Hash{}, nil, policy.Document{}
	}
	env := codec.Envelope{
		ID: eventstore.EventID{1, 2, 3}, Stream: ident.SubjectStream("demo", "00ff"),
		At: 1767225600000, Recorded: 1767225601000, Actor: "person", RecordedBy: "backend",
	}
	encoded, err := codec.Encode(env, event, "00ff", hand{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	record := encoded.Record
	secret, key, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := merkle.Sign(merkle.Checkpoint{Origin: origin, Size: 1, Root: tlog.RecordHash(record.Data)}, signer)
	if err != nil {
		t.Fatal(err)
	}
	if len(witnesses) > 0 {
		n, err := note.Open(signed, note.VerifierList(verifier))
		if err == nil {
			signed, err = note.Sign(n, witnesses...)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := codec.Decode(eventstore.Recorded{Record: record, Stream: "subject-demo-00ff"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range parts {
		parts[i].Event = e.ID.String()
	}
	return receipt.Consent{
		App: domain.App{Name: "demo", Handler: "Demo Ltd", Jurisdiction: "CN"}, Entry: e, Key: key,
		Proof:  merkle.Proof{Index: 0, Extra: record.Data, Checkpoint: signed}.Format(),
		Parts:  parts,
		Policy: published.Policy{Version: version, Document: document}, Document: canonical,
	}, verifier
}

func TestAReceiptSaysWhatCountsAndVerifies(t *testing.T) {
	c, v := given(t)
	for form, want := range map[string][]string{
		receipt.Kantara: {`"consentTimestamp": 1767225601`, `"Demo Holding"`, `"thirdPartyName": "Acme"`, `"spiCat": [`, `"id"`},
		receipt.ISO:     {`"@value": "2026-01-01T00:00:01Z"`, `"dpv:hasName": "Demo Holding"`, `"dpv:ExplicitlyExpressedConsent"`, `"Acme"`},
	} {
		text, err := receipt.Write(form, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s lacks %s:\n%s", form, part, text)
			}
		}
		if strings.Contains(string(text), `: "Faces"`) {
			t.Errorf("%s is for what fell short", form)
		}
		r, err := receipt.Verify(text, v, origin)
		if err != nil || strings.Join(r.Purposes, " ") != "ads net" {
			t.Errorf("%s: %+v, %v", form, r, err)
		}
	}
}

func TestAReceiptThatSaysSomethingElseDoesNotVerify(t *testing.T) {
	c, v := given(t)
	changed := map[string]bool{}
	for _, form := range []string{receipt.Kantara, receipt.ISO} {
		text, err := receipt.Write(form, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range [][2]string{
			{`"ads"`, `"all"`}, {"1767225601", "1767225600"}, {"1767225601", "1767225601.0000000000001"}, {"00:00:01Z", "00:00:00Z"}, {`"00ff"`, `"00fe"`},
			{"01020300-0000-0000-0000-000000000000", "01020300-0000-0000-0000-000000000001"},
			{c.Policy.Version.String(), content.Hash{3}.String()}, {`"language": "en"`, `"language": "zh"`}, {`"dct:language": "en"`, `"dct:language": "zh"`},
			{`"collectionMethod": "agree"`, `"collectionMethod": "written"`}, {`"consentType": "EXPLICIT"`, `"consentType": "IMPLICIT"`}, {"dpv:ExplicitlyExpressedConsent", "dpv:ImpliedConsent"},
			{`"purpose": "Ads"`, `"purpose": "Service"`}, {`"dct:title": "Ads"`, `"dct:title": "Service"`}, {"when withdrawn", "never"}, {`"Acme"`, `"Nobody"`}, {`"Demo Holding"`, `"Demo Ltd"`},
			{`"sensitive": true`, `"sensitive": false`}, {`"primaryPurpose": false`, `"primaryPurpose": true`}, {`"policyUrl": "`, `"policyUrl": "https://example.com`},
			{`"thirdPartyDisclosure": true`, `"thirdPartyDisclosure": false`}, {`"service": "demo"`, `"service": "other"`}, {"dpv:Consent\"", "dpv:Contract\""}, {"strong", "weak"}, {`"dpv:hasEntity": "person"`, `"dpv:hasEntity": "guardian"`},
			{`\"Ads\"`, `\"Adz\"`}, {"b24gdGhlIHRyYWlu", "b24gdGhlIHRyYWlv"},
		} {
			other := strings.Replace(string(text), change[0], change[1], 1)
			changed[change[0]] = changed[change[0]] || other != string(text)
			if _, err := receipt.Verify([]byte(other), v, origin); other != string(text) && err == nil {
				t.Errorf("%s: %s became %s, and it verifies", form, change[0], change[1])
			}
		}
		if _, err := receipt.Verify(text, v, "logs.example.com/other"); err == nil {
			t.Errorf("%s: another origin verifies", form)
		}
	}
	for what, done := range changed {
		if !done {
			t.Errorf("no receipt has %s", what)
		}
	}
}

// TestAReceiptSaysNoMoreThanTheRecord: the kind of a grant, what it does not
// cover, an opt-out, and what holds now.
func TestAReceiptSaysNoMoreThanTheRecord(t *testing.T) {
	grant := func(kind policy.ConsentKind, items ...domain.Item) domain.Event {
		return domain.ConsentGiven{Policy: "privacy", Locale: "en", Act: "agree", Kind: kind, Items: items}
	}
	ads, short := domain.Item{Purpose: "ads"}, domain.Item{Purpose: "face", Short: domain.NeedsSeparate}
	later := &receipt.State{AsOf: "2026-02-01T00:00:00.000Z", Purposes: []receipt.Purpose{{Purpose: "ads", Status: "withdrawn", Since: "2026-01-15T00:00:00.000Z"}}}
	for _, tt := range []struct {
		name              string
		event             domain.Event
		state             *receipt.State
		kantara, iso, not string
	}{
		{"a general Agree is not explicit", grant(policy.GeneralConsent, ads), nil, `"consentType": "EXPRESSED"`, `"dpv:ExpressedConsent"`, "xplicit"},
		{"an explicit one is", grant(policy.ExplicitConsent, ads), nil, `"consentType": "EXPLICIT"`, `"dpv:ExplicitlyExpressedConsent"`, "general"},
		{"use of the service is neither", grant(policy.NoConsent, domain.Item{Purpose: "ads", Short: domain.ActGivesNone}), nil, `"why": "act-gives-no-consent"`, `"dpv:ConsentInvalidated"`, "ConsentGiven"},
		{"a grant that does not count gives nothing", grant(policy.GeneralConsent, short), nil, `"consentledgerCounts": false`, `"dpv:ConsentInvalidated"`, "ConsentGiven"},
		{"after a withdrawal it says withdrawn", grant(policy.GeneralConsent, ads), later, `"consentledgerStatus": "withdrawn"`, `"dpv:ConsentWithdrawn"`, "ConsentGiven"},
		{"a refusal has a receipt", domain.ConsentRefused{Policy: "privacy", Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}}, nil, `"consentledgerAnswer": "refused"`, `"dpv:ConsentRefused"`, "ConsentGiven"},
		{"so has one of everything", domain.ConsentRefused{Policy: "privacy", Scope: policy.Scope{All: true}}, nil, `"consentledgerPurpose": "net"`, `"dpv:ConsentRefused"`, "ConsentGiven"},
		{"and a withdrawal", domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}}, nil, `"consentledgerAnswer": "withdrawn"`, `"dpv:ConsentWithdrawn"`, "ConsentGiven"},
		{"and a permission that was taken away", domain.PermissionRevoked{Permission: "camera", Withdraws: []policy.PurposeID{"ads"}}, nil, `"collectionMethod": "camera"`, `"dpv:ConsentWithdrawn"`, "ConsentGiven"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, v := recorded(t, tt.event, document(), origin)
			c.State = tt.state
			for form, want := range map[string]string{receipt.Kantara: tt.kantara, receipt.ISO: tt.iso} {
				text, err := receipt.Write(form, c)
				if err != nil {
					t.Fatal(err)
				}
				said, _, _ := strings.Cut(string(text), `"policy": "{`) // the policy has words of its own
				if !strings.Contains(said, want) || strings.Contains(said, tt.not) {
					t.Errorf("want %s and no %s in %s", want, tt.not, said)
				}
				r, err := receipt.Verify(text, v, origin)
				if err != nil {
					t.Fatal(err)
				}
				if claim := "what holds at 2026-02-01T00:00:00.000Z: ads withdrawn since 2026-01-15T00:00:00.000Z"; tt.state != nil && !slices.Contains(r.Claims, claim) {
					t.Errorf("%q does not name what must be believed of the state", r.Claims)
				}
			}
		})
	}
	if c, _ := recorded(t, domain.NoticePresented{Policy: "privacy", Locale: "en"}, policy.Document{}, origin); true {
		if text, err := receipt.Write(receipt.ISO, c); err == nil {
			t.Errorf("a notice has a receipt: %s", text)
		}
	}
}

// TestAReceiptNamesWhatVoidedItsRecord: a grant that was a mistake counts for
// nothing, and neither form says otherwise to whoever knows the form alone. An
// opt-out that was one restores nothing.
func TestAReceiptNamesWhatVoidedItsRecord(t *testing.T) {
	void := &receipt.Void{Event: "0a0b0c00-0000-8000-8000-000000000000", Type: "record.voided", At: "2026-02-01T00:00:00.000Z", Reason: "wrong-person"}
	stands := func(status string) *receipt.State {
		return &receipt.State{AsOf: "2026-02-02T00:00:00.000Z", Voided: void, Purposes: []receipt.Purpose{{Purpose: "ads", Status: status}}}
	}
	agree := domain.ConsentGiven{Policy: "privacy", Locale: "en", Act: "agree", Kind: policy.GeneralConsent, Items: []domain.Item{{Purpose: "ads"}}}
	for _, tt := range []struct {
		name  string
		event domain.Event
		state *receipt.State
		want  map[string][]string
		not   []string
	}{
		{
			"a grant", agree, stands("never-asked"),
			map[string][]string{
				receipt.Kantara: {`"consentledgerCounts": false`, `"why": "voided"`, `"purposes": []`, `"edition": 3`, `"reason": "wrong-person"`},
				receipt.ISO:     {`"dpv:ConsentInvalidated"`, `"dct:identifier": "0a0b0c00-0000-8000-8000-000000000000"`, `"@value": "2026-02-01T00:00:00.000Z"`, `"dct:description": "wrong-person"`},
			},
			[]string{"when withdrawn", "dpv:ConsentGiven", `"dpv:hasProcess":`},
		},
		{
			"a withdrawal", domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}}, stands("ask-again"),
			map[string][]string{
				receipt.Kantara: {`"consentledgerCounts": false`, `"consentledgerStatus": "ask-again"`, `"termination": "void since 2026-02-01T00:00:00.000Z"`},
				receipt.ISO:     {`"dpv:ConsentUnknown"`, `"status": "ask-again"`, `"dct:description": "wrong-person"`, `"dct:description": "voided"`},
			},
			[]string{"dpv:ConsentWithdrawn\"", "dpv:ConsentGiven"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, v := recorded(t, tt.event, document(), origin)
			c.State = tt.state
			for form, want := range tt.want {
				text, err := receipt.Write(form, c)
				if err != nil {
					t.Fatal(err)
				}
				said, _, _ := strings.Cut(string(text), `"policy": "{`)
				for _, part := range want {
					if !strings.Contains(string(text), part) {
						t.Errorf("%s lacks %s:\n%s", form, part, said)
					}
				}
				for _, part := range tt.not {
					if strings.Contains(said, part) {
						t.Errorf("%s has %s:\n%s", form, part, said)
					}
				}

				r, err := receipt.Verify(text, v, origin)
				if err != nil {
					t.Fatal(err)
				}
				claim := "that the record was a mistake: voided by record.voided " + void.Event + " at " + void.At + ", because wrong-person"
				if !slices.Contains(r.Claims, claim) {
					t.Errorf("%q does not name the void", r.Claims)
				}
				for _, change := range [][2]string{{`"edition": 3`, `"edition": 2`}, {`"edition": 3`, `"edition": 4`}, {"wrong-person", "ticked-before"}, {`"voided": {`, `"voidee": {`}} {
					if other := strings.Replace(string(text), change[0], change[1], 1); other == string(text) {
						t.Errorf("%s has no %s", form, change[0])
					} else if _, err := receipt.Verify([]byte(other), v, origin); err == nil {
						t.Errorf("%s: %s became %s, and it verifies", form, change[0], change[1])
					}
				}
			}
		})
	}
}

// TestWhatWasNotVoidedIsOfTheSecondEdition: programs that do not know the third
// verify it.
func TestWhatWasNotVoidedIsOfTheSecondEdition(t *testing.T) {
	c, v := given(t)
	c.State = &receipt.State{AsOf: "2026-02-01T00:00:00.000Z", Refused: []receipt.Refusal{{Event: c.Entry.ID.String(), Purposes: []string{"face"}}}}
	for _, form := range []string{receipt.Kantara, receipt.ISO} {
		text, err := receipt.Write(form, c)
		if err != nil || !strings.Contains(string(text), `"edition": 2`) || strings.Contains(strings.ToLower(string(text)), "voided") {
			t.Errorf("%s: %v\n%s", form, err, text)
		}
		if _, err := receipt.Verify(bytes.Replace(text, []byte(`"edition": 2`), []byte(`"edition": 3`), 1), v, origin); err == nil {
			t.Errorf("%s: it verifies as the third edition", form)
		}
	}
	c.State.Refused[0].Voided = &receipt.Void{Event: c.Entry.ID.String(), Type: "build.voided", At: "2026-02-01T00:00:00.000Z", Reason: "ticked-before"}
	text, err := receipt.Write(receipt.Kantara, c)
	if err != nil || !strings.Contains(string(text), `"edition": 3`) {
		t.Errorf("a refusal of the same act was voided: %v\n%s", err, text)
	}
	if r, err := receipt.Verify(text, v, origin); err != nil || !strings.Contains(strings.Join(r.Claims, "\n"), "; voided by build.voided") {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestAStateOfNobody: what holds is nobody's signature, so that it may say nothing
// but what a ledger says.
func TestAStateOfNobody(t *testing.T) {
	c, v := given(t)
	for _, bad := range []receipt.State{
		{AsOf: "now"},
		{AsOf: "2026-02-01T00:00:00.000Z", Purposes: []receipt.Purpose{{Purpose: "ads", Status: "fine"}}},
		{AsOf: "2026-02-01T00:00:00.000Z", Purposes: []receipt.Purpose{{Purpose: "ads\x1b[2J", Status: "given"}}},
		{AsOf: "2026-02-01T00:00:00.000Z", Purposes: []receipt.Purpose{{Purpose: "ads", Status: "given", Because: []string{"me"}}}},
		{AsOf: "2026-02-01T00:00:00.000Z", Refused: []receipt.Refusal{{Event: "x"}}},
		{AsOf: "2026-02-01T00:00:00.000Z", Voided: &receipt.Void{Event: "x", Type: "record.voided", At: "2026-02-01T00:00:00.000Z", Reason: "r"}},
		{AsOf: "2026-02-01T00:00:00.000Z", Voided: &receipt.Void{Event: c.Entry.ID.String(), Type: "me", At: "2026-02-01T00:00:00.000Z", Reason: "r"}},
		{AsOf: "2026-02-01T00:00:00.000Z", Voided: &receipt.Void{Event: c.Entry.ID.String(), Type: "record.voided", At: "now", Reason: "r"}},
		{AsOf: "2026-02-01T00:00:00.000Z", Voided: &receipt.Void{Event: c.Entry.ID.String(), Type: "record.voided", At: "2026-02-01T00:00:00.000Z", Reason: "\x1b[2J"}},
	} {
		c.State = &bad
		for _, form := range []string{receipt.Kantara, receipt.ISO} {
			text, err := receipt.Write(form, c)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := receipt.Verify(text, v, origin); err == nil {
				t.Errorf("%s: %+v verifies", form, bad)
			}
		}
	}
}

// TestIssuedReceiptsVerifyForEver: those of the first edition were handed out to
// people. No line of them changes.
func TestIssuedReceiptsVerifyForEver(t *testing.T) {
	key, err := os.ReadFile("testdata/edition1.vkey")
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(strings.TrimSpace(string(key)))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/edition1-*.json")
	if err != nil || len(files) != 6 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := receipt.Verify(text, v, v.Name())
		if err != nil || r.Answer != domain.Given || len(r.Purposes) != 1 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		other := bytes.Replace(text, []byte("Shop Ltd"), []byte("Shop Inc"), 1)
		if _, err := receipt.Verify(other, v, v.Name()); err == nil {
			t.Errorf("%s verifies when it says something else", name)
		}
	}
}

// TestWhatMustBeBelievedIsNamed: the app's own words are in no record here.
func TestWhatMustBeBelievedIsNamed(t *testing.T) {
	c, v := given(t)
	for _, form := range []string{receipt.Kantara, receipt.ISO} {
		text, err := receipt.Write(form, c)
		if err != nil {
			t.Fatal(err)
		}
		r, err := receipt.Verify(text, v, origin)
		if err != nil || strings.Join(r.Claims, "; ") != "the jurisdiction: CN" {
			t.Errorf("%s: %v, %v", form, r, err)
		}
	}
}

// No byte of what a receipt claims can be changed so that it says another
// thing and verifies.
func FuzzVerify(f *testing.F) {
	c, v := given(f)
	for _, form := range []string{receipt.Kantara, receipt.ISO} {
		text, err := receipt.Write(form, c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	id := c.Entry.ID.String()
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := receipt.Verify(text, v, origin)
		if err == nil && (r.ID != id || strings.Join(r.Purposes, " ") != "ads net") {
			t.Errorf("%+v of %s", r, text)
		}
	})
}

// TestAReceiptThatAWitnessSigned: a receipt whose checkpoint a witness signed
// verifies for whoever asks for that witness; the same without it, or with the
// signature of another, does not.
func TestAReceiptThatAWitnessSigned(t *testing.T) {
	signer := func(name string) *torchwood.CosignatureSigner {
		t.Helper()
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s, err := torchwood.NewCosignatureSigner(name, key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	north, other := signer("north.example.org"), signer("north.example.org")
	for _, form := range []string{receipt.Kantara, receipt.ISO} {
		for name, tt := range map[string]struct {
			by   []note.Signer
			want bool
		}{
			"signed by the witness":         {[]note.Signer{north}, true},
			"signed by it and another":      {[]note.Signer{other, north}, true},
			"signed by nobody":              {nil, false},
			"signed by another of its name": {[]note.Signer{other}, false},
		} {
			c, v := givenTo(t, document(), origin, tt.by...)
			text, err := receipt.Write(form, c)
			if err != nil {
				t.Fatal(err)
			}
			r, err := receipt.Verify(text, v, origin)
			if err != nil {
				t.Fatalf("%s, %s: %v", form, name, err)
			}
			p, err := witness.ParsePolicy([]byte("log " + c.Key + "\nwitness north " + north.Verifier().String() + "\nquorum north\n"))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Check(origin, r.Signed); (err == nil) != tt.want {
				t.Errorf("%s, %s: %v", form, name, err)
			}
		}
	}
}

// large is the sample policy, of some forty kilobytes, with what the consent is
// about.
func large(t testing.TB) policy.Document {
	t.Helper()
	files := os.DirFS("../../../cmd/consentledger/smartkey")
	read := func(path string) ([]byte, error) { return fs.ReadFile(files, path) }
	file, err := read("policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := policyfile.Parse("policy.yaml", file, read)
	if err != nil {
		t.Fatal(err)
	}
	small := document()
	d.Categories = append(d.Categories, small.Categories...)
	d.Purposes = append(d.Purposes, small.Purposes...)
	d.Recipients = append(d.Recipients, small.Recipients...)
	return d
}

// TestAReceiptIsTheSameByTheWholePolicy: what is read of a policy is enough for
// every receipt.
func TestAReceiptIsTheSameByTheWholePolicy(t *testing.T) {
	c, _ := givenTo(t, large(t), origin)
	part, err := policydoc.UnmarshalPurposes(c.Document)
	if err != nil {
		t.Fatal(err)
	}
	if part, whole := len(part.Purposes), len(c.Policy.Document.Purposes); part != whole || whole < 10 {
		t.Errorf("%d purposes of %d", part, whole)
	}
	for _, form := range []string{receipt.Kantara, receipt.ISO} {
		want, err := receipt.Write(form, c)
		if err != nil {
			t.Fatal(err)
		}
		less := c
		less.Policy.Document = part
		if got, err := receipt.Write(form, less); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: another receipt, %v", form, err)
		}
	}
	for _, bad := range []string{`{}`, `[]`, `{"schema":"policy/1","purposes":{}}`, ``} {
		if d, err := policydoc.UnmarshalPurposes([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, d)
		}
	}
}

func BenchmarkVerify(b *testing.B) { benchmarkVerify(b, document()) }

func BenchmarkVerifyLargePolicy(b *testing.B) { benchmarkVerify(b, large(b)) }

func benchmarkVerify(b *testing.B, document policy.Document) {
	c, v := givenTo(b, document, origin)
	text, err := receipt.Write(receipt.Kantara, c)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := receipt.Verify(text, v, origin); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(c.Document)), "policy-bytes")
}

// TestAGrantSaysThatOneUseEndsIt, and that an import brought it: no more and no less
// than its record. Receipts of such grants that were handed out before the fourth
// edition verify for ever.
func TestAGrantSaysThatOneUseEndsIt(t *testing.T) {
	agree := domain.ConsentGiven{Policy: "privacy", Locale: "en", Act: "agree", Kind: policy.GeneralConsent, Items: []domain.Item{{Purpose: "ads"}}}
	once, until, imported := agree, agree, agree
	once.Once = true
	until.Once, until.Until = true, 1767312000000
	imported.Import = true
	void := &receipt.State{AsOf: "2026-02-02T00:00:00.000Z", Voided: &receipt.Void{
		Event: "0a0b0c00-0000-8000-8000-000000000000", Type: "record.voided", At: "2026-02-01T00:00:00.000Z", Reason: "wrong-person"}}
	for _, tt := range []struct {
		name         string
		event        domain.ConsentGiven
		state        *receipt.State
		edition      int // that an older program writes
		kantara, iso []string
	}{
		{"one use", once, nil, 2, []string{`"consentledgerOnce": true`, `"termination": "when used once, or when withdrawn"`},
			[]string{`"once": true`, `"once": "urn:consentledger:once"`, `"dct:description": "when used once, or when withdrawn"`}},
		{"one use, until a day", until, nil, 2, []string{`"on 2026-01-02T00:00:00.000Z, when used once, or when withdrawn"`}, []string{`"once": true`}},
		{"an import", imported, nil, 2, []string{`"consentledgerImport": true`, `"termination": "when withdrawn"`}, []string{`"edition": 2`}},
		{"one use, voided", once, void, 3, []string{`"consentledgerOnce": true`, `"consentledgerCounts": false`}, []string{`"once": true`, `"voided": "urn:consentledger:voided"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, v := recorded(t, tt.event, document(), origin)
			c.State = tt.state
			for form, want := range map[string][]string{receipt.Kantara: tt.kantara, receipt.ISO: tt.iso} {
				text, err := receipt.Write(form, c)
				if err != nil {
					t.Fatal(err)
				}
				said, _, _ := strings.Cut(string(text), `"policy": "{`)
				newest := `"edition": 4`
				if tt.event.Import && form == receipt.ISO { // which says so by the level of the evidence
					newest = `"edition": 2`
				}
				for _, part := range append(want, newest) {
					if !strings.Contains(said, part) {
						t.Errorf("%s lacks %s:\n%s", form, part, said)
					}
				}
				if _, err := receipt.Verify(text, v, origin); err != nil {
					t.Errorf("%s: %v", form, err)
				}

				// As it was written before.
				older := strings.NewReplacer(`"edition": 4`, fmt.Sprintf(`"edition": %d`, tt.edition), "when used once, or when withdrawn", "when withdrawn",
					", when used once, or when withdrawn", ", or when withdrawn", `  "consentledgerOnce": true,`+"\n", "", `  "consentledgerImport": true,`+"\n", "",
					`    "once": "urn:consentledger:once",`+"\n", "", ",\n    \"once\": true\n", "\n").Replace(string(text))
				if _, err := receipt.Verify([]byte(older), v, origin); err != nil {
					t.Errorf("%s of before: %v\n%s", form, err, older)
				}
				for _, other := range []int{1, 2, 3, 4, 5} {
					changed := strings.Replace(string(text), newest, fmt.Sprintf(`"edition": %d`, other), 1)
					if _, err := receipt.Verify([]byte(changed), v, origin); err == nil && changed != string(text) {
						t.Errorf("%s: %s became %d, and it verifies", form, newest, other)
					}
				}
			}
		})
	}
}

// What is no receipt is refused with what is wrong with it as a file, if it is that.
func TestWhatIsNoReceiptIsToldFromWhatIsNoJSON(t *testing.T) {
	c, v := given(t)
	text, err := receipt.Write(receipt.Kantara, c)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"a byte order mark":        {"\ufeff" + string(text), "not one JSON object"},
		"something behind it":      {string(text) + "{}", "not one JSON object"},
		"a name that stands twice": {strings.Replace(string(text), "{", `{"version":"KI-CR-v1.1.0",`, 1), "not one JSON object"},
		"nothing":                  {"", "not one JSON object"},
		"another object":           {"{}", "it has no proof"},
		"a number":                 {"1", "it has no proof"},
	} {
		if _, err := receipt.Verify([]byte(tt.text), v, origin); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}
