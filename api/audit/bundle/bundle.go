// Package bundle packs evidence so that it verifies without a server: records
// as they were stored, the proof of each under one signed checkpoint, the texts
// that they name, and what of it is personal for whom it may be shown to.
//
// A bundle is a ZIP file of the format consent-evidence/2:
//
//	manifest.json   what was selected, the tree, and every other file by its hash
//	checkpoint      the signed checkpoint that all proofs are under
//	key             the verifier key; who verifies has it from elsewhere
//	records.jsonl   {"index", "record", "path"}: the stored line and its audit path
//	streams.jsonl   {"stream", "last_revision", "records"}: how far each stream goes
//	parts.jsonl     personal parts that are shown, each with its opening
//	blobs/HASH      texts, documents and pictures of screens by their hash
//	report.md       the same for reading, in English or Chinese
//	report.html     report.md for printing
//
// Of the pictures, those belong into a bundle whose screens were published, shown or
// answered in what was asked for; see [Screen]. A ledger need not have one whose hash was
// published: then the bundle lacks it, and whoever verifies is told which.
//
// The manifest is not signed: nothing in it is believed that the records do not
// show. What follows from the records is derived again and compared, the report
// included; what does not is named as claimed, see [Opened.Claims]. What was
// selected is the maker's word: whoever verifies says what they asked for, and
// holds the bundle against the log, record by record.
//
// Records and personal parts are written as they are read. Making and verifying
// remember a few hundred bytes for every stream and every record that is
// selected, and [reportRows] records whole.
package bundle

import (
	"fmt"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"

	"github.com/go-json-experiment/json"
)

// Format is the name of the format that is written and read.
const Format = "consent-evidence/2"

// ManifestFile is the file that every bundle has, and names its others.
const ManifestFile = "manifest.json"

// The other files of a bundle.
const (
	checkpointFile = "checkpoint"
	keyFile        = "key"
	recordsFile    = "records.jsonl"
	streamsFile    = "streams.jsonl"
	partsFile      = "parts.jsonl"
	reportFile     = "report.md"
	printFile      = "report.html"
	blobDir        = "blobs/"
)

// A Manifest says what a bundle is about.
type Manifest struct {
	Format    string    `json:"format"`
	Origin    string    `json:"origin"` // of the log
	Made      string    `json:"made"`   // RFC 3339
	Software  Software  `json:"software"`
	Report    Reporting `json:"report"`
	Selection Selection `json:"selection"`
	Tree      Tree      `json:"tree"`
	Linked    []string  `json:"linked"` // streams of the same person that are not in here
	Voids     int       `json:"voids"`  // records that void others
	Gaps      []Gap     `json:"producer_gaps"`
	Rejected  *int      `json:"rejected_messages"` // waiting when it was made; null: not known
	Missing   []string  `json:"missing_texts"`     // that records name and the ledger does not have
	Parts     int       `json:"parts"`
	Files     []File    `json:"files"`
}

// Software is what made a bundle.
type Software struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256,omitzero"` // of the program's file; empty: it could not be read
}

// A Reporting says how the report was written: with the same form, language and
// records it is the same, byte for byte.
type Reporting struct {
	Form int    `json:"form"`
	Lang string `json:"lang"` // empty: there is none
}

// A Selection says which records of an app's log a bundle has. Without a
// person and a span it is all of them. What the app published up to the end of
// a span belongs to it: without it nothing in the span can be understood. So does
// the record that says whose a request is.
type Selection struct {
	App     ident.AppName    `json:"app"`
	Subject string           `json:"subject,omitzero"` // a person's pseudonym
	Linked  []string         `json:"linked,omitempty"` // pseudonyms of the same person in linked histories
	From    deadline.Instant `json:"from,omitzero"`    // of Recorded, in milliseconds
	To      deadline.Instant `json:"to,omitzero"`      // not included
}

// String says what is selected, for people.
func (s Selection) String() string {
	text := "the log of " + string(s.App)
	if s.Subject != "" {
		text = "person " + s.Subject + " in " + text
	}

	for _, l := range s.Linked {
		text += ", linked " + l
	}
	if s.From != 0 {
		text += ", from " + s.From.String()
	}
	if s.To != 0 {
		text += ", before " + s.To.String()
	}
	return text
}

// whole reports whether everything is selected.
func (s Selection) whole() bool { return s.Subject == "" && s.From == 0 && s.To == 0 }

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
	ID       string           `json:"id"`
	Stream   string           `json:"stream"`
	Type     string           `json:"type"`
	At       deadline.Instant `json:"at"`
	Recorded deadline.Instant `json:"recorded"`
	Actor    string           `json:"actor"`
	Data     data             `json:"data"`
	Request  struct {
		Source   string `json:"source"`
		Sequence uint64 `json:"sequence"`
	} `json:"request"`
	Parts []storedPart `json:"parts"`
}

type storedPart struct {
	Commitment string `json:"commitment"`
	Ref        string `json:"ref"`
	Role       string `json:"role"`
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
