package bundle

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// container holds every byte of the ZIP file against what [Maker.Write] would
// write of the same files: the headers of each file, the directory and its end. So
// nothing stands before, between or behind the files, no comment and no extra
// field says anything, and a program that reads the files one after the other finds
// the same ones as a program that reads the directory. Free are only the bits by
// which a compressed block is filled up to a whole byte, which no program reads.
func (b *opening) container(r io.ReaderAt, size int64) error {
	made, err := time.Parse(time.RFC3339, b.Manifest.Made)
	if err != nil {
		return fmt.Errorf("%s: when it was made is no time", ManifestFile)
	}

	same := &comparer{want: bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 1<<16)}
	again := zip.NewWriter(same)
	for _, f := range b.zip.File {
		if err := copyRaw(again, f, made); err != nil {
			return same.explain(fmt.Errorf("%s: %w", f.Name, err))
		}
	}
	if err := again.Close(); err != nil {
		return same.explain(err)
	}
	if same.n != size {
		return fmt.Errorf("%d bytes behind the bundle's end belong to no file", size-same.n)
	}
	return nil
}

// copyRaw writes a file as the maker of a bundle would, with the compressed bytes
// that it has.
func copyRaw(w *zip.Writer, f *zip.File, made time.Time) error {
	h := header(f.Name, made)
	if f.ModifiedDate == 0 { // packed again, by a program that writes no times
		h.Modified = time.Time{}
	}

	// Fill in what belongs to the name and the time. A compressor is not needed for
	// it, and costs a megabyte.
	h.Method = zip.Store
	if _, err := zip.NewWriter(io.Discard).CreateHeader(h); err != nil {
		return err
	}
	h.Method = zip.Deflate
	h.CRC32, h.CompressedSize64, h.UncompressedSize64 = f.CRC32, f.CompressedSize64, f.UncompressedSize64

	to, err := w.CreateRaw(h)
	if err != nil {
		return err
	}
	from, err := f.OpenRaw()
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return err
}

// header is how a bundle's files are described in it.
func header(name string, made time.Time) *zip.FileHeader {
	return &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: made.UTC().Truncate(time.Second)}
}

var errOther = errors.New("another byte")

// A comparer compares what is written to it.
type comparer struct {
	want *bufio.Reader
	n    int64 // bytes that are the same
}

// Write implements [io.Writer]. It fails at the first byte that is another.
func (c *comparer) Write(b []byte) (int, error) {
	for done := 0; done < len(b); {
		want, err := c.want.Peek(min(len(b)-done, c.want.Size()))
		if len(want) == 0 {
			return done, fmt.Errorf("%w: %w", errOther, err)
		}
		got := b[done : done+len(want)]
		if !bytes.Equal(got, want) {
			return done, errOther
		}
		done += len(want)
		c.n += int64(len(want))
		if _, err := c.want.Discard(len(want)); err != nil {
			return done, err
		}
	}
	return len(b), nil
}

// explain says where the first byte is that is another.
func (c *comparer) explain(err error) error {
	if !errors.Is(err, errOther) {
		return fmt.Errorf("is no bundle: %w", err)
	}
	return fmt.Errorf("the container is not as a bundle's is, at byte %d or soon after it: what stands there belongs "+
		"to no file, or other programs read another one", c.n)
}

// inflate writes what a file of the bundle holds, and at most limit bytes. All of
// its compressed bytes belong to it.
func inflate(w io.Writer, f *zip.File, limit int64) (int64, error) {
	raw, err := f.OpenRaw()
	if err != nil {
		return 0, err
	}

	compressed := bufio.NewReader(raw) // of which flate takes no byte too many
	sum := crc32.NewIEEE()
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(flate.NewReader(compressed), limit+1))
	if err != nil {
		return n, err
	}
	if n > limit {
		return n, errors.New("is too large")
	}
	if _, err := compressed.ReadByte(); !errors.Is(err, io.EOF) {
		return n, errors.New("has bytes behind its end")
	}
	if sum.Sum32() != f.CRC32 || uint64(n) != f.UncompressedSize64 {
		return n, errors.New("is not as the container says")
	}
	return n, nil
}
