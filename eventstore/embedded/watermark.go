package embedded

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"consentledger/eventstore"
)

// A watermark says what was durable when a batch was written. Every batch begins
// with one, as log data, which Pebble keeps in the write-ahead log and nowhere
// else. If the log cannot be read as far as the watermark of a later batch in it says, it is
// damaged; without a watermark, what cannot be read was perhaps never synced,
// and lost in a crash as anything may be that nobody was told is safe, unless
// one flipped bit explains it, see [flipped].
type watermark struct {
	wal      uint64              // the log that sequence was written to
	sequence uint64              // of Pebble's, the first not durable
	position eventstore.Position // the last durable record
}

// watermarkSize is the size of what format returns.
const watermarkSize = 25

// watermarkTag tells watermarks from other log data.
const watermarkTag = 'p'

func (p watermark) format() []byte {
	b := append(make([]byte, 0, watermarkSize), watermarkTag)
	b = binary.BigEndian.AppendUint64(b, p.wal)
	b = binary.BigEndian.AppendUint64(b, p.sequence)
	return binary.BigEndian.AppendUint64(b, uint64(p.position))
}

func parseWatermark(b []byte) (watermark, bool) {
	if len(b) < watermarkSize || b[0] != watermarkTag {
		return watermark{}, false
	}
	return watermark{
		wal:      binary.BigEndian.Uint64(b[1:]),
		sequence: binary.BigEndian.Uint64(b[9:]),
		position: eventstore.Position(binary.BigEndian.Uint64(b[17:])),
	}, true
}

// batch returns a batch, with room for size bytes, that begins with the watermark
// of now.
func (d *DB) batch(size int) *pebble.Batch {
	b := d.pebble.NewBatchWithSize(size)
	_ = b.LogData(d.mark.watermarkNow().format(), nil) // never fails
	return b
}

// ending is what every batch ends with, as log data. A batch whose last bytes
// never reached the disk lacks more than one bit, whatever was put into it.
var ending = []byte{0xff, 0xff}

// ended returns b with its ending.
func ended(b *pebble.Batch) *pebble.Batch {
	_ = b.LogData(ending, nil) // never fails
	return b
}

// writeWatermark writes a batch that is nothing but a watermark, so that damage of more than
// one bit to the last record that was acknowledged is followed by a batch that
// tells. It is synced,
// since Pebble leaves what is not in its own memory until the next sync.
func (d *DB) writeWatermark() {
	if d.mark.watermarkNow() == (watermark{}) || d.Dead() || d.full() != nil {
		return
	}
	b := d.batch(0)
	if err := d.pebble.Apply(ended(b), pebble.Sync); err != nil {
		d.die(err)
		return
	}
	_ = b.Close() // it only gives the memory back
}
