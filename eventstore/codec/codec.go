// Package codec gives facts their names and shapes on disk.
//
// A record is one line of RFC 8785 JSON. It holds no personal data: what an
// event says about a person is a part of its own, which the vault seals, and
// the line carries a commitment to it. What is written once is read for ever:
// a shape below is never changed or removed. A new shape is a new row with the
// next version.
package codec

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/jsonwrite"
	"consentledger/eventstore/intern"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An Envelope is what surrounds an event: when, who, and in answer to what.
type Envelope struct {
	ID         eventstore.EventID
	Stream     ident.StreamID
	At         deadline.Instant
	Recorded   deadline.Instant
	Claimed    deadline.Instant // what an opt-out said before it was clamped
	Actor      string           // person, guardian, operator, system or authority
	RecordedBy string           // the authenticated principal
	OnBehalfOf string
	Request    Request
	Rules      uint8 // by which the fact folds, see [domain.Rules]; zero: those before they had a number

	NotUnderstood string // what of an opt-out was not, by its members' names, with commas; empty: all was

	Owing []obligation.Owing // what is owed since by rule, if the fact says so itself, see [Entry.Owed]
}

// A Request is a keyed trace of what an event answers: equal for equal
// requests of one person, and meaningless once the person's key is gone.
type Request struct {
	ID       [16]byte
	Digest   [16]byte
	Source   [8]byte
	Sequence uint64 // the producer's own number, zero if it gave none
}

// A Part is what an event says about one person: sealed in that person's vault
// entry, committed to in the line.
type Part struct {
	Role       string // details, or what else of the person; binding on the first record of a stream
	Ref        string // the pseudonym of the person it belongs to
	Commitment [32]byte
}

// A Committer makes commitments with one person's data key.
type Committer interface {
	Commit(id eventstore.EventID, role string, plaintext []byte) [32]byte
}

// A Plain is a part's text before it is sealed.
type Plain struct {
	Role string
	Text []byte
	Ref  string // the pseudonym of whom it belongs to; empty: whom the stream is about
}

// An Entry is a record, read.
type Entry struct {
	Envelope
	Type     string
	Parts    []Part
	Event    domain.Event
	Revision eventstore.Revision
	Position eventstore.Position
}

// Part returns the first part of an entry that has a role, if there is one.
func (e Entry) Part(role string) (Part, bool) {
	i := slices.IndexFunc(e.Parts, func(p Part) bool { return p.Role == role })
	if i < 0 {
		return Part{}, false
	}
	return e.Parts[i], true
}

// Fact returns the entry as the domain knows it.
func (e Entry) Fact() domain.Fact {
	return domain.Fact{
		ID: ident.EventID(e.ID), At: e.At, Recorded: e.Recorded, Claimed: e.Claimed,
		Source: domain.Source(e.Request.Source), Sequence: e.Request.Sequence, Rules: e.Rules, Event: e.Event,
	}
}

// line is a record's JSON, its members in the order that RFC 8785 wants.
type line struct {
	Actor      string     `json:"actor"`
	At         int64      `json:"at"`
	Claimed    int64      `json:"claimed,omitzero"`
	Data       any        `json:"data"`
	ID         string     `json:"id"`
	Unread     string     `json:"not_understood,omitzero"`
	OnBehalfOf string     `json:"on_behalf_of,omitzero"`
	Owing      []owingV1  `json:"owing,omitempty"`
	Parts      []partV1   `json:"parts,omitempty"`
	Recorded   int64      `json:"recorded"`
	RecordedBy string     `json:"recorded_by"`
	Request    *requestV1 `json:"request,omitempty"`
	Rules      uint8      `json:"rules,omitzero"`
	Stream     string     `json:"stream"`
	Type       string     `json:"type"`
	V          int        `json:"v"`
}

type readLine struct {
	Actor      string         `json:"actor"`
	At         int64          `json:"at"`
	Claimed    int64          `json:"claimed"`
	Data       jsontext.Value `json:"data"`
	ID         string         `json:"id"`
	Unread     string         `json:"not_understood"`
	OnBehalfOf string         `json:"on_behalf_of"`
	Owing      []owingV1      `json:"owing"`
	Parts      []partV1       `json:"parts"`
	Recorded   int64          `json:"recorded"`
	RecordedBy string         `json:"recorded_by"`
	Request    *requestV1     `json:"request"`
	Rules      uint8          `json:"rules"`
	Stream     string         `json:"stream"`
	Type       string         `json:"type"`
	V          int            `json:"v"`
}

type partV1 struct {
	Commitment string `json:"commitment"`
	Ref        string `json:"ref"`
	Role       string `json:"role"`
}

type requestV1 struct {
	Digest   string `json:"digest"`
	ID       string `json:"id"`
	Sequence uint64 `json:"sequence,omitzero"`
	Source   string `json:"source"`
}

// A Committers finds the key of whom a part belongs to.
type Committers func(ref string) (Committer, error)

// An Encoded is a fact as it is to be stored.
type Encoded struct {
	Record eventstore.Record
	Plains []Plain // what of it is personal, beside the record
}

// Encode writes e in its newest shape. Ref is whom the stream is about, and key
// theirs; others finds the keys of others that e is about, and may be nil if
// there are none. Extra are further personal parts that the line shall commit
// to.
func Encode(
	env Envelope, e domain.Event, ref string, key Committer, others Committers, extra ...Plain,
) (Encoded, error) {
	name, shape, personal, err := shapeOf(e)
	if err != nil {
		return Encoded{}, err
	}

	plains := append(extra[:len(extra):len(extra)], personal...)
	l := line{
		Actor: env.Actor, At: int64(env.At), Claimed: int64(env.Claimed), Data: shape, ID: env.ID.String(),
		OnBehalfOf: env.OnBehalfOf, Recorded: int64(env.Recorded), RecordedBy: env.RecordedBy,
		Unread: env.NotUnderstood,
		Owing:  owingShapes(env.Owing), Rules: env.Rules, Stream: env.Stream.String(), Type: name, V: 1,
	}
	if env.Request.ID != ([16]byte{}) {
		l.Request = requestOf(env.Request)
	}

	for _, p := range plains {
		owner, k := ref, key
		if p.Ref != "" {
			if owner = p.Ref; others == nil {
				return Encoded{}, fmt.Errorf("event %s: a part is of somebody whose key is not at hand", name)
			}
			if k, err = others(p.Ref); err != nil {
				return Encoded{}, fmt.Errorf("event %s: %w", name, err)
			}
		}
		c := k.Commit(env.ID, p.Role, p.Text)
		l.Parts = append(l.Parts, partV1{Commitment: hexOf(c[:]), Ref: owner, Role: p.Role})
	}

	data, err := l.marshal()
	if err != nil {
		return Encoded{}, fmt.Errorf("event %s: %w", name, err)
	}
	return Encoded{eventstore.Record{ID: env.ID, Type: name, Data: data}, plains}, nil
}

// requestOf returns how a line names a request. Its texts lie in one string.
func requestOf(r Request) *requestV1 {
	all := hexOf(r.Digest[:], r.ID[:], r.Source[:])
	id, source := 2*len(r.Digest), 2*(len(r.Digest)+len(r.ID))
	return &requestV1{Digest: all[:id], ID: all[id:source], Sequence: r.Sequence, Source: all[source:]}
}

// hexOf is hex.EncodeToString of some short bytes, one after the other.
func hexOf(list ...[]byte) string {
	var buf [128]byte
	b := buf[:0]
	for _, x := range list {
		b = hex.AppendEncode(b, x)
	}
	return string(b)
}

// Public returns what of e a line would hold as its data: nothing personal.
func Public(e domain.Event) (jsontext.Value, error) {
	name, shape, _, err := shapeOf(e)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", name, err)
	}
	t := scratch.Get().(*jsonwrite.Text)
	defer scratch.Put(t)
	t.B, t.Err = t.B[:0], nil
	appendShape(t, shape)
	return bytes.Clone(t.B), t.Err
}

// details returns an event's personal text, if it has one.
func details(text domain.Personal) []Plain { return personal("details", text) }

func personal(role string, text domain.Personal) []Plain {
	if text == "" {
		return nil
	}
	return []Plain{{Role: role, Text: []byte(text.Reveal())}}
}

// An UnreadableError names a record that this program cannot read, or that is
// damaged: reading it again brings the same.
type UnreadableError struct {
	Position eventstore.Position
	Type     string
	Err      error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("record %d (%s): %v", e.Position, e.Type, e.Err)
}

// Unwrap returns what is wrong with the record.
func (e *UnreadableError) Unwrap() error { return e.Err }

// Decode reads any record that was ever written. It never guesses: a name, a
// member or a form that it does not know is an [*UnreadableError].
func Decode(r eventstore.Recorded) (Entry, error) {
	e, err := decode(r)
	if err != nil {
		return Entry{}, &UnreadableError{r.Position, r.Type, err}
	}
	return e, nil
}

func decode(r eventstore.Recorded) (Entry, error) {
	if e, data, ok := scanLine(r); ok {
		if shape := shapeOfName[e.Type]; shape != nil {
			var err error
			e.Event, _ = said.Of(e.Type, data, func() (event domain.Event, ok bool) {
				if event, ok = scanShape(e.Type, data); !ok {
					event, err = shape.read(data)
				}
				return event, err == nil
			})
			return e, err
		}
	}
	return reflected(r)
}

// said has the events that were read lately. None is changed, so all who said the
// same share one.
var said intern.Table[domain.Event]

// reflected is decode for whatever stands in a line.
func reflected(r eventstore.Recorded) (Entry, error) {
	var l readLine
	if err := json.Unmarshal(r.Data, &l, json.RejectUnknownMembers(true)); err != nil {
		return Entry{}, err
	}

	e := Entry{Type: l.Type, Revision: r.Revision, Position: r.Position}
	if err := e.readEnvelope(l); err != nil {
		return Entry{}, err
	}
	if l.V != 1 || l.Type != r.Type || e.ID != r.ID || l.Stream != string(r.Stream) {
		return Entry{}, fmt.Errorf("the line says v%d %s of %s, the store says otherwise", l.V, l.Type, l.Stream)
	}

	shape := shapeOfName[l.Type]
	if shape == nil {
		return Entry{}, fmt.Errorf("unknown type %q", l.Type)
	}

	var err error
	e.Event, err = shape.read(l.Data)
	return e, err
}

func (e *Entry) readEnvelope(l readLine) (err error) {
	if e.ID, err = eventstore.ParseEventID(l.ID); err != nil {
		return err
	}
	if e.Stream, err = ident.ParseStreamID(l.Stream); err != nil {
		return err
	}

	e.At, e.Recorded, e.Claimed = deadline.Instant(l.At), deadline.Instant(l.Recorded), deadline.Instant(l.Claimed)
	if l.Rules > domain.Rules {
		return fmt.Errorf("the fact folds by the rules %d, and the newest that are known here are %d: a newer "+
			"program wrote it", l.Rules, domain.Rules)
	}

	e.Actor, e.RecordedBy, e.OnBehalfOf, e.Rules, e.NotUnderstood = l.Actor, l.RecordedBy, l.OnBehalfOf, l.Rules,
		l.Unread
	if l.Request != nil {
		e.Request.Sequence = l.Request.Sequence
		if err = unhex(e.Request.ID[:], l.Request.ID); err != nil {
			return err
		}
		if err = unhex(e.Request.Digest[:], l.Request.Digest); err != nil {
			return err
		}
		if err = unhex(e.Request.Source[:], l.Request.Source); err != nil {
			return err
		}
	}

	for _, p := range l.Parts {
		part := Part{Role: p.Role, Ref: p.Ref}
		if err = unhex(part.Commitment[:], p.Commitment); err != nil {
			return err
		}
		e.Parts = append(e.Parts, part)
	}

	e.Owing, err = owingOf(l.Owing)
	return err
}

func unhex(dst []byte, s string) error {
	if len(s) != 2*len(dst) {
		return fmt.Errorf("want %d hex digits, have %d bytes", 2*len(dst), len(s))
	}
	_, err := hex.Decode(dst, []byte(s))
	return err
}
