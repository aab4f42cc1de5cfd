package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"consentledger/api/rest"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/views"
	"consentledger/domain/ident"
	"consentledger/projections/readmodel"
	"consentledger/projections/rebuild"
	"consentledger/projections/transparency/merkle"
)

// scratch is where projections are built beside the live ones: on their disk,
// since they take as much room. What a check that died left there goes.
func scratch(data, name string) (dir string, remove func() error, err error) {
	dir = filepath.Join(data, "views", "check", name)
	if err := os.RemoveAll(dir); err != nil {
		return "", nil, err
	}
	size, err := filesIn(filepath.Join(data, "views"))
	if err == nil {
		err = RoomFor(data, size)
	}
	if err != nil {
		return "", nil, fmt.Errorf("projections are not built beside the live ones: %w", err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, os.MkdirAll(dir, 0o700)
}

// filesIn returns how many bytes the files of a directory hold; one that is not
// there holds none.
func filesIn(dir string) (size uint64, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			size += uint64(info.Size())
		}
	}
	return size, err
}

// compareTables builds projections once more beside the live ones, and compares. It
// reads the log once for all.
func (d *DataDir) compareTables(
	ctx context.Context, log rebuild.History, live []rebuild.Model,
) (rows []rebuild.Row, err error) {
	dir, remove, err := scratch(d.path, "fresh")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	var pairs []rebuild.Pair
	for _, m := range live {
		fresh, err := views.Open(ctx, m.Name(), readmodel.Dir(dir), d.Ledger)
		if err != nil {
			return nil, err
		}
		defer fresh.Close()
		pairs = append(pairs, rebuild.Pair{Live: m, Fresh: fresh})
	}
	return rebuild.Check(ctx, log, pairs...)
}

// compareTrees derives every log's root once more; note finds what was signed.
func (d *DataDir) compareTrees(
	ctx context.Context, apps []ident.AppName, note func(ident.AppName) ([]byte, error),
) ([]rebuild.Row, error) {
	signed := map[ident.AppName]merkle.Checkpoint{}
	for _, app := range apps {
		text, err := note(app)
		if err != nil {
			return nil, fmt.Errorf("the log of %s: %w", app, err)
		}
		if signed[app], err = parseNote(text); err != nil {
			return nil, fmt.Errorf("the log of %s: %w", app, err)
		}
	}
	return rebuild.Trees(ctx, d.Store, signed)
}

// parseNote reads a checkpoint that this program signed.
func parseNote(text []byte) (merkle.Checkpoint, error) {
	body, _, _ := strings.Cut(string(text), "\n\n")
	return merkle.ParseCheckpoint(body + "\n")
}

// rebuild compares everything that this server has projected.
func (h *Server) rebuild(ctx context.Context) ([]rebuild.Row, error) {
	if !h.checking.TryLock() {
		return nil, rest.ErrChecking
	}
	defer h.checking.Unlock()
	reading, done := h.readings.begin(ReadingRebuild)
	defer done()
	var live []rebuild.Model
	for _, v := range h.open {
		live = append(live, v)
	}

	slices.SortFunc(live, func(a, b rebuild.Model) int { return strings.Compare(a.Name(), b.Name()) })
	all, err := h.Dir.compareTables(ctx, notedLedger{h.Dir.Ledger, reading}, live)
	if err != nil {
		return nil, err
	}

	apps, err := h.Logs.Keep.Apps()
	if err != nil {
		return nil, err
	}

	rows, err := h.Dir.compareTrees(ctx, apps, h.Logs.Checkpoint)
	return append(all, rows...), err
}

// RebuildDir is rebuild for the directory of a stopped server. It looks at
// copies: opening a projection may mend it.
func RebuildDir(ctx context.Context, path string) (all []rebuild.Row, err error) {
	d, err := OpenDataDir(ctx, path, "", false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if all, err = d.compareCopies(ctx); err != nil {
		return nil, err
	}

	entries, err := os.ReadDir(TileDir(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}

	var apps []ident.AppName
	for _, e := range entries {
		if app, err := ident.ParseAppName(e.Name()); err == nil && e.IsDir() {
			apps = append(apps, app)
		}
	}

	rows, err := d.compareTrees(ctx, apps, func(app ident.AppName) ([]byte, error) {
		return files.ReadPlainFile(filepath.Join(TileDir(path), string(app), "checkpoint"), files.MaxOwnFile)
	})
	return append(all, rows...), err
}

// compareCopies compares copies of the projections' files.
func (d *DataDir) compareCopies(ctx context.Context) (rows []rebuild.Row, err error) {
	dir, remove, err := scratch(d.path, "copy")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	head, err := d.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}

	var live []rebuild.Model
	for _, name := range slices.Sorted(slices.Values(views.Names())) {
		m, err := d.openCopy(ctx, dir, name)
		if err != nil {
			return nil, err
		}
		defer m.Close()
		at, err := m.Checkpoint(ctx)
		switch {
		case err != nil:
			return nil, err
		case at == 0 && head > 0: // nothing to compare: absent, damaged, or of another version
			rows = append(rows, rebuild.Row{Projection: name, Table: "all"})
		default:
			live = append(live, m)
		}
	}

	same, err := d.compareTables(ctx, d.Ledger, live)
	rows = append(rows, same...)
	slices.SortStableFunc(rows, func(a, b rebuild.Row) int { return strings.Compare(a.Projection, b.Projection) })
	return rows, err
}

// openCopy copies a projection's file to a directory, and opens it there.
func (d *DataDir) openCopy(ctx context.Context, dir, name string) (rebuild.Model, error) {
	for _, end := range []string{".sqlite", ".sqlite-wal"} {
		if err := CopyFile(filepath.Join(dir, name+end), filepath.Join(d.path, "views", name+end)); err != nil &&
			!errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return views.Open(ctx, name, readmodel.Dir(dir), d.Ledger)
}

func CopyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// restRebuild lets HTTP ask for the comparison.
func (h *Server) restRebuild(ctx context.Context) (rest.Rebuilt, error) {
	rows, err := h.rebuild(ctx)
	return rest.RebuiltOf(rows), err
}
