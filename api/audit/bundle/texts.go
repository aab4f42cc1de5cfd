package bundle

import (
	"strings"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// decode reads a record that this program knows; what it does not know is
// shown by its name alone.
func decode(s stored, record []byte) (codec.Entry, bool) {
	id, err := eventstore.ParseEventID(s.ID)
	if err != nil {
		return codec.Entry{}, false
	}
	e, err := codec.Decode(eventstore.Recorded{Record: eventstore.Record{ID: id, Type: s.Type, Data: record},
		Stream: eventstore.Stream(s.Stream)})
	return e, err == nil
}

// textsOf returns the hashes of the texts that a record names: a policy's, and
// what was shown. It is not ok if the record is of a kind that names texts and
// this program does not read it.
func textsOf(s stored, record []byte) (names []string, ok bool) {
	switch codec.KindOf(s.Type) {
	case "policy.published", "surface.published", "consent.given", "notice.presented":
	default:
		return nil, true
	}

	e, ok := decode(s, record)
	if !ok {
		return nil, false
	}

	var hashes []content.Hash
	switch x := e.Event.(type) {
	case domain.PolicyPublished:
		for _, t := range x.Document.Texts {
			hashes = append(hashes, t.Hash)
		}
	case domain.SurfacePublished:
		for _, l := range x.Surface.Locales {
			hashes = append(hashes, l.Text)
		}
	case domain.ConsentGiven:
		hashes = append(hashes, x.Text)
	case domain.NoticePresented:
		hashes = append(hashes, x.Text)
	}

	for _, h := range hashes {
		if h != (content.Hash{}) {
			names = append(names, h.String())
		}
	}
	return names, true
}

// documentOf returns the hash of the policy document that a record publishes; empty:
// it publishes none.
func documentOf(s stored, record []byte) string {
	if codec.KindOf(s.Type) != "policy.published" {
		return ""
	}
	e, _ := decode(s, record)
	p, _ := e.Event.(domain.PolicyPublished)
	if p.Version == (content.Hash{}) {
		return ""
	}
	return p.Version.String()
}

// blobsOf returns the hashes that a record names, of whatever.
func blobsOf(record []byte) []string {
	var named []string
	text := string(record)
	for {
		_, after, found := strings.Cut(text, `"sha256:`)
		if !found {
			return named
		}
		if len(after) > 64 && after[64] == '"' {
			named = append(named, "sha256:"+after[:64])
		}
		text = after
	}
}
