package configfile

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A File is one that was read and checked: it has known settings alone, and no secret.
type File struct{ settings []setting }

// A setting is one line of a file, or a list.
type setting struct {
	file         string
	line, column int

	section, key string
	values       []string

	flag       string // that it is a value of
	secretFile bool   // the value is the name of a file that holds it
}

func (s setting) path() string {
	if s.section == "" {
		return s.key
	}
	return s.section + "." + s.key
}

func (s setting) place() string { return fmt.Sprintf("%s:%d:%d", s.file, s.line, s.column) }

// Read reads a file of the program's settings.
func Read(name string, root *cobra.Command) (*File, error) {
	text, err := files.ReadOwnFile(name, files.MaxPolicyFile)
	if err != nil {
		return nil, files.Unread("--config", err)
	}
	settings, err := parse(name, text)
	if err == nil {
		err = check(settings, sectionsOf(root))
	}
	if err != nil {
		return nil, exit.Usage(err)
	}
	return &File{settings}, nil
}

// Settings returns how many there are.
func (f *File) Settings() int { return len(f.settings) }

// parse returns the settings of a file, as they stand there.
func parse(name string, text []byte) ([]setting, error) {
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		// without the lines: a secret may stand there
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, false))
	}
	if len(tree.Docs) > 1 {
		return nil, fmt.Errorf("%s: it has %d documents: want one", name, len(tree.Docs))
	}

	var all []setting
	for _, doc := range tree.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType ||
			doc.Body.Type() == ast.CommentGroupType {
			continue
		}
		err := eachMember(name, "", doc.Body, func(s setting, value ast.Node) error {
			if !isMapping(value) {
				return keep(&all, s, value)
			}
			return eachMember(name, s.key, value, func(s setting, value ast.Node) error { return keep(&all, s, value) })
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func isMapping(n ast.Node) bool {
	return n.Type() == ast.MappingType || n.Type() == ast.MappingValueType
}

// eachMember calls f with every member of a mapping.
func eachMember(name, section string, n ast.Node, f func(setting, ast.Node) error) error {
	m, is := n.(ast.MapNode)
	if !is {
		return fmt.Errorf("%s:%d: want members, as in server: https://ledger.example.com", name,
			n.GetToken().Position.Line)
	}
	for i := m.MapRange(); i.Next(); {
		at := i.Key().GetToken().Position
		s := setting{file: name, line: at.Line, column: at.Column, section: section, key: i.Key().GetToken().Value}
		if err := f(s, i.Value()); err != nil {
			return err
		}
	}
	return nil
}

// keep adds a setting with its value, or a list of them. A member without one is none.
func keep(all *[]setting, s setting, value ast.Node) error {
	list := []ast.Node{value}
	if many, is := value.(*ast.SequenceNode); is {
		list = many.Values
	}

	for _, n := range list {
		switch n.Type() {
		case ast.NullType:
			continue
		case ast.StringType, ast.IntegerType, ast.FloatType, ast.BoolType:
			s.values = append(s.values, n.GetToken().Value)
		default:
			return fmt.Errorf("%s: %s: want a text, a number, true or false, or a list of them", s.place(), s.path())
		}
	}

	if len(s.values) > 0 {
		*all = append(*all, s)
	}
	return nil
}

// sectionsOf returns what can be set, by the sections of the file.
func sectionsOf(root *cobra.Command) map[string]map[string]*pflag.Flag {
	all := map[string]map[string]*pflag.Flag{"": {}}
	for _, name := range []string{"server", "key-file"} {
		all[""][name] = root.PersistentFlags().Lookup(name)
	}

	for _, verb := range root.Commands() {
		if section := verb.Annotations[sectionNote]; section == verb.Name() {
			all[section] = map[string]*pflag.Flag{}
			verb.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
				if f.Name != "help" {
					all[section][f.Name] = f
				}
			})
		}
	}
	return all
}

// check says which setting is unknown, stands twice or is a secret, and notes of the others
// which flag they are of.
func check(settings []setting, known map[string]map[string]*pflag.Flag) error {
	var wrong []error
	said := map[string]string{}
	for i := range settings {
		s := &settings[i]
		s.flag = s.key
		flag := known[s.section][s.key]
		if base, is := strings.CutSuffix(s.key, "-file"); is && flag == nil && known[s.section][base] != nil &&
			holdsSecret(known[s.section][base]) {
			s.flag, s.secretFile, flag = base, true, known[s.section][base]
		}
		err := s.check(flag, known)
		if before := said[s.section+"."+s.flag]; err == nil && before != "" {
			err = fmt.Errorf("it says the same as %s: leave one out", before)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %s: %w", s.place(), s.path(), err))
		}
		said[s.section+"."+s.flag] = s.path()
	}
	return errors.Join(wrong...)
}

func (s *setting) check(flag *pflag.Flag, known map[string]map[string]*pflag.Flag) error {
	section, has := known[s.section]
	switch {
	case !has:
		return fmt.Errorf("there is no such section; there are: %s",
			strings.TrimPrefix(strings.Join(sorted(known), ", "), ", "))
	case flag == nil && known[s.key] != nil && s.section == "":
		return fmt.Errorf("this is a section: want its settings below it, as in %s: {...}", s.key)
	case flag == nil:
		return fmt.Errorf("there is no such setting; there are: %s", strings.Join(sorted(section), ", "))
	}

	_, many := flag.Value.(pflag.SliceValue)
	switch {
	case !many && len(s.values) > 1:
		return errors.New("want one value, not a list")
	case !s.secretFile && slices.ContainsFunc(s.values, hasPassword):
		if !holdsSecret(flag) {
			return errors.New("a password does not belong into this file: keep it in one for its owner alone, which " +
				"another setting names")
		}
		return fmt.Errorf("a password does not belong into this file: leave it out of the address, or write the "+
			"whole address into a file for its owner alone, and name that with %s-file", s.flag)
	}
	return nil
}

func holdsSecret(f *pflag.Flag) bool { return f.Annotations[secretNote] != nil }

// passwordSetting is a password among the settings of a connection string.
var passwordSetting = regexp.MustCompile(`(?i)(^|[\s?&])(ssl)?password\s*=`)

// hasPassword reports whether a text has a password in it, as an address may. The user of a
// NATS server alone is a token.
func hasPassword(text string) bool {
	for one := range strings.SplitSeq(text, ",") {
		scheme, rest, is := strings.Cut(one, "://")
		if !is {
			continue
		}
		authority, _, _ := strings.Cut(rest, "/")
		at := strings.LastIndex(authority, "@")
		if at < 0 {
			continue
		}
		user, err := url.PathUnescape(authority[:at])
		if err != nil || strings.Contains(user, ":") || scheme == "nats" || scheme == "tls" {
			return true
		}
	}
	return passwordSetting.MatchString(text)
}
