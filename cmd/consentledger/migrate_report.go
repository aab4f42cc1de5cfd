package main

import "fmt"

// What becomes of a part.
const (
	copiedPart = "copied"
	madeAnew   = "made anew"
	leftBehind = "left"
)

// report says what there is in the source, and what becomes of it.
func (m *migration) report() []migrationRow {
	s := &m.found
	rows := []migrationRow{{Part: "records", Does: copiedPart, Count: s.records, Bytes: s.bytes}}
	for _, t := range s.roots.Trees() {
		rows = append(rows, migrationRow{Part: "log of " + string(t.App), Does: copiedPart, Count: t.Size, Under: t.Signed, Root: t.Root.String()})
	}
	for _, k := range rowKinds {
		found := s.rows[k.prefix]
		switch {
		case found == nil:
		case k.copied:
			rows = append(rows, migrationRow{Part: k.what, Does: copiedPart, Count: found.count, Bytes: found.bytes})
		default:
			rows = append(rows, migrationRow{Part: k.what, Does: madeAnew, Count: found.count})
		}
	}
	files := migrationRow{Part: "files: keys, signed checkpoints, NATS", Does: copiedPart, Count: int64(len(s.files))}
	for _, f := range s.files {
		files.Bytes += f.size
	}
	rows = append(rows, files, migrationRow{Part: "read models and tiles", Does: madeAnew})

	for _, name := range s.unknown {
		rows = append(rows, migrationRow{Part: fmt.Sprintf("%q", name), Does: leftBehind, Note: "not of this program"})
	}
	if s.waiting > 0 {
		rows = append(rows, migrationRow{Part: "messages that wait in NATS", Does: copiedPart, Count: int64(s.waiting),
			Note: "an external NATS server has them still; leave it only once it has none"})
	}
	return rows
}

// bytes is about how much is written to the disk of the target: twice what there is,
// as long as logs and tables hold it both.
func (m *migration) bytes() uint64 {
	n := int64(0)
	for _, r := range m.report() {
		if r.Part == "records" && m.toStore != "" {
			continue
		}
		n += r.Bytes
	}
	return 2 * uint64(n)
}
