package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// A ProofWait is how long somebody waits for the proof of what was recorded,
// and where it goes.
type ProofWait struct {
	wait time.Duration // zero: no proof is wanted
	file string        // empty: the proof is printed
}

const longestWait = 30 * time.Second

// Flags gives a verb the flags of the proof.
func (s *ProofWait) Flags(c *cobra.Command) {
	f := c.Flags()
	f.DurationVar(&s.wait, "wait-sealed", 0,
		"wait until the record is under a signed checkpoint, for so long at the most, up to 30s, and print the proof")
	f.Lookup("wait-sealed").NoOptDefVal = "10s"
	f.StringVar(&s.file, "proof", "", "write the proof to this file instead (with --wait-sealed)")
}

// Check refuses flags that contradict each other, before anything is recorded.
func (s *ProofWait) Check(c *cobra.Command) error {
	switch asked := c.Flags().Changed("wait-sealed"); {
	case asked && (s.wait <= 0 || s.wait > longestWait):
		return exit.Usage(fmt.Errorf("--wait-sealed: want a time above zero and up to %s, as in --wait-sealed=10s, "+
			"with the equals sign", longestWait))
	case s.file != "" && !asked:
		return exit.Usage(errors.New("--proof wants --wait-sealed: there is no proof before a checkpoint covers " +
			"the record"))
	}
	return files.CheckOut("--proof", s.file)
}

// Print prints a receipt and, if it is wanted, the proof: as JSON in the same
// object, else below it. What becomes of the proof, the receipt is printed.
func (s *ProofWait) Print(c *cobra.Command, app string, receipt json.RawMessage) error {
	show := func() error {
		if err := output.One(c, receipt, "event_id", "position"); err != nil {
			return err
		}
		return Reason(c, receipt)
	}

	if s.wait == 0 {
		return show()
	}

	proof, err := s.proof(c, app, receipt)
	if err == nil && s.file != "" {
		err = files.WriteOut("--proof", s.file, proof)
	}
	if err != nil || s.file != "" {
		return errors.Join(show(), err)
	}

	switch output.Form(c) {
	case "json", "jsonl":
		if receipt, err = withMember(receipt, "proof", string(proof)); err != nil {
			return err
		}
		return show()
	}
	if err := show(); err != nil {
		return err
	}

	_, err = c.OutOrStdout().Write(proof)
	return err
}

// Reason says on standard error what a receipt says beside what was recorded: that a
// consent does not count, what goes on after a withdrawal, what of it was not understood,
// and whom else may be meant. A table has no room for it.
func Reason(c *cobra.Command, receipt json.RawMessage) error {
	var r struct {
		Reason        string `json:"reason"`
		Unknown       string `json:"unknown"`
		NotUnderstood string `json:"not_understood"`
		Near          string `json:"near"`
	}
	if err := json.Unmarshal(receipt, &r); err != nil {
		return err
	}
	switch output.Form(c) {
	case "json", "jsonl":
		return nil // it is there
	}

	var b strings.Builder
	for _, x := range []struct{ says, of string }{
		{r.Reason, "%s"},
		{r.Unknown, "No policy declares %s: it holds for the other purposes. Correct the names and send a new event."},
		{r.NotUnderstood, "It was taken without what was not understood: %s."},
		{r.Near, "Other persons have an id that is nearly this one (%s), see: subject show"},
	} {
		if x.says != "" {
			fmt.Fprintf(&b, x.of+"\n", x.says)
		}
	}
	_, err := io.WriteString(c.ErrOrStderr(), b.String())
	return err
}

// proof fetches the proof of what a receipt is of.
func (s *ProofWait) proof(c *cobra.Command, app string, receipt json.RawMessage) ([]byte, error) {
	var r struct {
		EventID string `json:"event_id"`
	}
	if err := json.Unmarshal(receipt, &r); err != nil || r.EventID == "" {
		return nil, fmt.Errorf("the receipt names no event_id: %w", err)
	}
	query := url.Values{"event": {r.EventID}, "wait": {s.wait.String()}}
	proof, err := remote.Get(c, "/log/"+url.PathEscape(app)+"/proof?"+query.Encode())
	if err != nil {
		err = fmt.Errorf("the event is recorded, its proof is not there: %w; fetch it later: consentledger log "+
			"fetch-proof --app %s --event %s", err, app, r.EventID)
	}
	return proof, err
}

// withMember returns an object with one more member, a text.
func withMember(object json.RawMessage, name, text string) (json.RawMessage, error) {
	var members map[string]any
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	members[name] = text
	return json.Marshal(members)
}
