package intake

import (
	"strings"
	"testing"
)

// What an administrator deletes while the ledger runs is made again: health names
// it meanwhile, what comes afterwards is taken, and what may be lost is told.
func TestWhatIsDeletedMeanwhileIsMadeAgain(t *testing.T) {
	stream := func(name string) func(d rejectedServer) error {
		return func(d rejectedServer) error { return d.js.DeleteStream(d.t.Context(), name) }
	}
	for _, c := range []struct {
		name   string
		remove func(d rejectedServer) error
		gone   string // as health has it
		told   string // in the log
	}{
		{"the stream", stream(InStream), "stream " + InStream, "smartkey first=3 how=made-anew stream=incoming"},
		{"its consumer", func(d rejectedServer) error { return d.js.DeleteConsumer(d.t.Context(), InStream, durable) },
			"consumer ledger of " + InStream, ""},
		{"the stream of rejected messages", stream(RejectedStream), "stream " + RejectedStream, ""},
		{"what was seen of them", stream("KV_" + SeenBucket), "stream KV_" + SeenBucket, ""},
		{"what was not", stream("KV_" + UnseenBucket), "stream KV_" + UnseenBucket, ""},
		{"all that there is of rejected messages", func(d rejectedServer) error {
			for _, name := range []string{RejectedStream, "KV_" + SeenBucket, "KV_" + UnseenBucket} {
				if err := d.js.DeleteStream(d.t.Context(), name); err != nil {
					return err
				}
			}
			return nil
		}, "stream " + RejectedStream, "smartkey count=1 first=1 how=gap last=1 stream=rejected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := rememberingServer(t)
			defer d.start()()
			d.withdraw(1, 1)
			d.publish("consent.withdrawn", []byte("person-9 says no"))
			d.until("both are taken", func() bool { return d.withdrawn() == 1 && d.unseen() == 1 && bodies(t, d.js, InStream) == "" })

			if err := c.remove(d); err != nil {
				t.Fatal(err)
			}
			d.until("health names it", func() bool {
				err := d.config.Watch.Trouble(Settings)
				return err != nil && strings.Contains(err.Error(), c.gone)
			})
			d.until("it is there again", func() bool {
				return missing(t.Context(), d.js, durable) == "stream CONSENT_IN or its consumer" && d.config.Watch.Trouble(Settings) == nil
			})
			d.withdraw(2, 2)
			d.publish("consent.withdrawn", []byte("person-8 says no"))
			d.until("what comes now is taken", func() bool { return d.withdrawn() == 2 && bodies(t, d.js, InStream) == "" })
			d.until("the log says what is lost", func() bool { return strings.Join(d.told(), "; ") == c.told })
			// What is told in the log is counted a moment later.
			d.until("health says what is lost", func() bool { return (d.losses() == "") == (c.told == "") })
			d.until("two rejected messages or losses wait to be seen", func() bool { return d.unseen() >= 2 })
		})
	}
}

// A stream is deleted while a message of it is in hand and the store is broken: the
// message is recorded once the store is well, and counts as no loss.
func TestWhatIsInHandIsTakenAlthoughItsStreamIsDeleted(t *testing.T) {
	d := rememberingServer(t)
	defer d.start()()
	d.faulty.breakFor("2")
	d.withdraw(1, 2)
	d.until("the first is taken, the second in hand", func() bool { return d.withdrawn() == 1 && d.sees(2) })
	if err := d.js.DeleteStream(t.Context(), InStream); err != nil {
		t.Fatal(err)
	}
	d.until("health names it", func() bool { return d.config.Watch.Trouble(Settings) != nil })
	d.faulty.breakFor("")
	d.until("the second is taken", func() bool { return d.withdrawn() == 2 })
	d.until("the log has no number that is lost", func() bool {
		return strings.Join(d.told(), "; ") == "smartkey first=3 how=made-anew stream=incoming"
	})
	d.withdraw(3, 3)
	d.until("the new stream is drained", func() bool { return d.withdrawn() == 3 && bodies(t, d.js, InStream) == "" })
}
