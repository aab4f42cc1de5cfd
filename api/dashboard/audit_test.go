package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"consentledger/api/audit/upload"
)

// A file that is not verified is refused where another one is chosen, and of one that is
// verified the page says which it was, and what it is in the reader's own words.
func TestAFileIsVerifiedWhereItIsChosen(t *testing.T) {
	t.Parallel()
	answer := ""
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/apps/shop/verify" {
			fmt.Fprint(w, answer)
			return
		}
		fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
	})
	b := &browser{d: &fakeAPI{t: t, h: Handler(Config{API: api, Version: "test", Now: time.Now})}}
	page := b.do(httptest.NewRequest("GET", "/ui/audit?app=shop", nil)).Body.String()

	const not = `{"kind":"bundle","authentic":false,"points":[],"claims":[],"origin":"o","key":"k",`
	for _, tt := range []struct {
		file   string
		answer string
		status int
		says   string
	}{
		{"", "", 400, "The file is empty."},
		{strings.Repeat("x", upload.Max+1), "", 413, "larger than 32 MiB"},
		{strings.Repeat("x", maxUpload), "", 413, "larger than 32 MiB"},
		{"PK", not + `"why":"other-log","log":"other.example.com/shop"}`, 200, "It names the log other.example.com/shop"},
		{"PK", not + `"why":"changed","wrong":"report.md is missing"}`, 200, "Something in it was changed"},
		{"PK", not + `"why":"neither"}`, 200, "No evidence"},
		{"PK", `{"kind":"bundle","authentic":true,"points":[{"point":"to","of":"2026-03-02T11:00:00Z"}],"claims":[],"pictures":[{"hash":"sha256:0c0ffee0","screen":"welcome","build":"5.2","locale":"en","record":7,"shown":[8,9],"more":3}]}`,
			200, "recorded before 2026-03-02 11:00:00 UTC"},
	} {
		answer = tt.answer
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		for _, m := range hidden.FindAllStringSubmatch(page, -1) {
			form.WriteField(m[1], m[2])
		}
		f, err := form.CreateFormFile("file", "<given>.zip")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(f, tt.file)
		form.Close()
		r := httptest.NewRequest("POST", "/ui/audit/verify?app=shop", &body)
		r.Header.Set("Content-Type", form.FormDataContentType())
		w := b.do(r)

		said := w.Body.String()
		if w.Code != tt.status || !strings.Contains(said, tt.says) || !strings.Contains(said, `name="file" type="file"`) {
			t.Errorf("%.20q: %d, want %d %q: %.3000s", tt.file, w.Code, tt.status, tt.says, said)
		}
		if tt.status == 200 && !strings.Contains(said, "&lt;given&gt;.zip · 2 bytes, SHA-256") {
			t.Errorf("it is not said which file it was: %s", said)
		}
		if strings.Contains(tt.answer, "welcome") && !strings.Contains(said, "The screen welcome of build 5.2 in en, which record 7 published. It was shown or answered in the records 8, 9 and 3 more.") {
			t.Errorf("the picture is not told of: %s", said)
		}
	}
}

// What left the organisation is asked for once, so that one record says who looked; of each type, and
// of each kind of access, the newest hundred are shown.
func TestWhatLeftIsAskedForOnce(t *testing.T) {
	t.Parallel()
	var asked []map[string]string
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/replay" {
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
			return
		}
		ask := map[string]string{}
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
			t.Error(err)
		}
		asked = append(asked, ask)
		line := func(at int, kind, data string) {
			fmt.Fprintf(w, `{"type":%q,"recorded":"2026-03-02T11:%02d:%02dZ","data":%s}`+"\n", kind, at/60, at%60, data)
		}
		for i := range 101 {
			line(i, "disclosure.made", fmt.Sprintf(`{"fields":{"recipient":"recipient-%d."}}`, i))
			line(i, "data.accessed", fmt.Sprintf(`{"kind":"export","records":%d}`, 7000+i))
		}
		line(102, "recipient.added", `{"fields":{"recipient":"courier"}}`)
		line(103, "data.accessed", `{"kind":"names","records":9000}`)
	})
	b := &browser{d: &fakeAPI{t: t, h: Handler(Config{API: api, Version: "test", Now: time.Now})}}
	page := b.do(httptest.NewRequest("GET", "/ui/audit?app=shop", nil)).Body.String()
	form := url.Values{"reason": {reasons[0]}, "by": {"Li Na"}}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], m[2])
	}
	r := httptest.NewRequest("POST", "/ui/audit/left?app=shop", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	page = b.do(r).Body.String()

	if len(asked) != 1 || asked[0]["access"] != "export,receipt,names" || asked[0]["last"] != "101" ||
		!strings.HasPrefix(asked[0]["type"], "disclosure.made,") || !strings.HasSuffix(asked[0]["type"], ",data.accessed") {
		t.Fatalf("asked %v", asked)
	}
	for text, times := range map[string]int{
		"recipient-0.": 0, "recipient-1.": 1, "recipient-100.": 1, "courier": 1,
		">7000<": 0, ">7001<": 1, ">7100<": 1, ">9000<": 1, "the newest 100 are shown": 1,
	} {
		if n := strings.Count(page, text); n != times {
			t.Errorf("%q is shown %d times, want %d", text, n, times)
		}
	}
	if strings.Index(page, ">9000<") > strings.Index(page, ">7100<") || strings.Index(page, "courier") > strings.Index(page, "recipient-100.") {
		t.Errorf("the newest are not shown first: %s", page)
	}
}
