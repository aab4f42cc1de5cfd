// What a TypeScript app writes. It is compiled by a test, and never run.
import { Ledger, Refusal, Unknown, type Answer, type Receipt } from '@consentledger/client'
import { recorder, anonymous } from '@consentledger/client/browser'

export async function withdraw(id: string): Promise<boolean> {
  const ledger = new Ledger({ url: 'https://consent.example.com', app: 'smartkey', patience: 1000 })
  try {
    const receipt: Receipt = await ledger.record({ type: 'consent.withdrawn', subject: id, data: { all: true } }, { signal: AbortSignal.timeout(1000) })
    return receipt.repeats ?? false
  } catch (e) {
    if (e instanceof Refusal) return e.code === 'malformed' && e.status === 400
    if (e instanceof Unknown) return e.id !== ''
    throw e
  }
}

export async function may(id: string): Promise<Answer> {
  const ledger = new Ledger({ url: 'https://consent.example.com', app: 'smartkey', key: 'k' })
  const prompt = await ledger.prompt(id, 'zh-CN')
  return prompt.items.length === 0 ? ledger.allowed({ subject: id, purpose: 'mail' }) : ledger.check({ subject: id, purpose: 'mail' })
}

const record = recorder({ url: '/consent', app: 'smartkey', failed: problem => console.error(problem.code, problem.path) })
export const agreed: Promise<Receipt> = record({ type: 'consent.given', subject: anonymous(), data: { act: 'agree-popup' } })

// @ts-expect-error: the type of an event is missing
record({ subject: anonymous() })
