package main

import (
	"strings"

	"consentledger/cmd/internal/recording"

	"github.com/spf13/cobra"
)

const holdHelp = `What keeps data although a person is to be erased.

A legal hold of one person (place, release) keeps their data, denies processing, and stops
the clocks of what is to be deleted. A hold that is declared (declare, end) keeps everybody's
data, or those of who made one request, until a day or until it is ended. A duty of law
(declare-duty, end-duty) keeps everybody's for a time. While one of them holds, subject erase
and erasure begin erase nobody whom it is on, and name it.

A duty that keeps the proof alone (--keeps proof) keeps nobody from being erased: then a
sealed proof of what they agreed to stays for its time, see kept-proof.`

func newHold() *cobra.Command {
	c := &cobra.Command{Use: "hold", Short: "Legal holds and duties of law that keep data from being erased",
		Long: holdHelp, Args: cobra.NoArgs}
	c.AddCommand(
		newHoldOfPerson("place", "Record a legal hold on a person's data", "hold.placed",
			flag{"authority", "who asks for it, as in a court: a public text", false}),
		newHoldOfPerson("release", "Record the end of every legal hold on a person's data", "hold.released"),
		newHoldNote("declare", "Declare a legal hold on an app, or on who made a request", "hold.declared",
			flag{"hold", "what it is called: 1 to 64 of a-z, 0-9 and -", true},
			flag{"reason", "why: a public text", true},
			flag{"authority", "who asks for it: a public text", true},
			flag{"request", "only who made this request: its id", false},
			flag{"until", "its last day, as in 2027-03-01 (default: until it is ended)", false},
			flag{"evidence", "sha256:... of the order", false}),
		newHoldNote("end", "Record that a hold that was declared is over", "hold.ended",
			flag{"hold", "what it is called", true}, flag{"reason", "why: a public text", true}),
		newHoldNote("declare-duty", "Declare a duty of law to keep data for a time", "duty.declared",
			flag{"duty", "what it is called: 1 to 64 of a-z, 0-9 and -", true},
			flag{"law", "which law, and where in it: a public text", true},
			flag{"reason", "what it asks for: a public text", true},
			flag{"keeps", "everything (default), or proof: who is erased goes, but for a sealed proof of what was " +
				"agreed to",
				false},
			flag{"months", "for so many months after the end of a history", false},
			flag{"until", "its last day, as in 2029-12-31", false},
			flag{"evidence", "sha256:... of what shows it", false}),
		newHoldNote("end-duty", "Record that a duty to keep data is over", "duty.ended",
			flag{"duty", "what it is called", true}, flag{"reason", "why: a public text", true}),
	)
	return c
}

// newHoldOfPerson records a hold of one person.
func newHoldOfPerson(use, short, kind string, more ...flag) *cobra.Command {
	var t recording.Event
	var subject string
	c := &cobra.Command{Use: use, Short: short, Long: short + ".\n\nRecords " + kind + ".", Args: cobra.NoArgs}
	t.Flags(c)
	c.Flags().StringVar(&subject, "subject", "", "the person, as in user-1 or device:abc")
	c.MarkFlagRequired("subject")
	flags := append([]flag{{"reason", "why, a code as in litigation", true}}, more...)
	c.RunE = func(c *cobra.Command, _ []string) error { return t.Record(c, kind, subject, saidBy(c, flags)) }
	addFlags(c, flags)
	return c
}

// newHoldNote records a note of what keeps data of an app.
func newHoldNote(use, short, kind string, flags ...flag) *cobra.Command {
	var t recording.Event
	c := &cobra.Command{Use: use, Short: short, Long: short + ".\n\nRecords " + kind + ".", Args: cobra.NoArgs}
	t.Flags(c)
	c.RunE = func(c *cobra.Command, _ []string) error { return t.Record(c, kind, "", saidBy(c, flags)) }
	addFlags(c, flags)
	return c
}

func addFlags(c *cobra.Command, flags []flag) {
	for _, f := range flags {
		c.Flags().String(f.name, "", f.usage)
		if f.required {
			c.MarkFlagRequired(f.name)
		}
	}
}

// saidBy returns what flags say, as members.
func saidBy(c *cobra.Command, flags []flag) map[string]any {
	data := map[string]any{}
	for _, f := range flags {
		if v, _ := c.Flags().GetString(f.name); v != "" {
			data[strings.ReplaceAll(f.name, "-", "_")] = v
		}
	}
	return data
}
