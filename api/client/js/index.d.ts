/** A CloudEvent. What has no value here is filled in: id, source, time. */
export interface Event {
  type: string
  subject?: string
  id?: string
  source?: string
  time?: string
  sequence?: string
  data?: Record<string, unknown>
}

export interface Receipt {
  event_id: string
  position: string
  outcome: string
  id?: string
  subject?: string
  request?: string
  incident?: string
  counts?: 'yes' | 'partly' | 'no'
  short?: string
  rests?: string
  repeats?: boolean
  reason?: string
  unknown?: string
  not_understood?: string
  near?: string
}

export interface Question {
  subject: string
  purpose: string
  action?: string
  category?: string
  recipient?: string
  version?: string
}

/** Yes or no, and why. Everything but allowed means no. */
export interface Answer {
  allowed: boolean
  status: string
  why: string
  reason: string
  purpose: string
  action?: string
  events: string[]
  [more: string]: unknown
}

export interface PromptItem {
  purpose?: string
  title: string
  reason: string
  separate: boolean
  explicit: boolean
  not_before?: string
  policy: string
  version: string
  text: { locale: string; hash: string; standing: string; url: string }
}

export interface Prompt {
  app: string
  items: PromptItem[]
  position: string
  valid_at: string
}

export interface Options {
  url: string
  app: string
  source?: string
  /** the API key of the app's back end; never in a browser */
  key?: string
  fetch?: typeof fetch
  /** how long one try may take, in milliseconds; default 5000 */
  patience?: number
}

export class Refusal extends Error {
  status: number
  code: string
  detail: string
  path: string
}

export class Unknown extends Error {
  id: string
}

export class Ledger {
  constructor(options: Options)
  record(event: Event, options?: { signal?: AbortSignal }): Promise<Receipt>
  check(question: Question, options?: { signal?: AbortSignal }): Promise<Answer>
  allowed(question: Question, options?: { signal?: AbortSignal }): Promise<Answer>
  prompt(subject: string, locale?: string, options?: { signal?: AbortSignal }): Promise<Prompt>
}
