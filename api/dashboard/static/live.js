// Keeps a page as new as the ledger is. The page is complete without it: this asks for the
// page again when the server says that something was recorded, and puts what changed in
// its place. The server says nothing of what was recorded, so that a page shows what its
// reader may see, and nothing else.
'use strict'

const bar = document.getElementById('live')
const state = document.getElementById('live-state')
const button = bar.querySelector('button')
const said = bar.dataset // the texts, in the language of the page

let stream = null
let last = bar.dataset.after // the id of the last event
let paused = false
let ended = false
let waiting = 0 // records that came while paused
let due = false // the page is not as new as it could be
let asking = false
let lost = false // the connection broke and is not back; one that was only just begun is not lost
let soonest = 0 // before which it is not asked again

const between = 2000 // milliseconds, of two times that the page is asked for

function say(text) {
  if (state.textContent !== text) state.textContent = text
}

function tell() {
  if (ended) say(said.ended)
  else if (paused) say(waiting > 0 ? said.waiting.replace('%d', waiting) : said.paused)
  else if (stream !== null && stream.readyState === EventSource.OPEN) say(said.fresh)
  else if (lost) say(said.away)
}

// open begins to hear. The browser comes again by itself if the connection is lost, and says
// which event it had last.
function open() {
  const address = new URL(said.stream, location.href)
  if (last) address.searchParams.set('after', last)
  stream = new EventSource(address)
  stream.onopen = () => {
    lost = false
    tell()
  }
  stream.onerror = () => {
    lost = true
    if (stream !== null && stream.readyState === EventSource.CLOSED) { // it was refused
      ended = true
      close()
    }
    tell()
  }
  stream.addEventListener('changed', e => {
    last = e.lastEventId
    if (paused) {
      waiting += JSON.parse(e.data).records
      tell()
      return
    }
    due = true
    refresh()
  })
  stream.addEventListener('end', e => {
    if (JSON.parse(e.data).why !== 'not-allowed') return // it comes again
    ended = true
    close()
    tell()
  })
}

function close() {
  if (stream !== null) stream.close()
  stream = null
}

// refresh asks for the page again, not more often than is good, and one time at once.
async function refresh() {
  const wait = soonest - Date.now()
  if (asking || paused || !due) return
  if (wait > 0) {
    asking = true
    await new Promise(done => setTimeout(done, wait))
    asking = false
    if (paused) return
  }
  asking = true
  due = false
  soonest = Date.now() + between
  try {
    const answer = await fetch(location.href, { headers: { Accept: 'text/html' } })
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), 'text/html'))
    if (answer.status === 401 || answer.status === 403) { ended = true; close() }
  } catch { // the server is away: the stream says so, and when it is back
    due = true
  }
  asking = false
  tell()
  if (due && stream !== null && stream.readyState === EventSource.OPEN) refresh()
}

// show puts the parts that changed in their place. One in which somebody writes or stands
// with the keyboard stays as it is until they leave it.
function show(page) {
  for (const old of document.querySelectorAll('[data-part]')) {
    const part = page.getElementById(old.id)
    if (part === null || part.outerHTML === old.outerHTML || old.contains(document.activeElement) || written(old)) continue
    const scrolled = [...old.querySelectorAll('.wide')].map(e => e.scrollLeft)
    old.replaceWith(document.importNode(part, true))
    document.getElementById(part.id).querySelectorAll('.wide').forEach((e, i) => { e.scrollLeft = scrolled[i] || 0 })
  }
}

function written(part) {
  return [...part.querySelectorAll('input:not([type=hidden])')].some(i => i.value !== i.defaultValue)
}

button.addEventListener('click', () => {
  paused = !paused
  button.textContent = paused ? said.goOn : said.pause
  button.setAttribute('aria-pressed', paused)
  if (!paused) {
    due = due || waiting > 0
    waiting = 0
    refresh()
  }
  tell()
})

// A page that nobody sees holds no connection, of which a browser has few.
document.addEventListener('visibilitychange', () => {
  if (ended) return
  if (document.hidden) close()
  else if (stream === null) open()
  tell()
})

bar.hidden = false
if (!document.hidden) open()
tell()
