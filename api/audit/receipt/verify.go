package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"

	"consentledger/api/audit/bundle"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/projections/transparency/merkle"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/note"
)

// A Verified is a receipt that verified.
type Verified struct {
	Checkpoint merkle.Checkpoint
	Signed     []byte // the note of the checkpoint, with whatever signatures it carries
	Index      int64
	ID         string
	Recorded   deadline.Instant
	Answer     domain.Status // given, refused or withdrawn
	Purposes   []string      // that it counts for
	All        bool          // an opt-out of every purpose
	State      *State        // what held when it was made; nil: it does not say
	Short      []string      // of a grant: what it does not cover, and why
	Claims     []string      // what it says that neither the record nor the policy shows
}

// Verify checks a receipt of either form: its record is in the log of this
// origin, signed by v, which are the verifier's own knowledge, and the receipt
// is the one that follows from the record and from the policy that the record
// names by its hash. It is derived again and compared, member by member.
func Verify(text []byte, v note.Verifier, origin string) (*Verified, error) {
	var shape outline
	if err := json.Unmarshal(text, &shape); err != nil && !jsontext.Value(text).IsValid() {
		return nil, errors.New("is no receipt of ours: it is not one JSON object in UTF-8, with nothing before and " +
			"behind it and with each name once")
	} else if err != nil || shape.Evidence.Proof == "" {
		return nil, errors.New("is no receipt of ours: it has no proof")
	}
	proof, err := base64.StdEncoding.Strict().DecodeString(shape.Evidence.Proof)
	if err != nil {
		return nil, errors.New("the proof is not base64")
	}
	p, err := merkle.ParseProof(proof)
	if err != nil {
		return nil, err
	}
	cp, err := p.Verify(p.Extra, v, origin)
	if err != nil {
		return nil, err
	}
	e, a, err := read(p.Extra)
	if err != nil {
		return nil, err
	}
	if err := bundle.CheckParts(p.Extra, shape.Evidence.Parts); err != nil {
		return nil, err
	}
	c := Consent{App: domain.App{Name: e.Stream.App}, Entry: e, Proof: proof, Parts: shape.Evidence.Parts,
		Document: []byte(shape.Evidence.Policy), State: shape.Evidence.State}
	claims, err := c.derive(text, shape, a, p.Checkpoint, v)
	if err != nil {
		return nil, err
	}

	r := &Verified{
		Checkpoint: cp, Signed: p.Checkpoint, Index: p.Index, ID: e.ID.String(), Recorded: e.Recorded, Answer: a.What,
		All: a.All, State: c.State, Claims: claims,
	}
	for _, i := range a.Items {
		if i.Short == "" {
			r.Purposes = append(r.Purposes, string(i.Purpose))
		} else {
			r.Short = append(r.Short, string(i.Purpose)+": "+string(i.Short))
		}
	}
	slices.Sort(r.Purposes)
	return r, nil
}

// Is reports whether a text is meant as a receipt: it has the proof of one. Nothing is verified.
func Is(text []byte) bool {
	var shape outline
	return json.Unmarshal(text, &shape) == nil && shape.Evidence.Proof != ""
}

// derive writes the receipt again and compares. It returns what it had to
// believe.
func (c *Consent) derive(text []byte, shape outline, a answer, signed []byte, v note.Verifier) ([]string, error) {
	if err := errors.Join(c.readPolicy(a), c.State.check()); err != nil {
		return nil, err
	}

	form, said, err := shape.claimed()
	if err != nil {
		return nil, err
	}

	var claims []string
	c.App.Jurisdiction = said.jurisdiction
	if said.jurisdiction != "" {
		claims = append(claims, "the jurisdiction: "+said.jurisdiction)
	}

	if c.Policy.Document.Handler.Name == "" {
		c.App.Handler = said.handler
		claims = append(claims, "who handles the data, which the policy does not name: "+said.handler)
	}

	if form == Kantara {
		k, err := note.NewVerifier(said.key)
		if err != nil || !bundle.SameLogKey(k, v, signed) {
			return nil, errors.New("publicKey: it names another key than the one that verifies it")
		}
		c.Key = said.key
	}

	want, err := c.again(form, shape.Evidence.Edition, a)
	if err != nil {
		return nil, err
	}
	return append(claims, c.State.claims()...), same(text, want)
}

// readPolicy reads the policy in a receipt, which is the one that the record
// names; if it names none there is none.
func (c *Consent) readPolicy(a answer) (err error) {
	if a.Version == (content.Hash{}) {
		if len(c.Document) > 0 {
			return errors.New("there is a policy in it, and the record names none")
		}
		c.Document = nil
		return nil
	}

	if sha256.Sum256(c.Document) != a.Version {
		return errors.New("the policy in it is not the version that the record names")
	}
	if c.Policy.Document, err = policydoc.UnmarshalPurposes(c.Document); err != nil {
		return fmt.Errorf("its policy: %w", err)
	}
	return nil
}

// again writes a receipt again, in the edition that it is of.
func (c *Consent) again(form string, of int, a answer) ([]byte, error) {
	switch given, is := c.Entry.Event.(domain.ConsentGiven); {
	case of == c.edition(a):
		return Write(form, *c)
	case of == c.State.edition():
		older := *c
		older.before = true
		return Write(form, older)
	case of == 0 && is:
		return write1(form, *c, given)
	}
	return nil, errors.New("the receipt is of an edition that this program does not know; another version of it may")
}

// A saying is what a receipt says that nothing in it shows.
type saying struct{ jurisdiction, handler, key string }

// An outline is what is read of a receipt before it is derived again: what it
// rests on, and what must be believed. What else it says is compared, and so it
// is read once, whole policy and all.
type outline struct {
	Evidence evidence `json:"consentledger"`

	Version        string `json:"version"` // of a Kantara receipt
	Jurisdiction   string `json:"jurisdiction"`
	PublicKey      string `json:"publicKey"`
	PIIControllers []struct {
		PIIController string `json:"piiController"`
	} `json:"piiControllers"`

	Type       string `json:"@type"` // of an ISO record
	Controller struct {
		Name string `json:"dpv:hasName"`
	} `json:"dpv:hasDataController"`
	Process []struct {
		Jurisdiction string `json:"dpv:hasJurisdiction"`
	} `json:"dpv:hasProcess"`
}

// claimed returns of which form a receipt is, and what must be believed.
func (o outline) claimed() (form string, s saying, err error) {
	switch {
	case o.Version == kantaraVersion:
		s.jurisdiction, s.key = o.Jurisdiction, o.PublicKey
		for _, c := range o.PIIControllers {
			s.handler = c.PIIController
		}
		return Kantara, s, nil
	case o.Type == recordType:
		s.handler = o.Controller.Name
		for _, p := range o.Process {
			s.jurisdiction = jurisdictionOf(p.Jurisdiction)
		}
		return ISO, s, nil
	}
	return "", s, errors.New("is neither a Kantara receipt 1.1.0 nor a record of ISO/IEC TS 27560")
}

// same says which member of a receipt is not as it was derived. Most are written
// as we write them, byte for byte: then nothing is read.
func same(got, want []byte) error {
	if bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(want)) {
		return nil
	}

	var g, w map[string]jsontext.Value
	if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal(want, &w)); err != nil {
		return err
	}

	for _, name := range slices.Sorted(maps.Keys(w)) {
		a, b := g[name], w[name]
		if a == nil {
			return fmt.Errorf("%s: it is missing", name)
		}
		// Numbers stay as they are written: two that a float64 holds alike are not one.
		ints, floats := jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)
		if err := errors.Join(a.Canonicalize(ints, floats), b.Canonicalize(ints, floats)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !bytes.Equal(a, b) {
			return fmt.Errorf("%s: the receipt says something else than the record and the policy that it names", name)
		}
	}

	if len(g) != len(w) {
		return errors.New("the receipt has a member that a receipt does not have")
	}
	return nil
}
