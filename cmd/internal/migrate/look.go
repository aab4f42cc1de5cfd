package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"consentledger/api/nats/intake"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore"
	copying "consentledger/eventstore/migration"
	"consentledger/projections/transparency"
)

// Obstacles are all that stands in the way of a migration. All of them are found before
// anything is copied, so that whoever plans one mends them at once.
type obstacles struct {
	all  []error
	more int
}

// maxObstacles is how many are told: of thousands of records one may be like the other.
const maxObstacles = 30

func (o *obstacles) add(err error) {
	switch {
	case err == nil:
	case len(o.all) < maxObstacles:
		o.all = append(o.all, err)
	default:
		o.more++
	}
}

// err returns nil if there are none, and the obstacle itself if there is one.
func (o *obstacles) err() error {
	switch len(o.all) {
	case 0:
		return nil
	case 1:
		return o.all[0]
	}
	return o
}

func (o *obstacles) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d things stand in the way:", len(o.all)+o.more)
	for _, err := range o.all {
		fmt.Fprintf(&b, "\n- %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if o.more > 0 {
		fmt.Fprintf(&b, "\n- and %d more", o.more)
	}
	return b.String()
}

func (o *obstacles) Unwrap() []error { return o.all }

// look reads the source once, to its end, and finds all that stands in the way before
// anything is copied. It returns an error if the source cannot be read on.
func (m *Migration) look(ctx context.Context) error {
	if m.use == "demo" && m.ToAt.Vault != "" {
		m.obstacles.add(fmt.Errorf("%s is that of a demo, which one process serves: leave --to-vault away", m.From))
	}
	m.obstacles.add(m.source.idle(ctx, taking))
	if err := m.source.openVault(ctx); err != nil {
		m.obstacles.add(fmt.Errorf("the persons of the source: %w", err))
	}
	keep, err := m.source.keep(ctx)
	if err == nil {
		m.found.roots, err = keep.Roots(ctx)
	}
	m.obstacles.add(err)

	if err := m.lookAtRecords(ctx); err != nil {
		return err
	}
	if err := m.lookAtFiles(); err != nil {
		return err
	}
	if err := m.lookAtRows(ctx); err != nil {
		return err
	}
	return m.lookAtMessages(ctx)
}

func (m *Migration) lookAtRecords(ctx context.Context) error {
	s := &m.found
	fmt.Fprintf(m.Tell, "reading %s\n", m.From)
	for r, err := range m.source.store.ReadAll(ctx, 0) {
		if err != nil {
			return fmt.Errorf("the source, behind record %d: %w", s.records, err)
		}
		s.records, s.bytes, s.last = s.records+1, s.bytes+int64(len(r.Data)), r.ID
		err := copying.Check(r)
		if err == nil && s.roots != nil {
			err = s.roots.Add(r)
		}
		if err != nil {
			m.obstacles.add(fmt.Errorf("the source, record %d: %w", s.records, err))
		}
	}

	if s.records == 0 {
		m.obstacles.add(errors.New("the source holds no record: there is nothing to move, start a new ledger instead"))
	}

	if s.roots != nil {
		if err := s.roots.Done(); err != nil {
			m.obstacles.add(fmt.Errorf("the source: %w", err))
		}
	}
	return nil
}

// lookAtFiles finds what the directory holds beside the store, and what of it the
// target has a use for.
func (m *Migration) lookAtFiles() error {
	files, unknown, err := server.FilesOf(m.From)
	if err != nil {
		return err
	}

	m.found.unknown = unknown
	for _, f := range files {
		switch top, _, _ := strings.Cut(f.Path, string(filepath.Separator)); {
		case m.ToAt.Vault == "", strings.HasPrefix(top, "log.lost-"):
			m.found.files = append(m.found.files, f)
		case top == "nats":
			m.found.left = append(m.found.left, f)
		}
	}
	return nil
}

func (m *Migration) lookAtRows(ctx context.Context) error {
	s := &m.found
	s.rows = map[string]*rowsFound{}
	all := []eventstore.Rows{m.source.rows}
	if m.source.shared != nil {
		all = append(all, m.source.db.Rows())
	}

	for _, rows := range all {
		for row, err := range rows.Scan(ctx, nil) {
			if err != nil {
				return fmt.Errorf("the source: %w", err)
			}
			kind, err := KindOfRow(row.Key)
			if err != nil {
				m.obstacles.add(err)
				continue
			}
			if s.rows[kind.Prefix] == nil {
				s.rows[kind.Prefix] = new(rowsFound)
			}
			s.rows[kind.Prefix].count++
			s.rows[kind.Prefix].bytes += int64(len(row.Key) + len(row.Value))
		}
	}
	return nil
}

// lookAtMessages finds what is still in NATS. Several processes use servers of their
// own, so what is in the embedded one has to be taken before.
func (m *Migration) lookAtMessages(ctx context.Context) (err error) {
	if m.found.waiting, err = intake.Untaken(ctx, m.source.rows); err != nil || !m.leavesNATS() {
		return err
	}

	if n := m.found.waiting; n > 0 {
		m.obstacles.add(fmt.Errorf("%d messages wait in the embedded NATS server, which several processes do not "+
			"have: let the server run until they are taken", n))
	}

	n, err := intake.Unlooked(ctx, m.source.rows)
	if n > 0 {
		m.obstacles.add(fmt.Errorf("%d rejected messages that may be an opt-out lie in the embedded NATS server, "+
			"which several processes do not have, and nobody has looked at them: see consentledger rejected list, "+
			"and retry them or mark them as seen", n))
	}
	return err
}

// leavesNATS reports whether the streams of an embedded NATS server stay where they are.
func (m *Migration) leavesNATS() bool { return m.ToAt.Vault != "" && m.embeddedNATS() }

// embeddedNATS reports whether the source ever had an embedded NATS server.
func (m *Migration) embeddedNATS() bool {
	_, err := os.Stat(filepath.Join(m.From, "nats"))
	return m.FromAt.Vault == "" && err == nil
}

// keep returns what the logs of a side stand on; nil: they have none.
func (s *side) keep(ctx context.Context) (*transparency.Keep, error) {
	if s.shared == nil {
		register, err := transparency.OpenRegister(ctx, s.rows)
		if err != nil {
			return nil, err
		}
		return transparency.ReadKeep(server.KeepDir(s.path), register)
	}
	if s.vault == nil {
		return nil, errors.New("the signing keys of the logs cannot be read without the vault's keys")
	}
	return transparency.ReadShared(ctx, server.SharedLogs(s.shared, s.vault))
}

// tryTarget finds what stands in the way in the target, without making its directory.
func (m *Migration) tryTarget(ctx context.Context, begun bool) {
	m.obstacles.add(m.checkKeysFile())
	s := &side{path: m.To, at: m.ToAt}
	m.target = s
	if s.at.Store != "" {
		m.obstacles.add(s.openRecords(ctx, eventstore.Mark{}))
	}
	if s.at.Vault != "" {
		m.obstacles.add(s.openPersons(ctx, eventstore.Mark{}))
	}

	for _, err := range m.isOurs(ctx, begun) {
		m.obstacles.add(err)
	}

	m.obstacles.add(s.close())
	m.target = nil
}

// checkKeysFile returns an error if the keys of the target cannot be where they shall.
func (m *Migration) checkKeysFile() error {
	if m.ToAt.Vault == "" {
		return nil
	}

	name := m.ToAt.Keys
	if dir, err := os.Stat(filepath.Dir(name)); err != nil || !dir.IsDir() {
		return exit.Usage(fmt.Errorf("--to-vault-keys: there is no directory %s", filepath.Dir(name)))
	}

	is, err := files.ReadOwnFile(name, files.MaxKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--to-vault-keys: %w", err)
	}

	want, err := files.ReadOwnFile(m.source.keysFile(), files.MaxKeyFile)
	if err != nil {
		return nil // it was told already
	}

	if string(is) != string(want) {
		return exit.Usage(fmt.Errorf("--to-vault-keys: %s is there and holds other keys than those of the source: "+
			"name a file that is not there", name))
	}
	return nil
}
