package bundle

var chinese = wording{
	lang: "zh-CN", title: "同意账本存证报告", overview: "概况", about: "对象", person: "个人", included: "已收入的同一人的关联历史",
	wholeLog: "全部记录", made: "制作时间", span: "记录时间范围",
	voids: "作废其他记录的记录数", gaps: "生产者编号缺口数", rejected: "被拒收且待处理的消息", unknown: "未知",
	linked: "未收入本包的关联历史", missing: "未收入本包的文本", partly: "仅部分收入本包的记录流",

	timeline: "时间线", columns: []string{"发生时间", "记录时间", "类型", "内容", "事件编号"},
	andMore: "另有 %d 条记录，见 %s。", whatWasShown: "所展示的内容", nothingNamed: "没有记录指明界面或文本。",
	theScreen: "界面", theText: "文本", versionText: "所回应的政策版本的文本（未记录所展示的文本）", build: "版本",
	proof: "证明与系统可靠性说明",
	statement: `以上每条记录均存在于只可追加的 RFC 6962 日志中：共 %d 条记录，根哈希为 %s，由 %s 签名。每条记录在向发送方出具回执之前已同步写入磁盘。
每条记录有两个时间：来源所称的发生时间与账本的记录时间；账本的顺序即日志的顺序。同意自两个时间中较晚者起算，拒绝与撤回自较早者起算。
记录如被修改、删除、插入或移动，则无法通过验证。个人信息保存于日志之外，并以密码学承诺与日志绑定。由 consentledger %s 制作。请使用事先取得的公钥离线验证：`,

	purposes: "处理目的", byAct: "行为", locale: "语言", evidence: "证据质量", shown: "所展示内容", all: "全部", allowed: "允许", denied: "不允许", due: "期限",
	reason: "理由", recordsRead: "记录数", partsRead: "个人信息文本数",

	qualities: map[string]string{"strong": "强", "partial": "部分", "weak": "弱", "imported": "导入"},
	consents:  map[string]string{"none": "不构成同意", "general": "一般同意", "explicit": "明示同意", "separate": "单独同意", "written": "书面同意", "guardian": "监护人同意"},
	actions:   map[string]string{"collect": "收集", "use": "使用", "provide": "提供", "publish": "公开", "export": "出境"},
	states:    map[string]string{"unticked": "未勾选", "ticked": "预先勾选", "button": "按钮"},
	accesses:  map[string]string{"export": "导出存证包", "receipt": "出具同意回执", "rejected-message": "查看被拒收消息", "replay": "回放历史", "reaction": "系统自动处理"},
	requests: map[string]string{
		"access": "查阅", "copy": "复制", "portability": "转移", "correct": "更正", "complete": "补充", "delete": "删除", "cancel-account": "注销账号", "withdraw": "撤回同意",
		"restrict": "限制处理", "refuse": "拒绝处理", "explanation": "解释说明", "complaint": "投诉", "question": "咨询", "guardian": "监护人代为请求", "relative": "逝者近亲属请求", "authority": "主管部门要求",
	},
	shorts: map[string]string{
		"act-gives-no-consent": "该行为不构成同意", "ticked-before": "预先勾选", "separate-consent-missing": "缺少单独同意", "not-on-this-control": "不属于该控件",
		"explicit-consent-missing": "缺少明示同意", "document-missing": "缺少书面文件", "guardian-consent-missing": "缺少监护人同意", "guardian-consent-lapsed": "监护人同意已失效",
		"no-authoritative-text": "没有正式文本",
	},
	lacks: map[string]string{
		"presentation": "告知记录", "surface": "界面", "text": "文本", "control": "控件", "initial-state": "控件初始状态", "locale": "语言", "screenshot": "截图",
		"authoritative-text": "正式文本", "refuse-option": "同等便利的拒绝选项", "principal": "经认证的记录者",
	},
	whys: map[string]string{
		"consent-given": "已同意", "consent-given-to-the-old-scope": "对旧范围的同意", "other-legal-basis": "其他法定事由", "exemption-invoked": "援引同意例外", "service-ceased": "服务已停止",
		"legal-hold": "法律保全", "storage-only": "仅限存储", "guardian-consent-missing": "缺少监护人同意", "no-policy-in-force": "没有生效的政策", "purpose-not-declared": "政策未列明该目的",
		"action-not-declared": "政策未列明该处理方式", "category-not-declared": "政策未列明该类信息", "recipient-not-declared": "政策未列明该接收方", "separate-consent-missing": "缺少单独同意",
		"no-consent-in-force": "没有有效的同意", "action-not-consented-to": "未同意该处理方式", "category-not-consented-to": "未同意处理该类信息", "recipient-not-consented-to": "未同意向该接收方提供",
	},
	kinds: map[string]string{
		"app.registered": "应用登记", "policy.published": "隐私政策发布", "policy.effective": "隐私政策生效", "policy.acknowledged": "已阅隐私政策", "policy.notified": "变更告知",
		"policy.inconsistency": "政策条款矛盾的处理", "policy.precedence": "专项政策优先", "group.told": "已告知同组应用", "signer.registered": "签名者登记", "service.ceased": "服务停止",
		"consent.given": "同意", "consent.refused": "拒绝同意", "consent.withdrawn": "撤回同意", "consent.requested": "征求同意", "consent.used": "单次同意已使用", "withdrawal.confirmed": "确认撤回生效",
		"notice.presented": "告知展示", "surface.published": "界面发布", "permission.granted": "系统权限授予", "permission.denied": "系统权限拒绝",
		"permission.revoked": "系统权限撤销", "record.voided": "记录作废", "build.voided": "按版本作废", "build.disputed": "按版本争议", "record.disputed": "记录争议", "check.answered": "处理许可查询", "data.accessed": "数据读取",
		"request.received": "收到请求", "subject.requested": "提出请求", "request.acknowledged": "受理请求", "identity.requested": "要求身份验证",
		"identity.passed": "身份验证通过", "identity.failed": "身份验证未通过", "clarification.requested": "要求说明", "clarification.received": "收到说明", "clock.paused": "期限中止", "clock.resumed": "期限恢复",
		"request.answered": "答复请求", "request.rejected": "拒绝请求", "request.repeated": "重复请求", "request.duplicate": "与已有请求相同", "request.reopened": "重新办理请求",
		"request.withdrawn": "请求撤回", "request.extended": "延长期限", "fee.quoted": "告知费用", "fee.paid": "已付费用", "fee.waived": "免除费用", "facts.verified": "核实投诉",
		"obligation.opened": "义务产生", "obligation.moved": "期限重新计算", "obligation.met": "义务履行", "obligation.voided": "义务免除", "obligation.at_risk": "期限临近", "obligation.overdue": "逾期",
		"subject.linked": "历史关联", "subject.unlinked": "解除关联", "subject.closed": "账号注销", "subject.reassigned": "标识转让", "subject.test": "测试账号标记", "age.recorded": "年龄段记录",
		"erasure.ordered": "决定删除", "subject.erased": "已删除",
		"minor.found": "发现未成年人信息", "guardian.verified": "监护人核验", "guardian.ended": "监护关系结束", "calendar.published": "工作日历发布", "exemption.invoked": "援引同意例外",
		"exemption.ended": "同意例外结束", "hold.placed": "法律保全", "hold.released": "解除法律保全", "restriction.applied": "限制处理", "restriction.lifted": "解除限制处理",
		"recipient.added": "新增接收方", "recipient.changed": "接收方变更", "recipient.removed": "移除接收方", "entrustment.agreed": "委托处理", "entrustment.ended": "委托处理结束",
		"disclosure.made": "公开个人信息", "transfer.merger": "因合并等转移", "crossborder.started": "开始出境", "crossborder.stopped": "停止出境", "crossborder.filed": "标准合同备案",
		"assessment.started": "影响评估开始", "assessment.final": "影响评估完成", "assessment.published": "影响评估公布", "measure.evidenced": "保护措施举证", "training.held": "培训",
		"officer.appointed": "任命负责人", "officer.reported": "负责人报送", "officer.changed": "负责人变更", "headcount.recorded": "处理人数记录", "audit.started": "合规审计开始",
		"audit.finished": "合规审计完成", "rectification.completed": "整改完成", "rectification.reported": "整改报送", "risks.published": "安全风险公布", "system.added": "新增存储系统",
		"system.removed": "移除存储系统", "cessation.decided": "决定停止服务", "cessation.notified": "停止服务告知", "collection.stopped": "停止收集", "cessation.deleted": "停止服务后删除",
		"decision.made": "自动化决策", "decision.explained": "自动化决策说明", "decision.objected": "拒绝自动化决策", "decision.reviewed": "人工复核", "profile.generated": "生成画像",
		"cookies.set": "Cookie 选择", "access.approved": "批准查阅未成年人信息", "retention.ended": "保存期限届满", "processing.stopped": "停止处理", "data.deleted": "数据删除",
		"incident.suspected": "疑似安全事件", "incident.detected": "发现安全事件", "incident.dismissed": "排除安全事件", "incident.classified": "安全事件定级", "incident.authority-told": "报告主管部门",
		"incident.persons-told": "告知个人", "incident.guardians-told": "告知监护人", "incident.announced": "公告安全事件", "incident.credentials-handled": "凭证泄露处置",
		"incident.contained": "控制安全事件", "incident.closed": "安全事件结束", "incident.summary-filed": "提交处置总结",
	},
}
