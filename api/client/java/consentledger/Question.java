package consentledger;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** May we do this with this person's data? */
public final class Question {
    public final String subject;
    public final String purpose;
    public final String action; // empty: use

    public Question(String subject, String purpose) {
        this(subject, purpose, "");
    }

    public Question(String subject, String purpose, String action) {
        this.subject = Objects.requireNonNull(subject, "subject");
        this.purpose = Objects.requireNonNull(purpose, "purpose");
        this.action = Objects.requireNonNull(action, "action");
    }

    String toJson() {
        Map<String, Object> q = new LinkedHashMap<>();
        q.put("subject", subject);
        q.put("purpose", purpose);
        if (!action.isEmpty()) {
            q.put("action", action);
        }
        return Json.write(q);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Question && toJson().equals(((Question) other).toJson());
    }

    @Override
    public int hashCode() {
        return toJson().hashCode();
    }
}
