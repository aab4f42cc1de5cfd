package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// derived holds what the manifest says of the records against them.
func (b *opening) derived() error {
	m, others := b.Manifest, b.tally.links(Selection{App: b.Manifest.Selection.App})
	for _, l := range m.Selection.Linked {
		if !b.tally.others[l] && m.Selection.From == 0 {
			return fmt.Errorf("it says that %s is linked, and no record links it", l)
		}
	}

	switch {
	case !slices.Equal(m.Linked, others):
		return errors.New("the linked streams that it names are not those of the records")
	case m.Voids != b.tally.voids || m.Parts != b.Parts:
		return errors.New("its counts are not those of the records")
	case m.Selection.whole() && !slices.Equal(m.Gaps, b.tally.gaps()):
		return errors.New("the gaps in producers' numbers are not those of the records")
	}
	return nil
}

// blobs wants every text that a record names. A policy's text is always kept
// by a ledger; another may never have come to it, and then it says so.
func (b *opening) blobs() error {
	for _, hash := range slices.Sorted(maps.Keys(b.texts)) {
		there, missing := b.hasBlob(hash), slices.Contains(b.Manifest.Missing, hash)
		switch {
		case there && missing:
			return fmt.Errorf("%s: it says that the text %s is missing, and it is there", ManifestFile, hash)
		case !there && b.policyTexts[hash]:
			return fmt.Errorf("the policy text %s, which a record names, is missing", hash)
		case !there && !missing:
			return fmt.Errorf("the text %s, which a record names, is missing", hash)
		}
	}

	for _, hash := range slices.Sorted(maps.Keys(b.documents)) {
		switch there, missing := b.hasBlob(hash), slices.Contains(b.Manifest.Missing, hash); {
		case there && missing:
			return fmt.Errorf("%s: it says that the policy document %s is missing, and it is there", ManifestFile, hash)
		case !there && !missing && b.Manifest.Report.Form >= documentsForm:
			return fmt.Errorf("the policy document %s, which a record names, is missing", hash)
		}
	}

	for _, hash := range b.Manifest.Missing {
		if !b.texts[hash] && !b.documents[hash] {
			return fmt.Errorf("%s: it misses the text %s, which no record names", ManifestFile, hash)
		}
	}
	return nil
}

func (b *opening) hasBlob(hash string) bool {
	return b.find(blobFile(hash)) != nil
}

// documentsForm is the form of report from which on a bundle names the policy
// documents that it lacks. The records of those of before have all that they say.
const documentsForm = 4

// reports derives the report again, if it is of a form that this program
// writes.
func (b *opening) reports() error {
	r := b.Manifest.Report
	if r.Lang == "" || r.Form < picturesForm-1 || r.Form > reportForm {
		return nil
	}

	b.reading.text = func(hash string) ([]byte, bool, error) {
		text, err := b.whole(blobFile(hash))
		return text, err == nil, nil
	}
	for _, form := range forms {
		var want bytes.Buffer
		if err := b.reading.write(&want, form.sheet); err != nil {
			return err
		}
		got, err := b.whole(form.file)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want.Bytes()) {
			return fmt.Errorf("%s: it does not say what the records and the manifest give", form.file)
		}
	}

	b.report = true
	return nil
}

// claims lists what nobody can derive.
func (b *opening) claims() {
	m := b.Manifest
	claim := func(format string, args ...any) { b.Claims = append(b.Claims, fmt.Sprintf(format, args...)) }
	claim("that nothing of the selection was left out, unless it is held against the log")
	claim("when it was made: %s", m.Made)
	claim("the software that made it: %s %s", m.Software.Version, m.Software.SHA256)
	if m.Rejected != nil {
		claim("how many rejected messages wait: %d", *m.Rejected)
	}
	if !m.Selection.whole() {
		claim("the gaps in producers' numbers, %d, and the last revisions of streams, unless it is held against "+
			"the log", len(m.Gaps))
	}

	for _, l := range m.Selection.Linked {
		if !b.tally.others[l] {
			claim("that %s is a linked history: it was linked before the span", l)
		}
	}

	if n := len(b.unread); n > 0 {
		claim("that the texts which %d records name are there: this program does not read these records, the first "+
			"of them is %s", n, b.unread[0])
	}

	for _, hash := range slices.Sorted(maps.Keys(b.documents)) {
		if !b.hasBlob(hash) && !slices.Contains(m.Missing, hash) {
			claim("that the ledger does not have the policy document %s", hash)
		}
	}

	for _, s := range b.Screens {
		if !s.There {
			claim("that the ledger does not have the picture %s of %s", s.Hash, &s)
		}
	}

	for _, hash := range m.Missing {
		claim("that the ledger does not have the text %s", hash)
	}
	if m.Report.Lang != "" && !b.report {
		claim("all that the report says: another version wrote it (form %d)", m.Report.Form)
	}
}
