package migrate

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"consentledger/api/audit/witness"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore"
	"consentledger/projections/transparency"
)

// What one process has in files of its directory, several have in rows that all of them
// share, and the other way round:
//
//	log/origin, log/APP.key, log/APP.signed    rows of the logs, the keys sealed
//	log/witness, log/timestamp                 a shelf in rows
//	feed.key, token.key                        a row each, sealed
//	keys                                       a file outside the directory, the same for all
//
// The keys of the vault are copied as they are, all epochs of them: what they wrap is
// copied as it is, too, so that it can be compared byte by byte, and a migration that
// is killed halfway leaves nothing that is wrapped under a key which only one side has.
// To have the target's under a key that the source never had, begin a new epoch
// afterwards and retire the old ones.

// carryKeys copies the keys of the vault, where they are not among the files of the
// directory. Keys that are there already are those of the source: see checkKeysFile.
func (m *Migration) carryKeys() error {
	if m.source.shared == nil && m.target.shared == nil {
		return nil
	}
	if err := m.checkKeysFile(); err != nil {
		return err
	}

	text, err := files.ReadOwnFile(m.source.keysFile(), files.MaxKeyFile)
	if err != nil {
		return fmt.Errorf("the keys of the source: %w", err)
	}

	name := m.target.keysFile()
	if is, err := files.ReadOwnFile(name, files.MaxKeyFile); err == nil && string(is) == string(text) {
		return nil
	}
	return server.WritePrivate(name, string(text))
}

// carryLogs writes what the logs stand on, what witnesses and authorities signed, and
// the keys of the calendar feeds and of subject tokens.
func (m *Migration) carryLogs(ctx context.Context, roots *transparency.Roots, before eventstore.Position) error {
	to := m.target
	if to.shared != nil {
		if err := roots.Share(ctx, server.SharedLogs(to.shared, to.vault), before); err != nil {
			return err
		}
	} else {
		register, err := transparency.OpenRegister(ctx, to.rows)
		if err != nil {
			return err
		}
		if err := roots.WriteTo(server.KeepDir(m.To), register, before); err != nil {
			return err
		}
	}

	if m.source.shared == nil && to.shared == nil {
		return nil // they are among the files
	}
	if err := carryShelf(m.source, to); err != nil {
		return err
	}
	return errors.Join(m.carryFeedKey(ctx), m.carryTokenKey(ctx))
}

// shelves returns where what witnesses and authorities signed is.
func (s *side) shelves() []witness.Shelf {
	if s.shared != nil {
		return []witness.Shelf{witness.RowShelf{Rows: s.shared}}
	}
	return []witness.Shelf{witness.Dir(server.CosignedDir(s.path)), witness.Dir(server.StampDir(s.path))}
}

// shelfFor returns the shelf that something has its place on, by its name; nil: it is
// on none, as what was being written when a process died.
func (s *side) shelfFor(name string) witness.Shelf {
	all := s.shelves()
	switch {
	case strings.HasSuffix(name, ".cosigned"):
		return all[0]
	case strings.HasSuffix(name, ".checkpoint"), strings.HasSuffix(name, ".tsr"):
		return all[len(all)-1]
	}
	return nil
}

func carryShelf(from, to *side) error {
	for _, shelf := range from.shelves() {
		names, err := shelf.Names("")
		if err != nil {
			return err
		}
		for _, name := range names {
			into := to.shelfFor(name)
			if into == nil {
				continue
			}
			data, err := shelf.Read(name)
			if err != nil {
				return err
			}
			if dir, is := into.(witness.Dir); is {
				if err := os.MkdirAll(string(dir), 0o700); err != nil {
					return err
				}
			}
			if err := into.Write(name, data); err != nil {
				return err
			}
		}
	}
	return nil
}

// carryFeedKey writes the key of the calendar feeds, if there is one.
func (m *Migration) carryFeedKey(ctx context.Context) error {
	key, err := m.source.feedKey(ctx)
	if err != nil || key == nil {
		return err
	}
	if m.target.shared == nil {
		return server.WritePrivate(filepath.Join(m.To, "feed.key"), hex.EncodeToString(key)+"\n")
	}
	return server.WriteFeedKey(ctx, m.target.vault, m.target.shared, key)
}

// feedKey returns the key of the calendar feeds; nil: there is none yet.
func (s *side) feedKey(ctx context.Context) ([]byte, error) {
	if s.shared == nil {
		return readFeedKey(s.path)
	}
	value, ok, err := s.shared.Get(ctx, server.FeedKeyRow)
	if err != nil || !ok {
		return nil, err
	}
	return server.UnsealFeedKey(ctx, s.vault, value)
}

// readFeedKey reads the key of the calendar feeds from a directory; nil: it has none.
func readFeedKey(dir string) ([]byte, error) {
	_, err := os.Stat(filepath.Join(dir, "feed.key"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return server.OpenFeedKey(dir)
}

// carryTokenKey writes the key of subject tokens, if there is one.
func (m *Migration) carryTokenKey(ctx context.Context) error {
	key, err := m.source.tokenKey(ctx)
	if err != nil || key == nil {
		return err
	}
	if m.target.shared == nil {
		return server.WritePrivate(filepath.Join(m.To, server.TokenKeyFile), hex.EncodeToString(key)+"\n")
	}
	return server.WriteTokenKey(ctx, m.target.vault, m.target.shared, key)
}

// tokenKey returns the key of subject tokens; nil: there is none yet.
func (s *side) tokenKey(ctx context.Context) ([]byte, error) {
	if s.shared == nil {
		_, err := os.Stat(filepath.Join(s.path, server.TokenKeyFile))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return server.OwnTokenKey(s.path)
	}
	value, ok, err := s.shared.Get(ctx, server.TokenKeyRow)
	if err != nil || !ok {
		return nil, err
	}
	return server.UnsealTokenKey(ctx, s.vault, value)
}
