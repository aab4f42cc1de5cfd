package bench

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// String names a visit by its address and by what its form says, without ids of cases, places of
// pages and what nobody chooses.
func (v visit) String() string {
	u, err := url.Parse(v.to)
	if err != nil {
		return v.to
	}
	parts := partsOf(u.Path)
	if len(parts) == 2 && (isCase(u.Path) || parts[0] == "policies") {
		parts[1] = "ID"
	}

	said := u.Query()
	for name, values := range v.form {
		said[name] = values
	}
	for _, name := range []string{"app", "token", "by", "subject", "reason"} {
		said.Del(name)
	}
	for name, value := range map[string]string{"cursor": "next", "after": "next", "show": "ID"} {
		if said.Get(name) != "" {
			said.Set(name, value)
		}
	}
	name := "/ui/" + strings.Join(parts, "/")
	if len(said) > 0 {
		name += "?" + said.Encode()
	}
	if v.form != nil {
		name += ", sent"
	}
	return name
}

func partsOf(path string) []string {
	return strings.Split(strings.Trim(strings.TrimPrefix(path, "/ui/"), "/"), "/")
}

// isCase reports whether a path is of one request or incident. All of them came today: on a day
// before, their page says that they are not known.
func isCase(path string) bool {
	parts := partsOf(path)
	return len(parts) == 2 && (parts[0] == "requests" || parts[0] == "incidents")
}

// questions are the forms that only ask: whoever sends them reads, and changes nothing.
var questions = []string{"/ui/person", "/ui/minors", "/ui/audit/accesses", "/ui/audit/left"}

// onPage returns where a page leads: its links, and its forms with each of what they offer, one
// after the other.
func onPage(at string, body []byte) (found []visit) {
	doc, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	base, err := url.Parse(at)
	if err != nil {
		return nil
	}
	for n := range doc.Descendants() {
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "a":
			if to := resolve(base, attribute(n, "href")); isPage(to) {
				found = append(found, visit{to: to})
			}
		case n.Data == "form":
			found = append(found, choices(n, resolve(base, attribute(n, "action")))...)
		}
	}
	return found
}

// resolve returns where a link leads, without the place on the page.
func resolve(base *url.URL, to string) string {
	u, err := base.Parse(to)
	if err != nil {
		return ""
	}
	u.Fragment = ""
	return u.String()
}

// whole are addresses of what is no page but a document or a file: it has everything in it, however
// much that is.
var whole = []string{"/ui/deadlines/file", "/ui/registers/", "/ui/audit/report"}

// isPage reports whether an address is one of the pages, in the language that is looked at.
func isPage(to string) bool {
	is := func(prefix string) bool { return strings.HasPrefix(to, prefix) }
	return is("/ui/") && !is("/ui/static/") && !strings.Contains(to, "lang=") && !slices.ContainsFunc(whole, is)
}

// choices returns a form as it stands, and with each single choice that it offers.
func choices(form *html.Node, to string) (all []visit) {
	post := strings.EqualFold(attribute(form, "method"), "post")
	path, _, _ := strings.Cut(to, "?")
	if !isPage(to) || post && !slices.Contains(questions, path) || !post && attribute(form, "class") != "filters" {
		return nil
	}

	values, offered := fields(form, path)
	send := func(values url.Values) {
		if post {
			all = append(all, visit{to, values})
		} else {
			all = append(all, visit{to: path + "?" + values.Encode()})
		}
	}
	send(values)
	for _, one := range offered {
		chosen := url.Values{}
		for name, is := range values {
			chosen[name] = is
		}
		chosen.Set(one[0], one[1])
		send(chosen)
	}
	return all
}

// fields returns what a form of a path says as it stands, and what else may be chosen in it: pairs of
// a name and a value.
func fields(form *html.Node, path string) (values url.Values, offered [][2]string) {
	values = url.Values{}
	for n := range form.Descendants() {
		name := attribute(n, "name")
		if n.Type != html.ElementNode || name == "" {
			continue
		}
		switch {
		case n.Data == "select":
			for o := range n.Descendants() {
				value := attribute(o, "value")
				switch {
				case o.Data != "option" || value == "":
				case name == "reason":
					values.Set(name, value)
				default:
					offered = append(offered, [2]string{name, value})
				}
			}
		case attribute(n, "type") == "date":
			days := daysFor(name)
			if isCase(path) {
				days = days[:1]
			}
			for _, day := range days {
				offered = append(offered, [2]string{name, day})
			}
		case attribute(n, "type") == "range":
			values.Set(name, attribute(n, "value"))
			offered = append(offered, [2]string{name, "3"})
		case name == "subject" && attribute(n, "type") == "":
			values.Set(name, "bench-1")
		case name == "by":
			values.Set(name, "bench")
		default:
			values.Set(name, attribute(n, "value"))
		}
	}
	return values, offered
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
