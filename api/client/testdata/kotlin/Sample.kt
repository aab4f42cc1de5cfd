// Records and asks by the client for Kotlin; prints what it got, a line of JSON each.
import consentledger.kotlin.Outcome
import consentledger.kotlin.allows
import consentledger.kotlin.answerTo
import consentledger.kotlin.consentLedger
import consentledger.kotlin.event
import consentledger.kotlin.outcomeOf
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import kotlin.io.path.Path
import kotlin.time.Duration.Companion.milliseconds

fun say(what: String, value: Any) = println("""{"what":"$what","value":${if (value is String) "\"$value\"" else "$value"}}""")

fun main(args: Array<String>) {
    val (url, dir) = args
    fun test(does: String) {
        val request = HttpRequest.newBuilder(URI.create("$url/test/$does")).POST(HttpRequest.BodyPublishers.noBody()).build()
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.discarding())
    }

    val grant = event("consent.given", subject = "account:kotlin", "act" to "agree-popup", id = "kotlin-1")
    consentLedger(url, app = "smartkey") { key = null; queue = Path(dir) }.use { ledger ->
        say("recorded", (ledger.outcomeOf(grant) as Outcome.Recorded).receipt.counts)
        say("allowed", ledger.allows(subject = "account:kotlin", purpose = "personalisation"))
        val wrong = event("consent.given", subject = "account:kotlin", "act" to "no-such-act")
        say("refused", (ledger.outcomeOf(wrong) as Outcome.Refused).refusal.code)

        test("cut")
        say("unsettled", (ledger.outcomeOf(grant, patience = 200.milliseconds) as Outcome.Unsettled).id)
        ledger.keep(event("consent.withdrawn", subject = "account:kotlin", "all" to true))
        say("opting out", ledger.answerTo(subject = "account:kotlin", purpose = "personalisation").why)
        test("mend")
        while (ledger.waiting() > 0) Thread.sleep(20) // the test ends what takes too long
        say("opted out", ledger.answerTo(subject = "account:kotlin", purpose = "personalisation").why)
    }
}
