package report

import (
	"regexp"
	"strings"
)

// SourceName returns where a deadline rule is from, in a language. The program's
// own words for laws, and those of the policies that it ships, have a Chinese
// text; what somebody else's policy says is as it says it.
func SourceName(lang, source string) string {
	if !IsChinese(lang) {
		return source
	}
	if text, ok := sources[source]; ok {
		return text
	}
	for _, form := range sourceForms {
		if form.english.MatchString(source) {
			return form.english.ReplaceAllString(source, form.chinese)
		}
	}
	return source
}

// IsChinese reports whether a language tag is of Chinese.
func IsChinese(lang string) bool {
	tag, _, _ := strings.Cut(strings.ToLower(lang), "-")
	return tag == "zh"
}

// sourceForms are sources that name a place in a policy or a law.
var sourceForms = []struct {
	english *regexp.Regexp
	chinese string
}{
	{regexp.MustCompile(`^policy ([^a-z]+)$`), "隐私政策 $1"},
	{regexp.MustCompile(`^retention, ([^a-z]*)$`), "保存期限，$1"},
	{regexp.MustCompile(`^PIPL (?:art\. )?(\d+)$`), "个保法第 $1 条"},
	{regexp.MustCompile(`^GDPR (?:art\. )?(\d+)$`), "欧盟 GDPR 第 $1 条"},
	{regexp.MustCompile(`^GDPR (?:art\. )?(\d+)\((\d+)\)$`), "欧盟 GDPR 第 $1 条第 $2 款"},
	{regexp.MustCompile(`^GB/T 35273-2020 8\.7 a\)$`), "GB/T 35273-2020 第 8.7 条 a 项"},
	{regexp.MustCompile(`^no policy promises a reply, and the ledger knows no law of ([A-Z-]+) that gives a number of days$`),
		"政策未承诺答复期限，账本亦不知 $1 的法律规定了天数"},
}

// sources are those that say more.
var sources = map[string]string{
	"law": "法律",

	// what the program ships for a reply that no policy promises
	"method of 2019 for apps, 6: 15 working days if nothing is promised":                                       "《App违法违规收集使用个人信息行为认定方法》第六条：未承诺时限的，十五个工作日",
	"GB/T 35273-2020 8.7 a): PIPL 45 and 50 say promptly, and give no number of days":                          "GB/T 35273-2020 第 8.7 条 a 项：个保法第四十五、五十条要求及时，未规定天数",
	"no policy promises a reply to a question, and PIPL 50 gives no number of days":                            "政策未承诺答复咨询的期限，个保法第五十条亦未规定天数",
	"no policy promises a reply, and the GDPR gives none for what uses no right of its articles 15 to 22":      "政策未承诺答复期限；未行使欧盟 GDPR 第 15 至 22 条权利的，该条例亦未规定",
	"a withdrawal takes effect at once (GDPR 7(3)): no policy promises a reply to it, and the GDPR gives none": "撤回即时生效（欧盟 GDPR 第 7 条第 3 款）：政策未承诺答复期限，该条例亦未规定",
	"the GDPR does not apply to the dead (recital 27), and no policy promises a reply":                         "欧盟 GDPR 不适用于逝者（序言第 27 段），政策亦未承诺答复期限",
	"no policy promises a reply to an authority: it is owed by the day that the authority's own letter says":   "政策未承诺答复主管部门的期限：以主管部门来函所定日期为准",

	// the rules that the program ships
	"policy VII(III), reading in which identity verification stops the clock":            "隐私政策 VII(III)（身份验证期间中止计算的解释）",
	"App违法违规收集使用个人信息行为认定方法 (2019) sec. 6: promised limit may not exceed 15 working days": "《App违法违规收集使用个人信息行为认定方法》（2019）第六条：承诺时限不得超过十五个工作日",
	"国家网络安全事件报告管理办法 (2025-11-01) art. 4, other operators, incident 较大 or above":          "《国家网络安全事件报告管理办法》（2025-11-01）第四条：其他运营者，较大以上事件",
	"网络数据安全管理条例 art. 10 (national security / public interest)":                           "《网络数据安全管理条例》第十条（危害国家安全、公共利益）",
	"个人信息保护合规审计管理办法: 15 working days after rectification is complete":                    "《个人信息保护合规审计管理办法》：整改完成后十五个工作日",
	"个人信息出境标准合同办法 art. 7":                                                                "《个人信息出境标准合同办法》第七条",
	"PIPL art. 56: at least three years":                                                 "个保法第五十六条：至少三年",
	"GDPR art. 12(3); EDPB Guidelines 01/2022 para. 157-161":                             "欧盟 GDPR 第 12 条第 3 款；EDPB 指南 01/2022 第 157 至 161 段",

	// the policy that the program ships
	"rules for sharing a key, 2":                                         "钥匙共享规则第 2 条",
	"method of 2019 for apps, 6":                                         "《App违法违规收集使用个人信息行为认定方法》第六条",
	"incident reporting 2025, 4":                                         "《国家网络安全事件报告管理办法》第四条",
	"incident reporting 2025, 4, critical infrastructure":                "《国家网络安全事件报告管理办法》第四条：关键信息基础设施",
	"incident reporting 2025":                                            "《国家网络安全事件报告管理办法》",
	"network data regulation, 10":                                        "《网络数据安全管理条例》第十条",
	"audit measures 2025":                                                "《个人信息保护合规审计管理办法》",
	"standard contract measures 2023, 7":                                 "《个人信息出境标准合同办法》第七条",
	"CAC notice 2025-07-18":                                              "国家互联网信息办公室 2025-07-18 公告",
	"minors' regulation, 37":                                             "《未成年人网络保护条例》第三十七条",
	"our own target; PIPL 15 says at once":                               "自定目标；个保法第十五条要求即时",
	"our own target; PIPL 47 says proactively, IX(II) the shortest time": "自定目标；个保法第四十七条要求主动，隐私政策 IX(II) 为最短时间",
	"our own target; VIII(v) says as soon as possible":                   "自定目标；隐私政策 VIII(v) 为尽快",
	"our own target; PIPL 57 says immediately, VI(VII) promptly":         "自定目标；个保法第五十七条要求立即，隐私政策 VI(VII) 为及时",
	"our own target; VI(4) says in time":                                 "自定目标；隐私政策 VI(4) 为及时",
	"our own target; VI(5) says from time to time":                       "自定目标；隐私政策 VI(5) 为不定期",
}
