// Reads a ledger through a client of EventStoreDB, and prints a line of JSON
// for each thing it tried: node window.js PACKAGE CONNECTION-STRING STREAM
const [name, url, stream] = process.argv.slice(2);
const esdb = require(name);
const Client = esdb.KurrentDBClient ?? esdb.EventStoreDBClient;
const {START, BACKWARDS, END, jsonEvent, streamNameFilter} = esdb;

const say = (step, more) => console.log(JSON.stringify({step, ...more}));
const ids = async events => {
  const all = [];
  for await (const e of events) all.push(e.event.id);
  return all;
};
// take returns n events of a subscription, and ends it.
const take = async (subscription, n) => {
  const events = [];
  for await (const e of subscription) {
    if (!e.event) continue;
    events.push(e);
    if (events.length === n) break;
  }
  await subscription.unsubscribe();
  return events;
};

(async () => {
  const client = Client.connectionString(url);
  const all = await ids(client.readAll());
  say("all", {ids: all});
  say("all backwards", {ids: await ids(client.readAll({direction: BACKWARDS, fromPosition: END}))});
  const one = await ids(client.readStream(stream));
  say("stream", {ids: one});
  say("stream backwards", {ids: await ids(client.readStream(stream, {direction: BACKWARDS, fromRevision: END}))});

  say("subscribed to the stream", {ids: (await take(client.subscribeToStream(stream, {fromRevision: START}), one.length)).map(e => e.event.id)});
  const filter = streamNameFilter({prefixes: [stream]});
  const first = await take(client.subscribeToAll({fromPosition: START, filter}), one.length);
  say("subscribed to all", {ids: first.map(e => e.event.id)});
  const middle = Math.floor(one.length / 2);
  const rest = await take(client.subscribeToAll({fromPosition: first[middle].event.position, filter}), one.length - middle - 1);
  say("resumed", {ids: rest.map(e => e.event.id)});

  try {
    await client.appendToStream(stream, jsonEvent({type: "t", data: {}}));
    say("appended", {error: ""});
  } catch (e) {
    say("appended", {error: e.type});
  }

  const live = client.subscribeToAll({fromPosition: END, filter});
  live.on("caughtUp", () => say("caught up"));
  say("live", {ids: (await take(live, 1)).map(e => e.event.id)});
  await client.dispose();
})().catch(e => {
  console.error(e);
  process.exit(1);
});
