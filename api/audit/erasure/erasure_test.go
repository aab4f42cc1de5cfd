package erasure

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "logs.example.com/consent/shop"

// A keeper signs a log of some records and gives proofs of them.
type keeper struct {
	t        *testing.T
	signer   note.Signer
	verifier note.Verifier
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{t: t}
	if k.signer, err = note.NewSigner(skey); err == nil {
		k.verifier, err = note.NewVerifier(vkey)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func id(n byte) string { return eventstore.EventID{n}.String() }

const (
	ada   = "subject-shop-0a000000000000000000000000000000"
	grace = "subject-shop-0b000000000000000000000000000000"
)

func line(n byte, stream, kind, data string) []byte {
	return fmt.Appendf(nil, `{"actor":"operator","at":1795995272433,"data":%s,"id":%q,"recorded":1795995272433,"recorded_by":"officer","request":{"digest":"6cda55c6651c60efb8d954746a561694","id":"03cee8131def0af30c7302913fa34a37","source":"862821e7d3071287"},"rules":3,"stream":%q,"type":%q,"v":1}`,
		data, id(n), stream, kind)
}

func ordered(n byte, stream string) []byte {
	return line(n, stream, "erasure.ordered.v1", `{"by":["officer","second"],"reason":"subject-request"}`)
}

func erased(n byte, stream string, order byte) []byte {
	return line(n, stream, "subject.erased.v1", fmt.Sprintf(`{"order":%q}`, id(order)))
}

// proof returns the proof of a record, in a log of two: it and another one.
func (k *keeper) proof(record []byte) string {
	k.t.Helper()
	other := tlog.RecordHash([]byte("another record"))
	leaf := tlog.RecordHash(record)
	c := merkle.Checkpoint{Origin: origin, Size: 2, Root: tlog.NodeHash(leaf, other)}
	signed, err := merkle.Sign(c, k.signer)
	if err != nil {
		k.t.Fatal(err)
	}
	return string(merkle.Proof{Index: 0, Extra: record, Path: []merkle.Hash{other}, Checkpoint: signed}.Format())
}

func (k *keeper) certificate(order, done []byte) Certificate {
	return New([]byte(k.proof(order)), []byte(k.proof(done)))
}

func TestACertificateSaysWhatTheRecordsSay(t *testing.T) {
	k := newKeeper(t)
	text, err := json.Marshal(k.certificate(ordered(1, ada), erased(2, ada, 1)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Verify(k.verifier, origin)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s %s %s %s %s %d", s.App, s.Person, s.Reason, s.By, s.Order, s.Log.Size); got != "shop 0a000000000000000000000000000000 subject-request [officer second] "+id(1)+" 2" {
		t.Error(got)
	}
	for _, word := range []string{"anonym", "never", "guarantee"} {
		if strings.Contains(strings.ToLower(Says), word) {
			t.Errorf("it says %q", word)
		}
	}
}

func TestNoOtherRecordsMakeACertificate(t *testing.T) {
	k := newKeeper(t)
	for name, c := range map[string]Certificate{
		"the order twice":            k.certificate(ordered(1, ada), ordered(1, ada)),
		"the other way round":        k.certificate(erased(2, ada, 1), ordered(1, ada)),
		"an erasure of another":      k.certificate(ordered(1, ada), erased(2, grace, 1)),
		"an erasure by other orders": k.certificate(ordered(1, ada), erased(2, ada, 3)),
		"another type":               k.certificate(ordered(1, ada), line(2, ada, "subject.closed.v1", `{"reason":"x"}`)),
		"no record":                  New([]byte(k.proof(ordered(1, ada))), nil),
		"a record of another log":    New([]byte(k.proof(ordered(1, ada))), []byte(newKeeper(t).proof(erased(2, ada, 1)))),
	} {
		if s, err := c.Verify(k.verifier, origin); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	c := k.certificate(ordered(1, ada), erased(2, ada, 1))
	if _, err := c.Verify(k.verifier, "logs.example.com/other/shop"); err == nil {
		t.Error("of another origin it is taken")
	}
}

func TestOtherFormsAreRefused(t *testing.T) {
	good := fmt.Sprintf(`{"certificate":%q,"says":%q,"ordered":"","erased":""}`, Name, Says)
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":       "",
		"another name":  strings.Replace(good, "v1", "v2", 1),
		"more words":    strings.Replace(good, "stay.", "stay. The person is unknown to us.", 1),
		"a member more": strings.Replace(good, `"says"`, `"person":"Ada","says"`, 1),
		"one twice":     strings.Replace(good, `"ordered":""`, `"ordered":"","ordered":"x"`, 1),
		"more behind":   good + "{}",
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(`{"certificate":%q,"says":%q,"ordered":"c2sp.org/tlog-proof@v1\n","erased":""}`, Name, Says)))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err == nil && (c.Certificate != Name || c.Says != Says) {
			t.Errorf("%q is taken", text)
		}
	})
}

func keeps(n byte, stream string) []byte {
	return line(n, stream, "erasure.ordered.v2", `{"by":["officer","second"],"proof":{"duty":"claims","law":"GDPR 17(3)(e)","reason":"claims","until":"2029-12-31"},"reason":"subject-request"}`)
}

func destruction(n byte, stream string) []byte {
	return line(n, stream, "destruction.ordered.v1", `{"by":["officer","second"],"reason":"subject-request"}`)
}

func destroyed(n byte, stream string, order byte) []byte {
	return line(n, stream, "proof.destroyed.v1", fmt.Sprintf(`{"order":%q}`, id(order)))
}

// TestACertificateSaysWhatIsKept: of a person of whom a proof is kept it says so, and no
// certificate says less, or more, than the order.
func TestACertificateSaysWhatIsKept(t *testing.T) {
	k := newKeeper(t)
	read := func(c Certificate) (Statement, error) {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := Parse(text)
		if err != nil {
			return Statement{}, err
		}
		return parsed.Verify(k.verifier, origin)
	}
	one := k.certificate(keeps(1, ada), erased(2, ada, 1))
	s, err := read(one)
	if err != nil || s.Kept.Duty != "claims" || s.Kept.Law != "GDPR 17(3)(e)" || s.Kept.Until.String() != "2029-12-31" || s.Destroyed != 0 {
		t.Fatalf("%+v %v", s, err)
	}
	both := one.AndDestroyed([]byte(k.proof(destruction(3, ada))), []byte(k.proof(destroyed(4, ada, 3))))
	if s, err = read(both); err != nil || s.Destroyed == 0 || s.Destruction.String() != id(3) || s.DestroyedBy[0] != "officer" {
		t.Fatalf("%+v %v", s, err)
	}
	for _, says := range []string{SaysKept, SaysDestroyed, SaysEach} {
		if strings.Contains(strings.ToLower(says), "anonym") {
			t.Errorf("it says %q", says)
		}
	}

	plain := k.certificate(ordered(1, ada), erased(2, ada, 1))
	change := func(c Certificate, how func(*Certificate)) Certificate { how(&c); return c }
	for name, c := range map[string]Certificate{
		"that nothing is kept, of who is kept":       change(one, func(c *Certificate) { c.Certificate, c.Says = Name, Says }),
		"the other name alone":                       change(one, func(c *Certificate) { c.Certificate = Name }),
		"other words alone":                          change(one, func(c *Certificate) { c.Says = Says }),
		"that it is destroyed, without a record":     change(one, func(c *Certificate) { c.Says = SaysDestroyed }),
		"that it is kept, with records that it went": change(both, func(c *Certificate) { c.Says = SaysKept }),
		"that a proof is kept, of who is not":        change(plain, func(c *Certificate) { c.Certificate, c.Says = NameKept, SaysKept }),
		"the order to destroy alone":                 change(both, func(c *Certificate) { c.Destroyed = "" }),
		"the end alone":                              change(both, func(c *Certificate) { c.Destruction = "" }),
		"another's destruction":                      one.AndDestroyed([]byte(k.proof(destruction(3, grace))), []byte(k.proof(destroyed(4, grace, 3)))),
		"the end of another order":                   one.AndDestroyed([]byte(k.proof(destruction(3, ada))), []byte(k.proof(destroyed(4, ada, 5)))),
		"a destruction, of a whole erasure":          change(plain.AndDestroyed([]byte(k.proof(destruction(3, ada))), []byte(k.proof(destroyed(4, ada, 3)))), func(c *Certificate) { c.Certificate = NameKept }),
	} {
		if s, err := read(c); err == nil {
			t.Errorf("it says %s: %+v", name, s)
		}
	}
}

// TestACertificateOfManyDoesNotHideWhatIsKept: its first line does not say of all that nothing
// is kept, if something is.
func TestACertificateOfManyDoesNotHideWhatIsKept(t *testing.T) {
	k := newKeeper(t)
	file := func(head Batch, all ...Certificate) string {
		var b strings.Builder
		out := json.NewEncoder(&b)
		for _, x := range append([]any{head}, anys(all)...) {
			if err := out.Encode(x); err != nil {
				t.Fatal(err)
			}
		}
		return b.String()
	}
	verify := func(text string) (n int, err error) {
		for _, err := range VerifyBatch(strings.NewReader(text), k.verifier, origin) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	kept, plain := k.certificate(keeps(1, ada), erased(2, ada, 1)), k.certificate(ordered(3, grace), erased(4, grace, 3))
	if n, err := verify(file(NewBatch("shop", "job", 2, true), kept, plain)); n != 2 || err != nil {
		t.Error(n, err)
	}
	if _, err := verify(file(NewBatch("shop", "job", 2, false), kept, plain)); err == nil {
		t.Error("its first line says that nothing is kept, and it is taken")
	}
	lie := NewBatch("shop", "job", 2, true)
	lie.Says = Says
	if _, err := verify(file(lie, kept, plain)); err == nil {
		t.Error("it says other words than its name, and is taken")
	}
}

func anys(all []Certificate) (list []any) {
	for _, c := range all {
		list = append(list, c)
	}
	return list
}
