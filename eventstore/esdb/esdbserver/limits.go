package esdbserver

import (
	"encoding/json"
	"fmt"
)

// limits are what a stream's metadata says about its old events.
type limits struct {
	before   int64 // $tb: the first revision that may be read
	maxCount int64 // $maxCount, 0 for none
	maxAge   int64 // $maxAge in seconds, 0 for none
}

// parseLimits reads metadata; what is no JSON sets no limits.
func parseLimits(data []byte) limits {
	var m struct {
		Before   int64 `json:"$tb"`
		MaxCount int64 `json:"$maxCount"`
		MaxAge   int64 `json:"$maxAge"`
	}
	if json.Unmarshal(data, &m) != nil {
		return limits{}
	}
	return limits{before: m.Before, maxCount: m.MaxCount, maxAge: m.MaxAge}
}

// first returns the first revision that may be read of a stream whose last is
// last. It does not know ages.
func (l limits) first(last int64) int64 {
	first := max(0, l.before)
	if l.maxCount > 0 {
		first = max(first, last-l.maxCount+1)
	}
	return first
}

func (l limits) shows(r *record, last, now int64) bool {
	return r.revision >= l.first(last) && !l.expired(r, now)
}

func (l limits) expired(r *record, now int64) bool {
	const ticksPerSecond = 10_000_000
	return l.maxAge > 0 && r.created < now-l.maxAge*ticksPerSecond
}

// withTruncateBefore returns metadata with its $tb replaced. Metadata that
// cannot be read is replaced whole.
func withTruncateBefore(raw []byte, revision int64) []byte {
	members := map[string]json.RawMessage{}
	if json.Unmarshal(raw, &members) != nil || members == nil {
		members = map[string]json.RawMessage{}
	}
	members["$tb"] = fmt.Appendf(nil, "%d", revision)
	data, err := json.Marshal(members)
	if err != nil {
		return fmt.Appendf(nil, `{"$tb":%d}`, revision)
	}
	return data
}
