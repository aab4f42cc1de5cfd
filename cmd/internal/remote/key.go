package remote

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"

	"consentledger/api/auth"
	"consentledger/api/edge"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"

	"github.com/spf13/cobra"
)

// Where the key is that a verb shows to the server. There is no flag for the key itself:
// what stands on a command line, everybody on the machine can read.
const (
	KeyVariable     = "CONSENTLEDGER_KEY"
	KeyFileVariable = "CONSENTLEDGER_KEY_FILE"
)

// accessKey returns the key to show; empty: none.
func accessKey(c *cobra.Command) (string, error) {
	name, err := c.Flags().GetString("key-file")
	if err != nil {
		return "", err
	}

	text, from := "", "--key-file"
	if name == "" {
		if text, from = os.Getenv(KeyVariable), KeyVariable; text == "" {
			name, from = os.Getenv(KeyFileVariable), KeyFileVariable
		}
	}

	if name != "" {
		b, err := files.ReadOwnFile(name, files.MaxKeyFile)
		if err != nil {
			return "", files.Unread(from, err)
		}
		text = string(b)
	}

	if text = strings.TrimSpace(text); text == "" {
		return "", nil
	}
	if tokenForm.MatchString(text) { // what is wrong with it the server says
		return text, nil
	}
	if _, err := auth.ParseKey(text); err != nil {
		return "", exit.Usage(fmt.Errorf("%s: %w", from, err))
	}
	return text, nil
}

// tokenForm is the form of a token of an identity provider.
var tokenForm = regexp.MustCompile(`^eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)

// KeyFor returns what puts the key into requests to an address, as of a log that is served:
// nil if the address is not of the server that the key is for, which alone is shown it.
func KeyFor(c *cobra.Command, address string) (func(*http.Request) error, error) {
	server, err := c.Flags().GetString("server")
	if err != nil {
		return nil, err
	}
	if s := strings.TrimRight(server, "/"); address != s && !strings.HasPrefix(address, s+"/") {
		return nil, nil
	}
	return func(r *http.Request) error { return showKey(c, r) }, nil
}

// showKey puts the key into a request, unless it could be read on its way.
func showKey(c *cobra.Command, r *http.Request) error {
	key, err := accessKey(c)
	if err != nil || key == "" {
		return err
	}

	port := r.URL.Port()
	if port == "" {
		port = "80"
	}

	if r.URL.Scheme != "https" && !edge.IsLoopback(r.URL.Hostname()+":"+port) &&
		!edge.IsLoopback("["+r.URL.Hostname()+"]:"+port) {
		return exit.Usage(errors.New("--server: the key would be read on the way to another machine: use https://"))
	}

	r.Header.Set("Authorization", "Bearer "+key)
	return nil
}
