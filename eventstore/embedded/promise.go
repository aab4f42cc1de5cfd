package embedded

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"consentledger/eventstore"
)

// A promise says what was durable when a batch was written. Every batch begins
// with one, as log data, which Pebble keeps in the write-ahead log and nowhere
// else. If the log cannot be read as far as a later batch in it promises, it is
// damaged; without a promise, what cannot be read was perhaps never synced,
// and lost in a crash as anything may be that nobody was told is safe, unless
// one flipped bit explains it, see [flipped].
type promise struct {
	wal      uint64              // the log that sequence was written to
	sequence uint64              // of Pebble's, the first not durable
	position eventstore.Position // the last durable record
}

// promiseSize is the size of what format returns.
const promiseSize = 25

// promiseTag tells promises from other log data.
const promiseTag = 'p'

func (p promise) format() []byte {
	b := append(make([]byte, 0, promiseSize), promiseTag)
	b = binary.BigEndian.AppendUint64(b, p.wal)
	b = binary.BigEndian.AppendUint64(b, p.sequence)
	return binary.BigEndian.AppendUint64(b, uint64(p.position))
}

func parsePromise(b []byte) (promise, bool) {
	if len(b) < promiseSize || b[0] != promiseTag {
		return promise{}, false
	}
	return promise{
		wal:      binary.BigEndian.Uint64(b[1:]),
		sequence: binary.BigEndian.Uint64(b[9:]),
		position: eventstore.Position(binary.BigEndian.Uint64(b[17:])),
	}, true
}

// batch returns a batch, with room for size bytes, that begins with the promise
// of now.
func (d *DB) batch(size int) *pebble.Batch {
	b := d.pebble.NewBatchWithSize(size)
	_ = b.LogData(d.mark.promised().format(), nil) // never fails
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

// seal writes a batch that is nothing but a promise, so that damage of more than
// one bit to the last record that was acknowledged is followed by a batch that
// tells. It is synced,
// since Pebble leaves what is not in its own memory until the next sync.
func (d *DB) seal() {
	if d.mark.promised() == (promise{}) || d.Dead() || d.full() != nil {
		return
	}
	b := d.batch(0)
	if err := d.pebble.Apply(ended(b), pebble.Sync); err != nil {
		d.die(err)
		return
	}
	_ = b.Close() // it only gives the memory back
}
