package bench

import (
	"slices"
	"testing"
)

func TestAPageLeadsToItsLinksAndToEveryChoiceOfItsForms(t *testing.T) {
	const body = `<nav><a href="/ui/deadlines?app=smartkey">d</a><a href="/ui/?lang=zh-CN">zh</a><a href="https://example.com/ui/">away</a></nav>
<a href="requests/0123?app=smartkey">one</a><a href="/ui/deadlines?app=smartkey&amp;cursor=abc">more</a>
<a href="/ui/deadlines/file?format=csv">all of it</a>
<form class="filters" method="get" action="/ui/deadlines"><input type="hidden" name="app" value="smartkey">
<select name="state"><option value="">all</option><option value="open">open</option></select><input type="date" name="as_of"></form>
<form class="apps" method="get" action=""><select name="app"><option>other</option></select></form>
<form method="post" action="/ui/person?app=smartkey#stands"><input type="hidden" name="token" value="t1"><input name="subject">
<select name="reason"><option value="audit">audit</option></select><input name="by"><input type="range" name="valid" value="9"></form>
<form method="post" action="/ui/intake?app=smartkey"><input type="hidden" name="form" value="retry"></form>`

	var got []string
	for _, v := range onPage("/ui/?app=smartkey", []byte(body)) {
		got = append(got, v.String())
		if v.form != nil && (v.form.Get("token") != "t1" || v.form.Get("subject") != "bench-1" || v.form.Get("reason") != "audit" || v.form.Get("by") != "bench") {
			t.Errorf("sent %v", v.form)
		}
	}
	days := daysFor("as_of")
	want := []string{
		"/ui/deadlines", "/ui/requests/ID", "/ui/deadlines?cursor=next",
		"/ui/deadlines", "/ui/deadlines?state=open", "/ui/deadlines?as_of=" + days[0], "/ui/deadlines?as_of=" + days[1],
		"/ui/person?valid=9, sent", "/ui/person?valid=3, sent",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%q\nwant\n%q", got, want)
	}
}
