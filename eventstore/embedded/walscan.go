package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A CorruptError says which file has changed since it was written, and from
// which byte on it cannot be read.
type CorruptError struct {
	File   string
	Offset int64
	Err    error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %v", e.File, e.Offset, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// logs is what the write-ahead logs and the MANIFEST were found to hold.
type logs struct {
	changes       int       // batches that change a key
	watermark     watermark // the one with the last position
	watermarkFile string    // its file
	doubtful      bool      // some file ends otherwise than Pebble ends it
}

// scanDir reads the files that Pebble would forgive too much: it takes any
// damage for the end of the file. It is called before Pebble opens, since
// Pebble deletes what it has taken over.
func scanDir(fs vfs.FS, dir string) (found logs, err error) {
	names, err := fs.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, err
	}

	slices.Sort(names)
	for _, name := range names {
		if log, ok := logNumber(name); ok {
			if err := scanFile(fs, fs.PathJoin(dir, name), log, &found); err != nil {
				return found, err
			}
		}
	}

	desc, err := pebble.Peek(dir, fs)
	if err != nil || !desc.Exists {
		return found, err
	}
	return found, scanFile(fs, fs.PathJoin(dir, path.Base(desc.ManifestFilename)), manifestID, &found)
}

// logNumber reads a name such as 000012.log.
func logNumber(name string) (int64, bool) {
	number, ok := strings.CutSuffix(name, ".log")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return n, err == nil
}

func scanFile(fs vfs.FS, name string, log int64, found *logs) error {
	data, err := readFile(fs, name)
	if err != nil {
		return err
	}
	s := scanner{data: data, name: name, log: log, found: found}
	return s.scan()
}

func readFile(fs vfs.FS, name string) (data []byte, err error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer closeInto(f, &err)
	return io.ReadAll(f)
}

// A scanner reads one file.
type scanner struct {
	data   []byte
	name   string
	log    int64
	found  *logs
	record []byte // the chunks so far of the record being read
	within bool   // whether a record is being read
	lost   bool   // whether the readable part has ended
	end    uint64 // the first sequence number after those that can be read
}

func (s *scanner) scan() error {
	good, stop, clean := s.readable()
	if clean {
		return nil
	}
	if at, ok := flipped(s.data, stop, s.log); ok {
		return s.corrupt(at, errors.New("with one bit of this byte changed the chunk is valid"))
	}
	s.found.doubtful = s.found.doubtful || s.log == manifestID
	return s.beyond(good)
}

// readable goes through the file as far as Pebble can, and returns where the
// last whole record ends, where the last valid chunk does, and whether the file
// ends as Pebble ends a log.
func (s *scanner) readable() (good, stop int, clean bool) {
	for stop < len(s.data) {
		c, ok, clean := chunkAfter(s.data, stop, s.log)
		if !ok {
			return good, stop, clean && !s.within
		}
		if c.first == s.within {
			return good, stop, false
		}
		if stop = c.end; s.take(c) {
			good = stop
			s.batch()
		}
	}
	return good, stop, !s.within
}

// beyond looks for a chunk after the place from which on the file cannot be
// read that proves that place to have been synced.
func (s *scanner) beyond(good int) error {
	s.record, s.within, s.lost = nil, false, true
	if s.log != manifestID && wrongTrailer(s.data[good:], s.log) {
		return s.corrupt(good, errors.New("a chunk that says it is of the next log has changed"))
	}

	for at := good; ; {
		c, ok, _ := chunkAfter(s.data, at, s.log)
		if !ok || at == good {
			c, ok = resync(s.data, at, s.log)
		}
		if !ok {
			return nil
		}
		at = c.end
		if err := s.proof(c, good); err != nil {
			return err
		}
	}
}

// proof returns an error if c proves that what is at good was synced.
func (s *scanner) proof(c chunk, good int) error {
	s.found.doubtful = true
	if s.log == manifestID {
		// Pebble syncs the MANIFEST after each record, so none begins
		// before the one before it is durable.
		if c.first {
			return s.corrupt(good, fmt.Errorf("a valid record begins at byte %d", c.at))
		}
		return nil
	}

	if c.first {
		s.record, s.within = nil, false
	}
	if !s.take(c) {
		return nil
	}
	if p := s.batch(); p.wal == uint64(s.log) && p.sequence > s.end {
		return s.corrupt(good, fmt.Errorf("the batch that ends at byte %d says that it was synced", c.end))
	}
	return nil
}

func (s *scanner) corrupt(at int, err error) error {
	return &CorruptError{File: s.name, Offset: int64(at), Err: err}
}

// take adds c to the record and reports whether that is whole now.
func (s *scanner) take(c chunk) bool {
	if c.first {
		s.record = s.record[:0]
	} else if !s.within {
		return false
	}
	s.record = append(s.record, c.payload...)
	s.within = !c.last
	return c.last
}

// Before a batch's first entry are its sequence number and its count, 8 and 4
// bytes, little-endian. An entry of log data is one byte 3, its length, and the
// data.
const (
	batchHeader = 12
	logDataKind = 3
)

// batch looks at the record, which is a batch unless the file is a MANIFEST, and
// returns its watermark.
func (s *scanner) batch() watermark {
	b := s.record
	if s.log == manifestID || len(b) < batchHeader {
		return watermark{}
	}

	count := binary.LittleEndian.Uint32(b[8:])
	if !s.lost {
		s.end = max(s.end, binary.LittleEndian.Uint64(b)+uint64(count))
	}
	if count > 0 {
		s.found.changes++
	}
	if b = b[batchHeader:]; len(b) < 2 || b[0] != logDataKind || b[1] != watermarkSize {
		return watermark{}
	}

	p, _ := parseWatermark(b[2:])
	if p.position > s.found.watermark.position {
		s.found.watermark, s.found.watermarkFile = p, s.name
	}
	return p
}

// wrongTrailer reports whether b begins with a chunk of the next log that is no
// trailer. Pebble takes it for one without a look at its checksum.
func wrongTrailer(b []byte, log int64) bool {
	return len(b) >= 11 && b[6] >= 5 && b[6] <= 12 && binary.LittleEndian.Uint32(b[7:]) == uint32(log+1) &&
		!isTrailer(b, log)
}
