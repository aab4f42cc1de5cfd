package embedded

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// flipped returns the byte with the one bit that, changed back, makes a valid
// chunk of what follows the last valid chunk, which ends at stop.
//
// That tells a flipped bit from a write that a crash cut short even where no
// later watermark covers it: a CRC-32C gives every single bit of a chunk a
// sum of its own, and what is left of a cut write is one bit away from valid by
// chance alone: one time in 500,000 for a record of 1 KB, one in 16,000 for a
// full block. Of two flipped bits it knows nothing.
func flipped(data []byte, stop int, log int64) (at int, ok bool) {
	next := min(len(data), stop-stop%blockSize+blockSize)
	if rest := data[stop:next]; len(rest) < longest {
		if len(rest) >= shortest && ones(rest) == 1 {
			if _, ok := parseChunk(data, next, log); ok {
				return stop + firstOne(rest), true
			}
		}
		if len(rest) < shortest || zero(rest) {
			stop, next = next, min(len(data), next+blockSize)
		}
	}

	if at, ok = flippedHead(data[stop:next], log); !ok {
		at, ok = flippedBody(data[stop:next], log)
	}
	return stop + at, ok
}

// flippedHead tries every bit of the header of the chunk that block begins with.
func flippedHead(block []byte, log int64) (at int, ok bool) {
	b := append([]byte(nil), block...)
	for at := range min(longest, len(b)) {
		for bit := range 8 {
			b[at] ^= 1 << bit
			if _, ok := parseChunk(b, 0, log); ok {
				return at, true
			}
			b[at] ^= 1 << bit
		}
	}
	return 0, false
}

// flippedBody looks for the one bit after the header that explains by how much
// the checksum is wrong. A CRC is linear: what a bit adds to it depends only on
// how many bytes follow.
func flippedBody(block []byte, log int64) (at int, ok bool) {
	if len(block) < shortest {
		return 0, false
	}

	header := headerSize(block[6])
	end := header + int(binary.LittleEndian.Uint16(block[4:]))
	if header == 0 || (log == manifestID) != (header == shortest) || end > len(block) {
		return 0, false
	}
	if log != manifestID && binary.LittleEndian.Uint32(block[7:]) != uint32(log) {
		return 0, false
	}

	wrong := crc32.Checksum(block[6:end], castagnoli) ^ unmask(binary.LittleEndian.Uint32(block))
	var adds [8]uint32
	for bit := range adds {
		adds[bit] = castagnoli[1<<bit]
	}

	for at = end - 1; at >= header; at-- {
		for bit := range adds {
			if adds[bit] == wrong {
				return at, true
			}
			adds[bit] = castagnoli[byte(adds[bit])] ^ adds[bit]>>8
		}
	}
	return 0, false
}

// unmask returns the CRC that [checksum] masks.
func unmask(sum uint32) uint32 {
	sum -= 0xa282ead8
	return sum<<15 | sum>>17
}

func ones(b []byte) (n int) {
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}

func firstOne(b []byte) int {
	for i, x := range b {
		if x != 0 {
			return i
		}
	}
	return len(b)
}
