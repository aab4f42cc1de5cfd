package migrate

import (
	"fmt"

	"consentledger/cmd/internal/server"
	"consentledger/projections/transparency"
)

// What becomes of a part.
const (
	copiedPart = "copied"
	madeAnew   = "made anew"
	leftBehind = "left"
	otherForm  = "copied, in another form"
)

// report says what there is in the source, and what becomes of it.
func (m *Migration) report() []Row {
	s := &m.found
	rows := []Row{{Part: "records", Does: copiedPart, Count: s.records, Bytes: s.bytes}}
	for _, t := range m.trees() {
		rows = append(rows, Row{
			Part:  "log of " + string(t.App),
			Does:  copiedPart,
			Count: t.Size,
			Under: t.Signed,
			Root:  t.Root.String(),
		})
	}
	for _, k := range rowKinds {
		found := s.rows[k.Prefix]
		switch {
		case found == nil:
		case k.does != madeAnew:
			rows = append(rows, Row{Part: k.what, Does: copiedPart, Count: found.count, Bytes: found.bytes})
		default:
			rows = append(rows, Row{Part: k.what, Does: madeAnew, Count: found.count, Note: k.why})
		}
	}
	rows = append(rows, m.reportFiles()...)
	rows = append(rows, Row{Part: "read models and tiles", Does: madeAnew})

	for _, name := range s.unknown {
		rows = append(rows, Row{Part: fmt.Sprintf("%q", name), Does: leftBehind, Note: "not of this program"})
	}
	if s.waiting > 0 && !m.leavesNATS() {
		rows = append(rows, Row{Part: "messages that wait in NATS", Does: copiedPart, Count: int64(s.waiting),
			Note: "an external NATS server has them still; leave it only once it has none"})
	}
	return rows
}

// trees are the logs of all apps, as far as they could be derived.
func (m *Migration) trees() []transparency.Tree {
	if m.found.roots == nil {
		return nil
	}
	return m.found.roots.Trees()
}

// reportFiles says what becomes of the files of the directory.
func (m *Migration) reportFiles() []Row {
	sum := func(part, does string, files []server.FileCopy) Row {
		row := Row{Part: part, Does: does, Count: int64(len(files))}
		for _, f := range files {
			row.Bytes += f.Size
		}
		return row
	}
	if m.ToAt.Vault == "" {
		return []Row{sum("files: keys, signed checkpoints, NATS", copiedPart, m.found.files)}
	}

	keys := "to " + m.ToAt.Keys + ", for its owner alone"
	rows := []Row{{Part: "keys of the vault", Does: copiedPart, Note: keys}}
	if m.FromAt.Vault == "" {
		rows = append(rows, Row{
			Part: "signing keys, signed checkpoints, what witnesses signed, the keys of calendar feeds and of " +
				"subject tokens",
			Does: otherForm, Note: "rows of the vault",
		})
	}
	if len(m.found.files) > 0 {
		rows = append(rows, sum("files of logs that were given up", copiedPart, m.found.files))
	}
	if len(m.found.left) > 0 {
		row := sum("streams of the embedded NATS server", leftBehind, m.found.left)
		row.Bytes, row.Note = 0, "several processes use servers of their own; nothing in it waits to be taken"
		rows = append(rows, row)
	}
	return rows
}

// bytes is about how much is written to the disk of the target: twice what there is,
// as long as logs and tables hold it both.
func (m *Migration) bytes() uint64 {
	n := int64(0)
	if m.ToAt.Store == "" {
		n += m.found.bytes
	}
	for prefix, found := range m.found.rows {
		if m.ToAt.Vault == "" && m.isCopied([]byte(prefix)) {
			n += found.bytes
		}
	}
	for _, f := range m.found.files {
		n += f.Size
	}
	return 2 * uint64(n)
}
