package recording

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"

	"github.com/spf13/cobra"
)

// EventBody returns the event of a file, or one made of flags. An operator's
// may be about nobody.
func EventBody(c *cobra.Command, args []string, attrs map[string]string, data string, operator bool) ([]byte, error) {
	if len(args) == 1 {
		return files.ReadInput(c, "FILE", args[0], files.MaxInput)
	}
	if attrs["type"] == "" || attrs["subject"] == "" && !operator {
		return nil, exit.Usage(fmt.Errorf("name a FILE, or --type and --subject"))
	}

	var object map[string]any
	if err := json.Unmarshal([]byte(data), &object); err != nil || object == nil {
		return nil, exit.Usage(notAnObject("--data", err))
	}
	if attrs["id"] == "" {
		attrs["id"] = rand.Text()
	}

	event := map[string]any{"specversion": "1.0", "datacontenttype": "application/json", "data": json.RawMessage(data)}
	for name, v := range attrs {
		if v != "" {
			event[name] = v
		}
	}
	return json.Marshal(event)
}

// notAnObject says where a text is no JSON, without repeating it.
func notAnObject(name string, err error) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf(`%s is not JSON at byte %d; want an object, as in {"all":true}`, name, e.Offset)
	}
	return fmt.Errorf(`%s is JSON, but not an object; want one as in {"all":true}`, name)
}
