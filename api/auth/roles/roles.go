// Package roles reads the file that says which roles somebody has whom another system
// knows: the groups of an identity provider, and the certificates of clients.
//
//	claim: groups              # or a path into an object, as in [realm_access, roles]
//	groups:
//	  - group: shop-privacy
//	    roles: [privacy-officer]
//	    apps: [shop]
//	  - group: ledger-admins
//	    roles: [administrator]
//	    all_apps: true
//	certificates:
//	  - name: shop-back-end
//	    uri: spiffe://example.com/shop
//	    roles: [app-writer]
//	    apps: [shop, "group:retail"]   # and the apps that are registered with that group
//
// The file is read to the letter: a member that is not known is an error, since a role
// that is spelled wrongly must not be one that is missing unseen.
package roles

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"consentledger/api/auth"
	"consentledger/api/policyfile"

	"github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"
)

// A File is what the file says.
type File struct {
	Claim        []string // where a token has its groups: the names that lead there
	Groups       []Group
	Certificates []Certificate
}

// A Group of a provider, and what its members may do.
type Group struct {
	Name    string
	Binding auth.Binding
}

// A Certificate is how one is recognised, by exactly one of its names, and what its
// holder may do.
type Certificate struct {
	Name    string // of the holder, in this file and in inboxes of NATS
	Subject string // as in CN=shop back end,O=Demo (RFC 2253)
	URI     string // a subject alternative name, as in spiffe://example.com/shop
	DNS     string // another
	Binding auth.Binding
}

// MaxFile is how many bytes the file may have.
const MaxFile = 256 << 10

// shape is the file as it is written.
type shape struct {
	Claim        any                `json:"claim"`
	Groups       []groupShape       `json:"groups"`
	Certificates []certificateShape `json:"certificates"`
}

type groupShape struct {
	Group   string   `json:"group"`
	Roles   []string `json:"roles"`
	Apps    []string `json:"apps"`
	AllApps bool     `json:"all_apps"`
}

type certificateShape struct {
	Name    string   `json:"name"`
	Subject string   `json:"subject"`
	URI     string   `json:"uri"`
	DNS     string   `json:"dns"`
	Roles   []string `json:"roles"`
	Apps    []string `json:"apps"`
	AllApps bool     `json:"all_apps"`
}

// Parse reads the file. An error names the entry and what would be right.
func Parse(text []byte) (*File, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("it has more than %d bytes", MaxFile)
	}
	if err := policyfile.Bound(text); err != nil { // which the library would follow as deep as it goes
		return nil, err
	}
	s, err := read(text)
	if err != nil {
		return nil, err
	}
	if len(s.Groups) == 0 && len(s.Certificates) == 0 {
		return nil, errors.New("it names no groups and no certificates: give one of them roles")
	}

	f := new(File)
	if f.Claim, err = claimOf(s.Claim); err != nil {
		return nil, err
	}
	if len(s.Groups) > 0 && len(f.Claim) == 0 {
		return nil, errors.New(`claim: say which claim of a token holds the groups, as in "groups"`)
	}
	for i, g := range s.Groups {
		if err := f.addGroup(g); err != nil {
			return nil, fmt.Errorf("groups[%d]: %w", i, err)
		}
	}
	for i, c := range s.Certificates {
		if err := f.addCertificate(c); err != nil {
			return nil, fmt.Errorf("certificates[%d]: %w", i, err)
		}
	}
	return f, nil
}

// read reads the YAML as maps and lists, and those by their members' names. The YAML
// library decodes into structs less safely, and may panic on what is no such file.
func read(text []byte) (s shape, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it is not YAML as it can be read: write it as docs/access.md shows it")
		}
	}()
	var tree map[string]any
	if err := yaml.UnmarshalWithOptions(text, &tree, yaml.Strict()); err != nil {
		return s, wrongYAML(err)
	}

	b, err := json.Marshal(tree)
	if err != nil {
		return s, errors.New("it holds something that is no text, number, list or map")
	}

	err = json.Unmarshal(b, &s, json.RejectUnknownMembers(true))
	if wrong, is := errors.AsType[*json.SemanticError](err); is {
		return s, fmt.Errorf("%s: this member is not known, or has a value of another kind: claim, groups and "+
			"certificates are, with what docs/access.md shows in them",
			strings.ReplaceAll(strings.Trim(string(wrong.JSONPointer), "/"), "/", "."))
	}
	return s, err
}

// wrongYAML says where the file is wrong, and not what stands around it.
func wrongYAML(err error) error {
	y, is := errors.AsType[yaml.Error](err)
	if !is {
		return err
	}
	if at := y.GetToken(); at != nil && at.Position != nil {
		return fmt.Errorf("line %d, column %d: %s", at.Position.Line, at.Position.Column, y.GetMessage())
	}
	return errors.New(y.GetMessage())
}

var errClaim = errors.New("claim: want a name, as in groups, or a list of names that lead into an object, as in " +
	"[realm_access, roles]")

// claimOf reads where the groups are. A name alone is one member, also if it has dots:
// providers name claims by URLs.
func claimOf(v any) ([]string, error) {
	list, is := v.([]any)
	if !is {
		if v == nil {
			return nil, nil
		}
		list = []any{v}
	}

	var path []string
	for _, one := range list {
		name, is := one.(string)
		if !is || name == "" {
			return nil, errClaim
		}
		path = append(path, name)
	}
	if len(path) == 0 {
		return nil, errClaim
	}
	return path, nil
}

func (f *File) addGroup(g groupShape) error {
	if g.Group == "" {
		return errors.New("group: say how the provider names it")
	}
	b, err := bindingOf(g.Roles, g.Apps, g.AllApps)
	if err != nil {
		return err
	}

	// A group may stand there several times, as with other roles in other apps.
	f.Groups = append(f.Groups, Group{Name: g.Group, Binding: b})
	_, err = f.Bindings([]string{g.Group})
	return err
}

func (f *File) addCertificate(c certificateShape) error {
	if c.Name == "" || len(c.Name) > 64 || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return errors.New(`name: want 1 to 64 of a-z, 0-9 and "-", as in shop-back-end`)
	}

	said := 0
	for _, name := range []string{c.Subject, c.URI, c.DNS} {
		if name != "" {
			said++
		}
	}

	if said != 1 {
		return errors.New("say exactly one of subject, uri and dns, by which the certificate is recognised")
	}

	for _, other := range f.Certificates {
		if other.Name == c.Name {
			return errors.New("name: another certificate has this name")
		}
		if other.Subject == c.Subject && other.URI == c.URI && other.DNS == c.DNS {
			return errors.New("another entry recognises the same certificates")
		}
	}

	b, err := bindingOf(c.Roles, c.Apps, c.AllApps)
	f.Certificates = append(f.Certificates,
		Certificate{Name: c.Name, Subject: c.Subject, URI: c.URI, DNS: c.DNS, Binding: b})
	return err
}

func bindingOf(roles, apps []string, all bool) (b auth.Binding, err error) {
	b.AllApps = all
	for _, text := range roles {
		role, err := auth.ParseRole(text)
		if err != nil {
			return b, fmt.Errorf("roles: %w", err)
		}
		b.Roles = append(b.Roles, role)
	}

	if b.Apps, b.Groups, err = auth.ParseApps(apps); err != nil {
		return b, fmt.Errorf("apps: %w", err)
	}
	return b, b.Check()
}

// NamesGroups reports whether the file gives roles in groups of apps.
func (f *File) NamesGroups() bool {
	names := func(b auth.Binding) bool { return len(b.Groups) > 0 }
	return slices.ContainsFunc(f.Groups, func(g Group) bool { return names(g.Binding) }) ||
		slices.ContainsFunc(f.Certificates, func(c Certificate) bool { return names(c.Binding) })
}

// Bindings returns what the members of groups may do. It refuses groups that together
// give roles that nobody has both of.
func (f *File) Bindings(groups []string) ([]auth.Binding, error) {
	var of []auth.Binding
	for _, g := range f.Groups {
		for _, name := range groups {
			if g.Name == name {
				of = append(of, g.Binding)
				break
			}
		}
	}
	if err := auth.CheckTogether(of); err != nil {
		return nil, err
	}
	return of, nil
}
