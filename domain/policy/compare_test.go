package policy

import (
	"reflect"
	"testing"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
)

func TestCompareFindsTheKindsOfMaterialChange(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Document)
		want   []string
		less   bool
	}{
		{"nothing", func(*Document) {}, nil, false},
		{"a new purpose", func(d *Document) { d.Purposes = append(d.Purposes, Purpose{ID: "new", Title: "New"}) }, []string{"MAT-1"}, false},
		{"another owner", func(d *Document) { d.Handler.Name = "Another" }, []string{"MAT-2"}, false},
		{"another recipient", func(d *Document) { d.Recipients = []Recipient{{ID: "r", Title: "R"}} }, []string{"MAT-3"}, false},
		{"a right less", func(d *Document) { d.Rights = nil }, []string{"MAT-4"}, true},
		{"a longer deadline", func(d *Document) {
			d.DeadlineRules = []deadline.Rule{{ID: "reply", Unit: deadline.UnitWorkingDay, Length: 30}}
		}, []string{"MAT-4"}, true},
		{"a shorter deadline", func(d *Document) {
			d.DeadlineRules = []deadline.Rule{{ID: "reply", Unit: deadline.UnitWorkingDay, Length: 10}}
		}, []string{"MAT-4"}, false},
		{"another contact", func(d *Document) { d.Handler.Contact = "elsewhere" }, []string{"MAT-5"}, false},
		{"a text in another language", func(d *Document) { d.Texts = append(d.Texts, Text{Locale: "zh", Hash: content.Hash{3}}) }, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base := func() Document {
				d := mailPolicy()
				d.Rights = []Right{{ID: "access", Title: "Access"}}
				d.DeadlineRules = []deadline.Rule{{ID: "reply", Unit: deadline.UnitWorkingDay, Length: 15}}
				return d
			}
			next := base()
			tt.change(&next)
			got := Compare(base(), next)
			if !reflect.DeepEqual(got.Material, tt.want) || got.RightsReduced != tt.less {
				t.Errorf("got %v, reduced %v: %+v", got.Material, got.RightsReduced, got.Differences)
			}
		})
	}
}

func TestCompareFindsWhatReducesRights(t *testing.T) {
	base := func() Document {
		d := mailPolicy()
		d.Rejections, d.ExemptionsCollect = []Ground{{Code: "REJ-1", Title: "r"}}, []Ground{{Code: "EXC-C1", Title: "c"}}
		d.ExemptionsProvide, d.Disclosures = []Ground{{Code: "EXC-S1", Title: "s"}}, []Ground{{Code: "DIS-1", Title: "d"}}
		d.DeadlineRules = []deadline.Rule{{ID: "reply", Unit: deadline.UnitWorkingDay, Length: 15, Pause: []string{"clarification"}}, {ID: "stop", Unit: deadline.UnitWorkingDay, Length: 5}, {ID: "notice", Unit: deadline.UnitWorkingDay, Length: 15, Direction: deadline.Backward}}
		d.Rights = []Right{{ID: "access", Title: "Access", Deadlines: []deadline.RuleID{"reply", "stop"}}}
		d.Duties = []DutyRule{{ID: "stop", On: []string{"consent.withdrawn", "permission.revoked"}, Kind: "stop", Rules: []deadline.RuleID{"stop", "reply"}, Each: DutyEachSystem, MetBy: []string{"processing.stopped"}}}
		d.Minors.Rules = []Ground{{Code: "MIN-1", Title: "m"}}
		return d
	}
	for _, tt := range []struct {
		name   string
		change func(*Document)
		less   bool
	}{
		{"nothing", func(d *Document) {}, false},
		{"a ground to reject more", func(d *Document) { d.Rejections = append(d.Rejections, Ground{Code: "REJ-2", Title: "x"}) }, true},
		{"a ground to reject less", func(d *Document) { d.Rejections = nil }, false},
		{"an exemption to collect more", func(d *Document) {
			d.ExemptionsCollect = append(d.ExemptionsCollect, Ground{Code: "EXC-C2", Title: "x"})
		}, true},
		{"an exemption to provide more", func(d *Document) {
			d.ExemptionsProvide = append(d.ExemptionsProvide, Ground{Code: "EXC-S2", Title: "x"})
		}, true},
		{"an exemption less", func(d *Document) { d.ExemptionsCollect = nil }, false},
		{"a ground to disclose more", func(d *Document) { d.Disclosures = append(d.Disclosures, Ground{Code: "DIS-2", Title: "x"}) }, true},
		{"a reason to pause more", func(d *Document) { d.DeadlineRules[0].Pause = []string{"clarification", "identity_verification"} }, true},
		{"a reason to pause less", func(d *Document) { d.DeadlineRules[0].Pause = nil }, false},
		{"a longer deadline", func(d *Document) { d.DeadlineRules[0].Length = 16 }, true},
		{"a shorter deadline", func(d *Document) { d.DeadlineRules[0].Length = 14 }, false},
		{"less notice", func(d *Document) { d.DeadlineRules[2].Length = 14 }, true},
		{"more notice", func(d *Document) { d.DeadlineRules[2].Length = 16 }, false},
		{"a right with one deadline less", func(d *Document) { d.Rights[0].Deadlines = []deadline.RuleID{"reply"} }, true},
		{"a right with one deadline more", func(d *Document) { d.Rights[0].Deadlines = []deadline.RuleID{"reply", "stop", "notice"} }, false},
		{"a duty less", func(d *Document) { d.Duties = nil }, true},
		{"a duty more", func(d *Document) { d.Duties = append(d.Duties, DutyRule{ID: "tell", On: []string{"x"}, Kind: "tell"}) }, false},
		{"a duty by fewer rules", func(d *Document) { d.Duties[0].Rules = []deadline.RuleID{"reply"} }, true},
		{"a duty by a rule that is as soon", func(d *Document) { d.Duties[0].Rules = []deadline.RuleID{"stop"} }, false},
		{"a duty on less", func(d *Document) { d.Duties[0].On = []string{"consent.withdrawn"} }, true},
		{"a duty on more", func(d *Document) {
			d.Duties[0].On = []string{"consent.withdrawn", "permission.revoked", "consent.refused"}
		}, false},
		{"a duty under conditions", func(d *Document) { d.Duties[0].When = []Field{{Name: "reason", Value: "x"}} }, true},
		{"a duty of fewer", func(d *Document) { d.Duties[0].Each = DutyOnce }, true},
		{"a duty that more meets", func(d *Document) { d.Duties[0].MetBy = []string{"processing.stopped", "data.deleted"} }, true},
		{"another age of adults", func(d *Document) { d.Minors.AdultAge = 16 }, true},
		{"another age of children", func(d *Document) { d.Minors.ChildBelowLaw = 13 }, true},
		{"a rule for minors less", func(d *Document) { d.Minors.Rules = nil }, true},
	} {
		next := base()
		tt.change(&next)
		got := Compare(base(), next)
		if got.RightsReduced != tt.less || tt.less && len(got.Material) != 1 || (tt.name == "nothing") != (len(got.Differences) == 0) {
			t.Errorf("%s: reduced %v, %v: %+v", tt.name, got.RightsReduced, got.Material, got.Differences)
		}
	}
}
