package consentledger;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** Records and asks by the Java client; prints what it got, a line of JSON each. */
public final class Sample {
    private static final Duration LONG = Duration.ofMinutes(2);

    private static String url;

    public static void main(String[] args) throws Exception {
        url = args[0];
        Path dir = Path.of(args[1]);
        try (Ledger ledger = new Ledger(Ledger.at(url, "smartkey").key(null))) {
            records(ledger);
            outages(ledger);
        }
        remembers();
        keeps(dir);
        renews(dir, "unauthenticated");
        renews(dir, "unknown-app");
        try {
            Ledger.at(url, "smartkey").key("one\ntwo");
        } catch (IllegalArgumentException e) {
            say("key of lines", "refused");
        }
    }

    private static void say(String what, Object value) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("what", what);
        line.put("value", value);
        System.out.println(Json.write(line));
    }

    private static void say(String what, Answer a) {
        say(what, Map.of("allowed", a.allowed, "status", a.status, "why", a.why));
    }

    /** Asks the test for something: to cut connections, to mend them, to lose an answer. */
    private static String test(String does) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/test/" + does)).POST(HttpRequest.BodyPublishers.noBody())
                .build();
        return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
    }

    private static Event grant(String id, String subject, String act) {
        return new Event(id, "consent.given", subject, Instant.now(), Map.of("act", act));
    }

    private static final Question QUESTION = new Question("account:java", "personalisation");
    private static final Event OPT_OUT = new Event("consent.withdrawn", "account:java", Map.of("all", true));

    private static void records(Ledger ledger) throws Exception {
        Event first = grant("java-1", "account:java", "agree-popup");
        say("first", ledger.record(first, LONG).members);
        say("again", ledger.record(first, LONG).members);
        say("allowed", ledger.allowed(QUESTION));
        say("checked", ledger.check(new Question("account:java", "personalisation", "use")));
        try {
            ledger.record(grant("java-2", "account:java", "no-such-act"), LONG);
        } catch (Refusal r) {
            say("refused", r.code + " " + r.status);
        }
    }

    private static void outages(Ledger ledger) throws Exception {
        test("deaf"); // the ledger records it, and its answer is lost
        say("answer lost", ledger.record(grant("java-3", "account:deaf", "agree-popup"), LONG).eventId.length());

        test("cut");
        say("unknown", ledger.allowed(new Question("account:nobody", "personalisation")));
        try {
            ledger.check(QUESTION);
        } catch (IOException e) {
            say("check", "throws");
        }
        try {
            ledger.record(grant("java-4", "account:java", "agree-popup"), Duration.ofMillis(300));
        } catch (Unknown u) {
            say("lost", u.id);
        }
        test("mend");
    }

    /** An answer is repeated until something is said here. */
    private static void remembers() throws Exception {
        try (Ledger ledger = new Ledger(Ledger.at(url, "smartkey").remember(Duration.ofHours(1)))) {
            String before = test("asked");
            ledger.allowed(QUESTION);
            say("repeated", ledger.allowed(QUESTION));
            say("asked once", Long.parseLong(test("asked")) - Long.parseLong(before));
            ledger.record(grant("java-5", "account:java", "agree-popup"), LONG);
            ledger.allowed(QUESTION);
            say("asked again", Long.parseLong(test("asked")) - Long.parseLong(before));
        }
    }

    /** What is kept outlasts the ledger's absence, and a restart of the app. */
    private static void keeps(Path dir) throws Exception {
        BlockingQueue<String> refusals = new ArrayBlockingQueue<>(1);
        test("cut");
        try (Ledger ledger = new Ledger(Ledger.at(url, "smartkey").queue(dir))) {
            ledger.keep(OPT_OUT);
            say("opting out", ledger.allowed(QUESTION));
            try {
                new Ledger(Ledger.at(url, "smartkey").queue(dir)).close();
            } catch (IOException e) {
                say("in use", "refused");
            }
        }

        Ledger.Config again = Ledger.at(url, "smartkey").queue(dir).queueMost(2).refused((event, why) -> refusals.add(why.code));
        try (Ledger ledger = new Ledger(again)) {
            say("waiting", ledger.waiting());
            say("after a restart", ledger.allowed(QUESTION));
            ledger.keep(grant("java-6", "account:java", "no-such-act"));
            try {
                ledger.keep(OPT_OUT);
            } catch (IOException e) {
                say("full", "refused");
            }
            test("mend");
            say("kept and refused", String.valueOf(refusals.poll(2, TimeUnit.MINUTES)));
            while (ledger.waiting() > 0) { // the test ends what takes too long
                Thread.sleep(20);
            }
            say("opted out", ledger.allowed(QUESTION));
        }
    }

    /** A key that is no good makes no event wrong: what is kept waits for another key. */
    private static void renews(Path dir, String code) throws Exception {
        AtomicReference<String> key = new AtomicReference<>("old");
        Ledger.Config config = Ledger.at(url, "smartkey").queue(dir).keyFrom(key::get).refused((event, why) -> {
            throw new IllegalStateException("the app fails at " + why.code);
        });
        test("lock/" + code);
        try (Ledger ledger = new Ledger(config)) {
            ledger.keep(new Event("consent.withdrawn", "account:java", Map.of("all", true)));
            while (Long.parseLong(test("locked-out")) < 2) { // the test ends what takes too long
                Thread.sleep(20);
            }
            say("locked out by " + code, ledger.waiting() + " " + ledger.allowed(QUESTION).why);

            ledger.keep(grant("java-wrong-" + code, "account:java", "no-such-act"));
            ledger.keep(grant("java-last-" + code, "account:java", "agree-popup"));
            key.set("new\n");
            while (ledger.waiting() > 0) {
                Thread.sleep(20);
            }
        }
    }
}
