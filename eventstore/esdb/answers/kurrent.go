package answers

import "strings"

// kurrent are the cases, by how they begin, to which KurrentDB 25.0.1 answers
// otherwise than the table says, or may, and why.
var kurrent = map[string]string{
	"append-size/":                        "25.0.1 counts data, metadata and twice the type",
	"sub-stream-nonexistent/":             "25.0.1 says caught_up at once",
	"sub-stream-deleted/soft-":            "25.0.1 says caught_up at once",
	"sub-stream-delete-live/nonexistent-": "25.0.1 says caught_up at once, and shows the tombstone",
	"sub-stream-deleted/tomb-end":         "25.0.1 refuses it",
	"all-read/fwd-position-":              "25.0.1 calls the position invalid",
	"all-read/back-position-":             "25.0.1 calls the position invalid",
	"sub-all/from-position-": "25.0.1 refuses a position between records otherwise, and takes prepare 0 " +
		"for before the record",
	"sub-all/beyond-live":         "25.0.1 stays silent",
	"sub-all-checkpoints-":        "25.0.1 gives one checkpoint more, before caught_up",
	"sub-all-resume/":             "25.0.1 gives one checkpoint more, before caught_up",
	"sub-all-filter-full-frames/": "25.0.1 gives one checkpoint more, before caught_up",
	"all-read-deletes/sub-x":      "25.0.1 gives one checkpoint more, before caught_up",
	"features/": "25.0.1 has other methods, in another order, and refuses unknown services " +
		"otherwise",
	"read-malformed/empty-options": "25.0.1 has another text",
}

// InKurrentDB returns why KurrentDB 25.0.1 answers a case otherwise than the
// table says, and how the names of such cases begin; "" if it was not seen to.
func InKurrentDB(name string) (why, begins string) {
	for prefix, reason := range kurrent {
		if strings.HasPrefix(name, prefix) && len(prefix) > len(begins) {
			why, begins = reason, prefix
		}
	}
	return why, begins
}
