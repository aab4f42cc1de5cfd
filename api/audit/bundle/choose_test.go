package bundle

import "testing"

// What becomes of what a record of a person says is owed is theirs: the stream of it is
// named after their own.
func TestWhatIsOwedToAPersonBelongsToThem(t *testing.T) {
	for stream, want := range map[string]bool{
		"obligation-demo-aa-3": true, "obligation-demo-linked-12": true, "obligation-demo-bb-3": false,
		"obligation-demo-0123456789abcdef": false, "request-demo-r1": false, "subject-demo-aa": true,
	} {
		c := newChooser(Selection{Subject: "aa", Linked: []string{"linked"}})
		if got := c.belongs(stored{Stream: stream}); got != want {
			t.Errorf("%s: %v, want %v", stream, got, want)
		}
	}
}
