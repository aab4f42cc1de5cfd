package consentledger;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;

/**
 * What a person said, or what was shown to them: a CloudEvent. What the types are and what their data hold is listed by
 * the ledger at /v1/schemas. An event has its id and its time from the beginning, so that sending it again sends the same.
 */
public final class Event {
    private static final Set<String> OPT_OUTS =
            Set.of("consent.refused", "consent.withdrawn", "permission.denied", "permission.revoked");
    private static final DateTimeFormatter MILLISECONDS =
            DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

    public final String id;
    public final String type;
    public final String subject;
    public final Instant time;
    public final Map<String, ?> data;

    /** An event of now, with a new id. */
    public Event(String type, String subject, Map<String, ?> data) {
        this(UUID.randomUUID().toString(), type, subject, Instant.now(), data);
    }

    public Event(String id, String type, String subject, Instant time, Map<String, ?> data) {
        this.id = Objects.requireNonNull(id, "id");
        this.type = Objects.requireNonNull(type, "type: name one, as in consent.given");
        this.subject = Objects.requireNonNull(subject, "subject");
        this.time = Objects.requireNonNull(time, "time");
        this.data = Objects.requireNonNull(data, "data");
    }

    /** Whether somebody says no by it, or takes something back. */
    boolean optsOut() {
        return OPT_OUTS.contains(type);
    }

    String toJson(String source) {
        Map<String, Object> e = new LinkedHashMap<>();
        e.put("specversion", "1.0");
        e.put("id", id);
        e.put("source", source);
        e.put("type", type);
        e.put("subject", subject);
        e.put("time", MILLISECONDS.format(time));
        e.put("data", data);
        return Json.write(e);
    }
}
