package bundle

// A wording is the report's language.
type wording struct {
	title, about, person, wholeLog, made, span, voids, gaps, rejected, unknown, linked, partly string

	timeline, columns, proof, statement string

	purposes, act, locale, evidence, shown, all, allowed, denied, due string

	kinds, qualities, consents map[string]string
}

var english = wording{
	title: "Evidence from the consent ledger", about: "About", person: "person", wholeLog: "the whole log", made: "Made", span: "Span of recording times",
	voids: "Records that void others", gaps: "Gaps in producers' numbers", rejected: "Messages rejected and waiting", unknown: "not known",
	linked: "Linked history that is not in this bundle", partly: "Stream of which only a part is in this bundle",

	timeline: "Timeline", columns: "| Happened | Recorded | Kind | What | Event |", proof: "Proof, and what the system vouches for",
	statement: `Every record above stands in an append-only RFC 6962 log of %d records with the root %s, signed as %s. Each was on disk, synced, before
its sender had a receipt. The two times of a record are its source's and the ledger's; the ledger's order is the log's order. A yes counts from
the later of the two, a no from the earlier. A record that was changed, removed, inserted or moved since does not verify. Personal texts are kept
outside the log and bound to it by commitments. Made by consentledger %s. Verify it offline, with a key that you had before:`,

	purposes: "purposes", act: "act", locale: "language", evidence: "evidence", shown: "shown", all: "all", allowed: "allowed", denied: "not allowed", due: "due",
}

var chinese = wording{
	title: "同意账本存证报告", about: "对象", person: "个人", wholeLog: "全部记录", made: "制作时间", span: "记录时间范围",
	voids: "作废其他记录的记录数", gaps: "生产者编号缺口数", rejected: "被拒收且待处理的消息", unknown: "未知",
	linked: "未收入本包的关联历史", partly: "仅部分收入本包的记录流",

	timeline: "时间线", columns: "| 发生时间 | 记录时间 | 类型 | 内容 | 事件编号 |", proof: "证明与系统可靠性说明",
	statement: `以上每条记录均存在于只可追加的 RFC 6962 日志中：共 %d 条记录，根哈希为 %s，由 %s 签名。每条记录在向发送方出具回执之前已同步写入磁盘。
每条记录有两个时间：来源所称的发生时间与账本的记录时间；账本的顺序即日志的顺序。同意自两个时间中较晚者起算，拒绝与撤回自较早者起算。
记录如被修改、删除、插入或移动，则无法通过验证。个人信息保存于日志之外，并以密码学承诺与日志绑定。由 consentledger %s 制作。请使用事先取得的公钥离线验证：`,

	purposes: "处理目的", act: "行为", locale: "语言", evidence: "证据质量", shown: "所展示内容", all: "全部", allowed: "允许", denied: "不允许", due: "期限",

	qualities: map[string]string{"strong": "强", "partial": "部分", "weak": "弱", "imported": "导入"},
	consents:  map[string]string{"none": "不构成同意", "general": "一般同意", "explicit": "明示同意", "separate": "单独同意", "written": "书面同意", "guardian": "监护人同意"},
	kinds: map[string]string{
		"app.registered": "应用登记", "policy.published": "隐私政策发布", "policy.effective": "隐私政策生效", "policy.acknowledged": "已阅隐私政策",
		"consent.given": "同意", "consent.refused": "拒绝同意", "consent.withdrawn": "撤回同意", "consent.requested": "征求同意", "consent.used": "单次同意已使用",
		"notice.presented": "告知展示", "surface.published": "界面发布", "permission.granted": "系统权限授予", "permission.denied": "系统权限拒绝",
		"permission.revoked": "系统权限撤销", "record.voided": "记录作废", "build.voided": "按版本作废", "build.disputed": "按版本争议", "record.disputed": "记录争议", "check.answered": "处理许可查询",
		"request.received": "收到请求", "subject.requested": "提出请求", "request.acknowledged": "受理请求", "identity.requested": "要求身份验证",
		"identity.passed": "身份验证通过", "identity.failed": "身份验证未通过", "request.answered": "答复请求", "request.rejected": "拒绝请求",
		"request.withdrawn": "请求撤回", "request.extended": "延长期限", "facts.verified": "核实投诉", "obligation.opened": "义务产生",
		"obligation.moved": "期限重新计算", "obligation.met": "义务履行", "obligation.voided": "义务免除", "obligation.at_risk": "期限临近", "obligation.overdue": "逾期",
		"subject.linked": "历史关联", "subject.unlinked": "解除关联", "subject.closed": "账号注销", "subject.reassigned": "标识转让", "age.recorded": "年龄段记录",
		"guardian.verified": "监护人核验", "guardian.ended": "监护关系结束", "calendar.published": "工作日历发布", "exemption.invoked": "援引同意例外", "hold.placed": "法律保全",
	},
}
