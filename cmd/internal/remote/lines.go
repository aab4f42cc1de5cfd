package remote

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"consentledger/api/wire"
	"consentledger/cmd/internal/exit"
)

// Lines calls do for each line of an answer that comes line by line, with its end. If the server cannot go
// on, the last line says why: that is an [exit.ProblemError], as is what else it answers that was not asked
// for. What names the answer, as in "the history". An answer that ends within a line, or cannot be read, is
// an error that wraps [exit.ErrUnreachable].
func Lines(answer io.Reader, what string, do func(line []byte) error) error {
	lines := bufio.NewReader(answer)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("%w any more, %s broke off: %w", exit.ErrUnreachable, what, err)
		}

		if wire.BreaksOff(line) {
			return brokeOff(line, what)
		}
		if err := do(line); err != nil {
			return err
		}
	}
}

// CopyLines copies an answer that comes line by line, as [Lines] reads it.
func CopyLines(to io.Writer, answer io.Reader, what string) error {
	return Lines(answer, what, func(line []byte) error {
		_, err := to.Write(line)
		return err
	})
}

func brokeOff(line []byte, what string) error {
	var last struct{ Error wire.Problem }
	if err := json.Unmarshal(line, &last); err != nil {
		return err
	}
	return &exit.ProblemError{Status: last.Error.Status, Code: last.Error.Code,
		Detail: what + " broke off: " + last.Error.Detail}
}
