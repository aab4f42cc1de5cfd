package consentledger;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON as maps, lists, strings, longs, doubles, booleans and null: all that the ledger's answers need, so that the client
 * has no dependency.
 */
final class Json {
    private static final int DEEPEST = 100;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** Reads one value and nothing after it. The error repeats nothing of the text. */
    static Object parse(String text) {
        Json json = new Json(text);
        Object value = json.value(0);
        json.space();
        if (json.at != text.length()) {
            throw json.wrong();
        }
        return value;
    }

    /** Reads an object; null if the text is anything else. */
    @SuppressWarnings("unchecked")
    static Map<String, Object> object(String text) {
        try {
            Object value = parse(text);
            return value instanceof Map ? (Map<String, Object>) value : null;
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private IllegalArgumentException wrong() {
        return new IllegalArgumentException("no JSON at character " + at);
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private boolean takes(char c) {
        space();
        if (at < text.length() && text.charAt(at) == c) {
            at++;
            return true;
        }
        return false;
    }

    private Object value(int depth) {
        space();
        if (at == text.length() || depth > DEEPEST) {
            throw wrong();
        }

        switch (text.charAt(at)) {
            case '{':
                return members(depth);
            case '[':
                return items(depth);
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> members(int depth) {
        at++;
        Map<String, Object> members = new LinkedHashMap<>();
        if (takes('}')) {
            return members;
        }

        do {
            space();
            if (at == text.length() || text.charAt(at) != '"') {
                throw wrong();
            }
            String name = string();
            if (!takes(':')) {
                throw wrong();
            }
            members.put(name, value(depth + 1));
        } while (takes(','));
        if (!takes('}')) {
            throw wrong();
        }
        return members;
    }

    private List<Object> items(int depth) {
        at++;
        List<Object> items = new ArrayList<>();
        if (takes(']')) {
            return items;
        }

        do {
            items.add(value(depth + 1));
        } while (takes(','));
        if (!takes(']')) {
            throw wrong();
        }
        return items;
    }

    private Object word(String word, Object means) {
        if (!text.startsWith(word, at)) {
            throw wrong();
        }
        at += word.length();
        return means;
    }

    private Object number() {
        int from = at;
        while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String number = text.substring(from, at);
        try {
            return number.matches("-?\\d{1,18}") ? (Object) Long.valueOf(number) : (Object) Double.valueOf(number);
        } catch (NumberFormatException e) {
            throw wrong();
        }
    }

    private String string() {
        StringBuilder s = new StringBuilder();
        for (at++; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == '"') {
                at++;
                return s.toString();
            }
            if (c < ' ') {
                throw wrong();
            }
            s.append(c == '\\' ? escaped() : c);
        }
        throw wrong();
    }

    private char escaped() {
        if (++at == text.length()) {
            throw wrong();
        }
        int simple = "\"\\/bfnrt".indexOf(text.charAt(at));
        if (simple >= 0) {
            return "\"\\/\b\f\n\r\t".charAt(simple);
        }
        if (text.charAt(at) != 'u' || at + 4 >= text.length()) {
            throw wrong();
        }
        try {
            at += 4;
            return (char) Integer.parseInt(text.substring(at - 3, at + 1), 16);
        } catch (NumberFormatException e) {
            throw wrong();
        }
    }

    /** Writes maps, collections, strings, numbers, booleans and null. */
    static String write(Object value) {
        StringBuilder s = new StringBuilder();
        write(s, value);
        return s.toString();
    }

    private static void write(StringBuilder s, Object value) {
        if (value instanceof Map) {
            String before = "{";
            for (Map.Entry<?, ?> member : ((Map<?, ?>) value).entrySet()) {
                s.append(before);
                quote(s, String.valueOf(member.getKey()));
                s.append(':');
                write(s, member.getValue());
                before = ",";
            }
            s.append(before.equals("{") ? "{}" : "}");
        } else if (value instanceof Iterable) {
            String before = "[";
            for (Object item : (Iterable<?>) value) {
                s.append(before);
                write(s, item);
                before = ",";
            }
            s.append(before.equals("[") ? "[]" : "]");
        } else if (value instanceof CharSequence) {
            quote(s, value.toString());
        } else if (value == null || value instanceof Boolean || value instanceof Number && finite((Number) value)) {
            s.append(value);
        } else {
            throw new IllegalArgumentException("a value of " + value.getClass() + " makes no JSON");
        }
    }

    private static boolean finite(Number n) {
        return !Double.isNaN(n.doubleValue()) && !Double.isInfinite(n.doubleValue());
    }

    private static void quote(StringBuilder s, String text) {
        s.append('"');
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                s.append('\\').append(c);
            } else if (c < ' ') {
                s.append(String.format("\\u%04x", (int) c));
            } else {
                s.append(c);
            }
        }
        s.append('"');
    }
}
