import type { Event, Receipt } from './index.js'

export interface Problem {
  code: string
  status: number
  detail: string
  path?: string
}

export interface RecorderOptions {
  /** where the ledger is, from this page: an address of its own origin, or one that the ledger allows for the app */
  url: string
  app: string
  source?: string
  /** a subject token, which a back end gives to this person for minutes */
  token?: string
  /** is told what the ledger refused of an event that an earlier page recorded */
  failed?: (problem: Problem) => void
}

/** The promise is of the receipt, or is rejected with the ledger's problem. */
export function recorder(options: RecorderOptions): (event: Event) => Promise<Receipt>

export function anonymous(): string
