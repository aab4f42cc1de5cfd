// Package natscontext reads contexts of the nats command line tool: files that say how a NATS
// server is reached, which nats context add writes into its user's configuration directory.
//
// The tool's own library would do, and brings thirty packages along for one file of JSON.
package natscontext

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"consentledger/cmd/internal/files"
)

// A Context says how a server is reached. At most one of User, Creds, Nkey and JWT is set.
type Context struct {
	Path string // the file

	URL           string // one, or several with commas
	User          string
	Password      string
	Token         string
	Creds         string // a file with a user's JWT and seed
	Nkey          string // a file with a user's seed
	JWT, Seed     string // a user's
	Cert, Key, CA string // PEM files
	TLSFirst      bool   // TLS begins before the server says anything
}

// A file is what the tool writes.
type file struct {
	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password"`
	Token    string `json:"token"`
	Creds    string `json:"creds"`
	Nkey     string `json:"nkey"`
	JWT      string `json:"user_jwt"`
	Seed     string `json:"user_seed"`
	Cert     string `json:"cert"`
	Key      string `json:"key"`
	CA       string `json:"ca"`
	TLSFirst bool   `json:"tls_first"`

	untaken
}

// untaken is what would change how the ledger reaches its server, and is not done here.
type untaken struct {
	Socks       string   `json:"socks_proxy"`
	Inbox       string   `json:"inbox_prefix"`
	Domain      string   `json:"jetstream_domain"`
	APIPrefix   string   `json:"jetstream_api_prefix"`
	NSC         string   `json:"nsc"`
	WinStore    string   `json:"windows_cert_store"`
	WinMatchBy  string   `json:"windows_cert_match_by"`
	WinMatch    string   `json:"windows_cert_match"`
	WinCAsMatch []string `json:"windows_ca_certs_match"`
}

// refuse names what is set and not taken, and what to do instead.
func (u untaken) refuse() error {
	for _, one := range []struct {
		name    string
		set     bool
		instead string
	}{
		{"socks_proxy", u.Socks != "", "the ledger connects directly: name an address that it reaches"},
		{"inbox_prefix", u.Inbox != "", "the ledger has inboxes of its own: let its user hear " +
			"_INBOX.consentledger.>, as docs/access.md says, and leave it out"},
		{"jetstream_domain", u.Domain != "", "name a server of that domain"},
		{"jetstream_api_prefix", u.APIPrefix != "", "name a server and a user of the account that has JetStream"},
		{"nsc", u.NSC != "", "let creds name the file that nsc generate creds writes"},
		{"windows_cert_store", u.WinStore != "" || u.WinMatchBy != "" || u.WinMatch != "" || len(u.WinCAsMatch) > 0,
			"let cert, key and ca name PEM files"},
	} {
		if one.set {
			return fmt.Errorf("%s is not taken here: %s", one.name, one.instead)
		}
	}
	return nil
}

// maxFile is how large a context may be; one may hold a user's JWT.
const maxFile = 64 << 10

// Read returns the context of a name, or that of a file if the name has a slash.
func Read(name string) (Context, error) {
	path, err := pathOf(name)
	if err != nil {
		return Context{}, err
	}
	text, err := files.ReadOwnFile(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Context{}, missing(name, path)
	}
	if err != nil {
		return Context{}, err
	}
	defer clear(text)

	c, err := parse(text)
	if err != nil {
		return Context{}, fmt.Errorf("%s: %w", path, err)
	}
	c.Path = path
	return c, nil
}

// missing says which contexts there are.
func missing(name, path string) error {
	known := "there is none: nats context add makes one"
	if names := Names(); len(names) > 0 {
		known = "there are " + strings.Join(names, ", ")
	}
	return fmt.Errorf("there is no context %s, which would be %s; %s", name, path, known)
}

func parse(text []byte) (Context, error) {
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return Context{}, errors.New("it is no context as nats context add writes it: it is not JSON of that form")
	}
	if err := f.untaken.refuse(); err != nil {
		return Context{}, err
	}

	c := Context{
		URL: cmp.Or(f.URL, "nats://127.0.0.1:4222"), User: f.User, Cert: expand(f.Cert), Key: expand(f.Key),
		CA: expand(f.CA), TLSFirst: f.TLSFirst,
	}
	if err := c.takeUser(f); err != nil {
		return Context{}, err
	}

	var err error
	for _, secret := range []struct {
		name, from string
		to         *string
	}{
		{"password", f.Password, &c.Password}, {"token", f.Token, &c.Token},
		{"user_jwt", f.JWT, &c.JWT}, {"user_seed", f.Seed, &c.Seed},
	} {
		if *secret.to, err = value(secret.from); err != nil {
			return Context{}, fmt.Errorf("%s: %w", secret.name, err)
		}
	}
	if (c.JWT == "") != (c.Seed == "") {
		return Context{}, errors.New("user_jwt and user_seed go together: the ledger proves by the seed that it is " +
			"the user")
	}
	for _, path := range []string{c.Cert, c.Key, c.CA} {
		if scheme, has := schemeOf(path); has {
			return Context{}, fmt.Errorf("cert, key, ca: want the path of a file, and not %s://", scheme)
		}
	}
	return c, nil
}

// takeUser takes the files that say which user it is.
func (c *Context) takeUser(f file) error {
	ways := 0
	for _, way := range []string{f.User, f.Creds, f.Nkey, f.JWT} {
		if way != "" {
			ways++
		}
	}
	if ways > 1 {
		return errors.New("user, creds, nkey and user_jwt each say who the ledger is: leave one of them")
	}

	for _, one := range []struct {
		name, from string
		to         *string
	}{{"creds", f.Creds, &c.Creds}, {"nkey", f.Nkey, &c.Nkey}} {
		scheme, has := schemeOf(one.from)
		if has && scheme != "file" {
			return fmt.Errorf("%s: %s:// is not taken here: name a file", one.name, scheme)
		}
		*one.to = expand(strings.TrimPrefix(one.from, "file://"))
	}
	return nil
}

// schemes are those by which the tool finds what stands elsewhere.
var schemes = []string{"op", "nsc", "env", "file", "data"}

// schemeOf returns by which scheme something is found; not has: it is the thing itself.
func schemeOf(text string) (scheme string, has bool) {
	scheme, _, has = strings.Cut(text, "://")
	return scheme, has && slices.Contains(schemes, scheme)
}

// value returns a secret, which may stand in a variable or a file.
func value(text string) (string, error) {
	scheme, has := schemeOf(text)
	if !has {
		return text, nil
	}
	of := strings.TrimPrefix(text, scheme+"://")
	switch scheme {
	case "env":
		found := os.Getenv(of)
		if found == "" {
			return "", fmt.Errorf("the variable %s, which it names, is not set", of)
		}
		return found, nil
	case "file":
		found, err := files.ReadOwnFile(expand(of), maxFile)
		return strings.TrimSpace(string(found)), err
	}
	return "", fmt.Errorf("%s:// is not taken here: let env:// name a variable, or file:// a file", scheme)
}

// expand returns a path with its variables and the home directory filled in.
func expand(path string) string {
	path = os.ExpandEnv(path)
	if rest, is := strings.CutPrefix(path, "~"); is {
		if u, err := user.Current(); err == nil {
			return u.HomeDir + rest
		}
	}
	return path
}

// directory is where the tool keeps contexts.
func directory() (string, error) {
	root := os.Getenv("XDG_CONFIG_HOME")
	if root == "" {
		u, err := user.Current()
		if err != nil {
			return "", err
		}
		root = filepath.Join(u.HomeDir, ".config")
	}
	return filepath.Join(root, "nats", "context"), nil
}

func pathOf(name string) (string, error) {
	if strings.ContainsAny(name, `/\`) {
		return name, nil
	}
	dir, err := directory()
	return filepath.Join(dir, name+".json"), err
}

// Names returns the names of the contexts that there are.
func Names() (names []string) {
	dir, err := directory()
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if name, is := strings.CutSuffix(e.Name(), ".json"); is {
			names = append(names, name)
		}
	}
	return names
}
