package roles_test

import (
	"reflect"
	"strings"
	"testing"

	"consentledger/api/auth"
	"consentledger/api/auth/roles"
	"consentledger/domain/ident"
)

const good = `
claim: [realm_access, roles]
groups:
  - group: shop-privacy
    roles: [privacy-officer, auditor]
    apps: [shop]
  - group: bank-back-end
    roles: [app-writer]
    apps: [bank]
  - group: admins
    roles: [administrator]
    all_apps: true
certificates:
  - name: shop-back-end
    uri: spiffe://example.com/shop
    roles: [app-writer]
    apps: [shop]
`

func TestAFileIsReadAsItIsWritten(t *testing.T) {
	f, err := roles.Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want := []auth.Binding{{Roles: []auth.Role{auth.Officer, auth.Auditor}, Apps: []ident.AppName{"shop"}}}
	if got, err := f.Bindings([]string{"others", "shop-privacy", "shop-privacy"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := f.Bindings([]string{"others", ""}); err != nil || len(got) != 0 {
		t.Errorf("of groups that are not in it: %+v %v", got, err)
	}
	if _, err := f.Bindings([]string{"shop-privacy", "bank-back-end"}); err == nil || !strings.Contains(err.Error(), "nobody is both app-writer and privacy-officer") {
		t.Errorf("of roles that nobody has both of: %v", err)
	}
	twice := strings.Replace(good, "group: bank-back-end\n    roles: [app-writer]", "group: shop-privacy\n    roles: [viewer]", 1)
	if f, err := roles.Parse([]byte(twice)); err != nil {
		t.Error(err)
	} else if got, err := f.Bindings([]string{"shop-privacy"}); err != nil || len(got) != 2 {
		t.Errorf("of a group with roles in two apps: %+v %v", got, err)
	}
	grouped := strings.Replace(good, "apps: [bank]", "apps: [bank, group:retail]", 1)
	want = []auth.Binding{{Roles: []auth.Role{auth.Writer}, Apps: []ident.AppName{"bank"}, Groups: []auth.AppGroup{"retail"}}}
	if f, err := roles.Parse([]byte(grouped)); err != nil || !f.NamesGroups() {
		t.Error(err)
	} else if got, err := f.Bindings([]string{"bank-back-end"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("of a group of apps: %+v %v", got, err)
	}
	if f.NamesGroups() {
		t.Error("it names no group of apps")
	}
	if !reflect.DeepEqual(f.Claim, []string{"realm_access", "roles"}) || len(f.Certificates) != 1 || f.Certificates[0].URI != "spiffe://example.com/shop" {
		t.Errorf("%+v", f)
	}
}

// Each of these is one edit of a good file, and says where it is wrong.
func TestAWrongFileIsRefused(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{good, "", "names no groups"},
		{good, "- a", "line 1"},
		{good, "claim: " + strings.Repeat("[", 100), "more than 64 deep"},
		{"roles: [administrator]", "roles: [admin]", "groups[2]: roles: there is no such role"},
		{"all_apps: true", "", "groups[2]: apps:"},
		{"all_apps: true", "apps: [shop]", "an administrator is one of all apps"},
		{"all_apps: true", "all_app: true", "groups.2.all_app: this member is not known"},
		{"roles: [administrator]", "roles: administrator", "groups.2.roles: this member is not known, or has a value of another kind"},
		{"apps: [bank]", "apps: [Bank]", "groups[1]: apps:"},
		{"apps: [bank]", "apps: [bank]\n    all_apps: true", "not both"},
		{"apps: [bank]", "apps: [group:Retail]", "groups[1]: apps: a group of apps is named as in group:retail"},
		{"roles: [administrator]\n    all_apps: true", "roles: [administrator]\n    apps: [group:retail]", "an administrator is one of all apps"},
		{"roles: [app-writer]\n    apps: [bank]", "roles: [app-writer, privacy-officer]\n    apps: [bank]", "nobody is both"},
		{"group: admins", "group: shop-privacy", "groups[2]: roles: nobody is both administrator and privacy-officer"},
		{"group: admins", "group: \"\"", "group: say"},
		{"claim: [realm_access, roles]", "", "claim: say which"},
		{"claim: [realm_access, roles]", "claim: []", "claim: want"},
		{"claim: [realm_access, roles]", "claim: {a: b}", "claim: want"},
		{"name: shop-back-end", "name: Shop", "certificates[0]: name:"},
		{"uri: spiffe://example.com/shop", "uri: spiffe://example.com/shop\n    dns: shop.example.com", "exactly one"},
		{"    uri: spiffe://example.com/shop\n", "", "exactly one"},
		{"claim: [", "claim: groups\nclaim: [", "line 3"},
	} {
		if !strings.Contains(good, c.was) {
			t.Fatalf("the file has no %q", c.was)
		}
		if _, err := roles.Parse([]byte(strings.Replace(good, c.was, c.is, 1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: %v, want %q", c.is, c.was, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := roles.Parse(text)
		if err != nil {
			return
		}
		for _, g := range file.Groups {
			if g.Name == "" || g.Binding.Check() != nil {
				t.Errorf("%+v", g)
			}
		}
	})
}
