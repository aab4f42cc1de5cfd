package rest

import "testing"

func TestAnAppIsChangedInWhatIsNamed(t *testing.T) {
	h := open(t)
	const shop = "/v1/apps/shop"
	h.want(422, "app-incomplete", "PUT", shop, `{"handler":"Shop Ltd"}`)
	h.want(200, `"receipt"`, "PUT", shop, `{"handler":"Shop Ltd","group":"shops","environment":"production","jurisdiction":"DE","time_zone":"Europe/Berlin","locales":["de","en"]}`)

	// What is left out stays as it is.
	h.want(200, `{"app":"shop","handler":"Shop GmbH","group":"shops","environment":"production","jurisdiction":"DE","time_zone":"Europe/Berlin","locales":["de","en"],"policies":0,"receipt"`,
		"PUT", shop, `{"handler":"Shop GmbH"}`)
	h.want(200, `"policies":0,"notes":["all of this was known of the app before: nothing was recorded"]}`, "PUT", shop, `{"handler":"Shop GmbH","environment":"production"}`)
	h.want(200, `"handler":"Shop GmbH","environment":"production"`, "PUT", shop, `{"group":""}`)

	// Another environment is no change by the way.
	h.want(409, "environment-fixed", "PUT", shop, `{"environment":"test"}`)
	h.want(200, `"environment":"production"`, "GET", shop, "")
	h.want(200, `"environment":"test","jurisdiction":"DE"`, "POST", shop+"/environment", `{"environment":"test"}`)
	h.want(200, `"policies":0,"notes":["all of this was known of the app before: nothing was recorded"]}`, "POST", shop+"/environment", `{"environment":"test"}`)
	h.want(404, "unknown-app", "POST", "/v1/apps/nosuch/environment", `{"environment":"test"}`)
	h.want(400, `is \"test\" or \"production\"`, "POST", shop+"/environment", `{"environment":"staging"}`)

	for _, body := range []string{`{"jurisdiction":"XX"}`, `{"jurisdiction":""}`} {
		h.want(422, "jurisdiction", "PUT", shop, body)
	}
	for body, part := range map[string]string{
		`{"locales":["de","en","DE"]}`: "twice", `{"locales":["klingon"]}`: "language tags", `{"locales":["zh-CN","x-private"]}`: "language tags",
		`{"time_zone":"Local"}`: "time_zone", `{"time_zone":""}`: "time_zone", `{"environment":""}`: "environment",
	} {
		h.want(400, part, "PUT", shop, body)
	}
}
