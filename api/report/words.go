package report

import (
	"fmt"
	"strings"
)

// Words are what a calendar says, by what it says it of: what is owed by its
// kind, what is asked for by the type of request after "type.", and sentences.
type words map[string]string

// wordsOf returns the words of a language: Chinese, or else English.
func wordsOf(lang string) words {
	if IsChinese(lang) {
		return chinese
	}
	return english
}

var english = words{
	"lang": "en", "deadlines": "Deadlines", "colon": ": ", "comma": ", ", "by": " (by %s)", "stop.": ". ",
	"reply": "Reply to a request", "stop": "Stop processing", "delete": "Delete the data",
	"keep":           "Keep until this day",
	"tell-authority": "Tell the authority", "tell-persons": "Tell the persons concerned",
	"tell-guardians":     "Tell the guardians",
	"handle-credentials": "Secure leaked login data", "file-summary": "File the summary of an incident",
	"notice": "Announce the end of the service",
	"report": "Report what was put right", "file": "File the contract",
	"file-officer": "File who is in charge of personal data",
	"audit":        "Compliance audit", "audit-minors": "Audit of minors' data", "publish": "Publish the risk report",

	"done": "Cancelled, it is done: ", "void": "Cancelled, nothing is owed any more: ",
	"paused": "Cancelled, the clock stands still: ",
	"app":    "App %s, rule %s", "source": " (%s, %s)", "law": "a law", "promise": "a promise",
	"provisional": "Provisional: a calendar is not announced yet",
	"reported":    "Provisional: it rests on days off that are reported and not announced", "safe": "Safe: %s",
	"another": "Another date binds",
	"limit":   "To be done by the end of this entry", "keeps": "What stays, since it rests on no consent: %s",

	"state.at-risk": "at risk", "state.not-started": "not started", "state.met-late": "met late",

	"type.cancel-account": "cancel the account", "type.withdraw": "withdraw consent",
	"type.restrict": "restrict processing", "type.refuse": "refuse processing",
	"type.guardian": "a guardian's request", "type.relative": "a relative's request",
	"type.authority": "an authority's request",
}

var chinese = words{
	"lang": "zh", "deadlines": "期限", "colon": "：", "comma": "、", "by": "（由 %s 办理）", "stop.": "。",
	"reply": "答复请求", "stop": "停止处理", "delete": "删除数据", "keep": "保存至本日",
	"tell-authority": "报告主管部门", "tell-persons": "告知个人", "tell-guardians": "告知监护人",
	"handle-credentials": "处置泄露的登录信息", "file-summary": "报送事件处置总结", "notice": "公告停止运营",
	"report": "报送整改情况", "file": "备案标准合同", "file-officer": "报送个人信息保护负责人",
	"audit": "合规审计", "audit-minors": "未成年人个人信息合规审计", "publish": "公布风险报告",

	"done": "已取消（已完成）：", "void": "已取消（无需办理）：", "paused": "已取消（期限中止）：",
	"app": "应用 %s，规则 %s", "source": "（%s，%s）", "law": "法定", "promise": "承诺", "provisional": "暂定：放假安排尚未公布",
	"reported": "暂定：依据尚未正式公布的放假安排", "safe": "稳妥日期：%s", "another": "以另一期限为准",
	"limit": "须在本日程结束前完成", "keeps": "不以同意为依据、予以保留的目的：%s",

	"state.overdue": "逾期", "state.at-risk": "临近到期", "state.open": "未到期", "state.paused": "中止", "state.held": "因法律保全暂停",
	"state.not-started": "尚未起算", "state.met-late": "迟延履行", "state.met": "按时履行", "state.void": "无需履行",

	"type.access": "查阅", "type.copy": "复制", "type.portability": "转移", "type.correct": "更正", "type.complete": "补充",
	"type.delete":         "删除",
	"type.cancel-account": "注销账户", "type.withdraw": "撤回同意", "type.restrict": "限制处理", "type.refuse": "拒绝处理",
	"type.explanation": "解释说明",
	"type.complaint":   "投诉、举报", "type.question": "询问", "type.guardian": "监护人请求", "type.relative": "近亲属请求",
	"type.authority": "主管机关要求",
}

// say returns the words for a code, and the code itself if there are none: a
// policy may name what is owed as it likes.
func (w words) say(prefix, code string) string {
	if text, ok := w[prefix+code]; ok {
		return text
	}
	return code
}

// title says what is owed, and first of all if it is not any more.
func (w words) title(o Obligation) string {
	text := w.say("", o.Kind)
	var types []string
	for _, t := range o.Types {
		types = append(types, w.say("type.", t))
	}
	if len(types) > 0 {
		text += w["colon"] + strings.Join(types, w["comma"])
	}
	if o.Target != "" {
		text += fmt.Sprintf(w["by"], o.Target)
	}
	return w[ended(o)] + text
}

// description says by which rule it is owed, and how sure the date is.
func (w words) description(o Obligation) string {
	text := fmt.Sprintf(w["app"], o.App, o.Rule)
	if o.Source != "" {
		text += fmt.Sprintf(w["source"], SourceName(w["lang"], o.Source), w[o.Basis])
	}

	all := []string{text}
	switch {
	case o.Reported:
		all = append(all, w["reported"])
	case o.Provisional:
		all = append(all, w["provisional"])
	}

	if o.SafeTarget != "" {
		all = append(all, fmt.Sprintf(w["safe"], o.SafeTarget))
	}
	if len(o.Keeps) > 0 {
		all = append(all, fmt.Sprintf(w["keeps"], strings.Join(o.Keeps, w["comma"])))
	}
	if o.DueDate == "" && ended(o) == "" {
		all = append(all, w["limit"])
	}
	if !o.Binding && ended(o) == "" {
		all = append(all, w["another"])
	}
	return strings.Join(all, w["stop."]) + w["stop."] + o.Stream
}

// DutyName returns what a kind of duty is called in a language; one that a policy
// names itself is as it names it.
func DutyName(lang, kind string) string { return wordsOf(lang).say("", kind) }

// StateName returns what the state of an obligation is called in a language.
func StateName(lang, state string) string { return wordsOf(lang).say("state.", state) }
