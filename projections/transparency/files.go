package transparency

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"
)

// writeTile writes a file of the cache. It is not synced, and may be torn by a
// crash: nothing that was published before lies in it.
func writeTile(path string, data []byte) error {
	err := os.WriteFile(path, data, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o600)
	}
	return err
}

// replace puts a small file of the cache in the place of another.
func replace(path string, data []byte) error {
	if err := writeTile(path+".next", data); err != nil {
		return err
	}
	return os.Rename(path+".next", path)
}

// A state says how far the cache is: the position up to which every app's tree
// is complete, and the size of each.
type state struct {
	position eventstore.Position
	sizes    map[ident.AppName]int64
}

const stateHeader = "consentledger transparency v1\n"

// format returns the text that parseState reads.
func (s state) format() []byte {
	b := []byte(stateHeader)
	b = fmt.Appendf(b, "position %d\n", s.position)
	var apps []ident.AppName
	for app := range s.sizes {
		apps = append(apps, app)
	}
	slices.Sort(apps)
	for _, app := range apps {
		b = fmt.Appendf(b, "app %s %d\n", app, s.sizes[app])
	}
	return fmt.Appendf(b, "sum %x\n", sha256.Sum256(b))
}

// parseState reads what format writes, and nothing else.
func parseState(text []byte) (state, error) {
	s := state{sizes: map[ident.AppName]int64{}}
	for line := range strings.Lines(strings.TrimPrefix(string(text), stateHeader)) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "position":
			n, err := strconv.ParseUint(rest, 10, 64)
			if err != nil {
				return state{}, err
			}
			s.position = eventstore.Position(n)
		case "app":
			name, number, _ := strings.Cut(rest, " ")
			app, err := ident.ParseAppName(name)
			if err != nil {
				return state{}, err
			}
			if s.sizes[app], err = strconv.ParseInt(number, 10, 64); err != nil || s.sizes[app] < 0 {
				return state{}, errors.New("a size is not a number")
			}
		}
	}

	if string(s.format()) != string(text) {
		return state{}, errors.New("the state of the tiles is not whole")
	}
	return s, nil
}

// partialsOf returns a tree's tiles of hashes that are not full.
func partialsOf(e *merkle.Edge) []merkle.Tile {
	var tiles []merkle.Tile
	e.Partials(func(t merkle.Tile, _ []byte) { tiles = append(tiles, t) })
	return tiles
}

// sweep removes what an earlier process left of partial tiles near the edge.
func sweep(dir string, e *merkle.Edge) error {
	tiles := partialsOf(e)
	var current []string
	for _, t := range tiles {
		current = append(current, merkle.Path(t))
	}

	for _, t := range tiles {
		for n := max(0, t.N-1); n <= t.N; n++ {
			partial := filepath.Join(dir, filepath.Dir(merkle.Path(merkle.Tile{H: t.H, L: t.L, N: n, W: 1})))
			names, err := filepath.Glob(filepath.Join(partial, "*"))
			if err != nil {
				return err
			}
			for _, name := range names {
				if rel, _ := filepath.Rel(dir, name); !slices.Contains(current, filepath.ToSlash(rel)) {
					if err := os.Remove(name); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}
