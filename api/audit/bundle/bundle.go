// Package bundle packs evidence so that it verifies without a server: records
// as they were stored, the proof of each under one signed checkpoint, the texts
// that they name, and what of it is personal for whom it may be shown to.
//
// A bundle is a ZIP file of the format consent-evidence/1:
//
//	manifest.json   what it is about, the tree, and every other file by its hash
//	checkpoint      the signed checkpoint that all proofs are under
//	key             the verifier key; who verifies has it from elsewhere
//	records.jsonl   {"index", "record", "path"}: the stored line and its audit path
//	parts.jsonl     personal parts that are shown, each with its opening
//	blobs/HASH      texts and documents by their hash
//	report.md       the same for reading, in English or Chinese
//
// The manifest is not signed: nothing in it is believed that the records do not
// show. What it says was selected can be held against the log, record by
// record: one that was left out is found.
package bundle

import (
	"fmt"
	"strings"

	"consentledger/domain"

	"github.com/go-json-experiment/json"
)

// Format is the name of the format that is written.
const Format = "consent-evidence/1"

// The files of a bundle.
const (
	manifestFile   = "manifest.json"
	checkpointFile = "checkpoint"
	keyFile        = "key"
	recordsFile    = "records.jsonl"
	partsFile      = "parts.jsonl"
	reportFile     = "report.md"
	blobDir        = "blobs/"
)

// A Manifest says what a bundle is about.
type Manifest struct {
	Format    string        `json:"format"`
	Origin    string        `json:"origin"` // of the log
	Made      string        `json:"made"`   // RFC 3339
	Software  Software      `json:"software"`
	Selection Selection     `json:"selection"`
	Tree      Tree          `json:"tree"`
	Streams   []StreamCount `json:"streams"`
	Linked    []string      `json:"linked"` // streams of the same person that are not in here
	Voids     int           `json:"voids"`  // records that void others
	Gaps      []Gap         `json:"producer_gaps"`
	Rejected  *int          `json:"rejected_messages"` // waiting when it was made; null: not known
	Parts     int           `json:"parts"`
	Files     []File        `json:"files"`
}

// Software is what made a bundle.
type Software struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256,omitzero"` // of the program's file; empty: it could not be read
}

// A Selection says which records of an app's log a bundle has. Without a
// stream and a span it is all of them.
type Selection struct {
	App     domain.AppName `json:"app"`
	Subject string         `json:"subject,omitzero"` // a person's pseudonym
	From    domain.Instant `json:"from,omitzero"`    // of Recorded, in milliseconds
	To      domain.Instant `json:"to,omitzero"`      // not included
}

// A Tree is what the proofs are under.
type Tree struct {
	Size int64  `json:"size"`
	Root string `json:"root"`
}

// A StreamCount says how far a stream went when the tree had its size: its last
// revision is the number of its records.
type StreamCount struct {
	Stream       string `json:"stream"`
	LastRevision int64  `json:"last_revision"`
	Records      int64  `json:"records"` // of it in the bundle
}

// A Gap says that a producer which numbers its events left numbers out.
type Gap struct {
	Source string `json:"source"` // a keyed digest
	After  uint64 `json:"after"`
	Before uint64 `json:"before"`
}

// A File is one of the bundle's.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// A recordLine is a line of records.jsonl.
type recordLine struct {
	Index  int64    `json:"index"`
	Record string   `json:"record"`
	Path   [][]byte `json:"path"`
}

// A Part is a line of parts.jsonl: what a record says about one person, and the
// key with which its commitment is computed.
type Part struct {
	Event   string `json:"event"`
	Role    string `json:"role"`
	Ref     string `json:"ref"` // the pseudonym of whom it belongs to
	Text    []byte `json:"text"`
	Opening []byte `json:"opening"`
}

// A stored is what this package reads of a record.
type stored struct {
	ID       string         `json:"id"`
	Stream   string         `json:"stream"`
	Type     string         `json:"type"`
	At       domain.Instant `json:"at"`
	Recorded domain.Instant `json:"recorded"`
	Actor    string         `json:"actor"`
	Data     data           `json:"data"`
	Request  struct {
		Source   string `json:"source"`
		Sequence uint64 `json:"sequence"`
	} `json:"request"`
	Parts []struct {
		Commitment string `json:"commitment"`
		Ref        string `json:"ref"`
		Role       string `json:"role"`
	} `json:"parts"`
}

// data is what a selection looks at of a record's own members.
type data struct {
	Subject string `json:"subject"`
	Other   string `json:"other"`
	Cause   cause  `json:"cause"`
}

// cause is a member that is an object in some events and a text in others.
type cause struct{ Subject string }

// UnmarshalJSON reads the object and passes over the text.
func (c *cause) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return nil
	}
	var shape struct {
		Subject string `json:"subject"`
	}
	err := json.Unmarshal(b, &shape)
	c.Subject = shape.Subject
	return err
}

func parse(record []byte) (stored, error) {
	var s stored
	if err := json.Unmarshal(record, &s); err != nil {
		return s, fmt.Errorf("is no record: %w", err)
	}
	return s, nil
}

// A chooser says which records of a log are selected. It sees all of them, in
// their order: a request belongs to whom its first record says.
type chooser struct {
	Selection
	streams map[string]bool // of the person, beside their own
}

func newChooser(s Selection) *chooser { return &chooser{s, map[string]bool{}} }

// wants reports whether a record is selected. Of a person that is what their
// own streams tell, what belongs to them elsewhere, and what the app published.
func (c *chooser) wants(s stored) bool {
	if c.From != 0 && s.Recorded < c.From || c.To != 0 && s.Recorded >= c.To {
		return false
	}
	if c.Subject == "" {
		return true
	}
	noun, rest, _ := strings.Cut(s.Stream, "-")
	switch domain.Noun(noun) {
	case domain.PolicyNoun, domain.SurfaceNoun, domain.ServiceNoun, domain.CalendarNoun:
		return true
	case domain.SubjectNoun, domain.AccessNoun:
		if rest == string(c.App)+"-"+c.Subject {
			return true
		}
	case domain.RequestNoun, domain.ObligationNoun:
		if s.Data.Subject == c.Subject || s.Data.Cause.Subject == c.Subject {
			c.streams[s.Stream] = true
		}
		return c.streams[s.Stream]
	}
	for _, p := range s.Parts {
		if p.Ref == c.Subject {
			return true
		}
	}
	return false
}
