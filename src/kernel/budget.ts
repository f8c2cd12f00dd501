import { AsyncLocalStorage } from 'node:async_hooks'
import { Problem } from './problem.ts'

/** What a request uses up. `cpu` is charged by `giveWay` alone. */
export type BudgetKind = 'work' | 'cpu' | 'parsed' | 'written' | 'answered' | 'audited'

interface BudgetRow {
  readonly kind: 'too-costly'
  readonly code: string
  readonly unit: string
  /** Of one request; a batch has as much for all its entries together. */
  readonly limit: number
  /** What to ask instead, as a sentence. */
  readonly instead: string
}

const million = 1_000_000

/** What one request may use up, in which unit, and what to ask when that is not enough. */
// biome-ignore format: a table is read by its columns
export const budgetTable: Readonly<Record<BudgetKind, BudgetRow>> = Object.freeze({
  // One unit takes about 10 ns.
  work: { kind: 'too-costly', code: 'budget.work-exceeded', unit: 'values compared', limit: 200 * million, instead: 'Ask with fewer criteria, shorter chains or fewer entries, or for a narrower set, for instance by _id, code or date.' },
  cpu: { kind: 'too-costly', code: 'budget.cpu-exceeded', unit: 'milliseconds of computing', limit: 10_000, instead: 'Ask for less at once: fewer criteria, fewer entries, a smaller page.' },
  parsed: { kind: 'too-costly', code: 'budget.parsed-exceeded', unit: 'values parsed', limit: 500_000, instead: 'Send it in several requests, or as a file by $ingest.' },
  // Each waits for the disk, some milliseconds.
  written: { kind: 'too-costly', code: 'budget.written-exceeded', unit: 'writes one after the other', limit: 2_000, instead: 'Send them as a transaction, in several requests, or as a file by $ingest.' },
  answered: { kind: 'too-costly', code: 'budget.answered-exceeded', unit: 'bytes answered', limit: 32 * 1024 * 1024, instead: 'Ask for it in several requests, or in smaller pages by _count.' },
  // Those of reads: what a write leaves is bounded with the writes.
  audited: { kind: 'too-costly', code: 'budget.audited-exceeded', unit: 'records of audit', limit: 10_000, instead: 'Ask about fewer patients or resources at once.' },
})

/** Limits that differ from the table's; `unbounded` has none at all. Both give way. */
export type BudgetLimits = Partial<Readonly<Record<BudgetKind, number>>> | 'unbounded'

/** How long others wait for one who computes, in ms. */
const sliceMs = 5

/** What one request has used up so far. */
class Budget {
  readonly limits: BudgetLimits
  readonly isWanted: (() => boolean) | undefined
  readonly spent: Record<BudgetKind, number> = { work: 0, cpu: 0, parsed: 0, written: 0, answered: 0, audited: 0 }
  /** The turn in which it last computed, and the thread's CPU time from which on it has not been charged, in ms. */
  turn = -1
  beganAtMs = 0

  constructor(limits: BudgetLimits, isWanted?: () => boolean) {
    this.limits = limits
    this.isWanted = isWanted
  }

  limitOf(kind: BudgetKind): number {
    return this.limits === 'unbounded' ? Number.POSITIVE_INFINITY : (this.limits[kind] ?? budgetTable[kind].limit)
  }

  check(kind: BudgetKind, amount: number): void {
    const wanted = this.spent[kind] + amount
    const limit = this.limitOf(kind)
    if (wanted > limit) throw exceeded(kind, wanted, limit)
  }

  /** Charges what was computed since this turn began. */
  chargeCpu(): void {
    const nowMs = threadCpuMs()
    this.spent.cpu += nowMs - this.beganAtMs
    // Several of one request may compute in the same turn.
    this.beganAtMs = nowMs
    this.check('cpu', 0)
    if (this.isWanted?.() === false) throw unwanted()
  }
}

function exceeded(kind: BudgetKind, wanted: number, limit: number): Problem {
  const { kind: problemKind, code, unit, instead } = budgetTable[kind]
  const figures = `${print(wanted)} ${unit}, where one request may have ${print(limit)}`
  return new Problem(problemKind, code, `This asks for too much: ${figures}. ${instead}`)
}

/** What is told, if anybody hears it, of work that nobody waits for. */
export function unwanted(): Problem {
  return new Problem('timeout', 'budget.unwanted', 'Whoever asked for this does not wait for the answer any more.')
}

function print(figure: number): string {
  return Math.ceil(figure).toLocaleString('en')
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const budgets = new AsyncLocalStorage<Budget>()
/** Of those who have none around them. */
const nobodys = new Budget('unbounded')

/**
 * Runs `work`, and all that it awaits, on a budget of its own; a budget around it is neither asked nor charged. What
 * several requests wait for together (the opening of an index) runs `unbounded`: no one of them should end it for all.
 *
 * @param isWanted  asked at the end of each slice whether somebody still waits for the outcome
 */
export function withBudget<T>(limits: BudgetLimits, work: () => T, isWanted?: () => boolean): T {
  return budgets.run(new Budget(limits, isWanted), work)
}

/**
 * Charges the request that is being answered. What would go beyond the limit is not charged, so that something smaller
 * may still be asked: spend before doing, by what is planned, and in parts while it is done.
 *
 * @param amount  in the kind's unit
 * @throws Problem `too-costly` · `budget.work-exceeded`, `budget.parsed-exceeded`, `budget.written-exceeded`,
 *   `budget.answered-exceeded`, `budget.audited-exceeded`
 */
export function spend(kind: Exclude<BudgetKind, 'cpu'>, amount: number): void {
  const budget = budgets.getStore()
  if (budget === undefined) return
  budget.check(kind, amount)
  budget.spent[kind] += amount
}

/** What is left of the request's budget, in the kind's unit; infinite where there is no budget. */
export function budgetLeft(kind: BudgetKind): number {
  const budget = budgets.getStore() ?? nobodys
  return budget.limitOf(kind) - budget.spent[kind]
}

/** Says later, and elsewhere, whether somebody still waits for the outcome of the request that is being answered. */
export function wanted(): () => boolean {
  return budgets.getStore()?.isWanted ?? (() => true)
}

/**
 * Asks whether somebody still waits, where a request does little itself but has much done that is on nobody's budget.
 *
 * @throws Problem `timeout` · `budget.unwanted`
 */
export function checkWanted(): void {
  if (!wanted()()) throw unwanted()
}

interface Waiter {
  readonly budget: Budget
  resume(): void
}

let turn = 0
/** When the slice of this turn ends, by `performance.now`; undefined while nobody has computed in it. */
let sliceEndsMs: number | undefined
const waiting: Waiter[] = []
let oldestIsNext = false

/**
 * Lets others have their turn: undefined while the slice lasts, which all who compute in this turn of the event loop
 * share, else a promise that resolves in a later turn. Of those who wait one goes on in each turn, by turns the one that
 * has computed least and the one that has waited longest.
 *
 * @example const pause = giveWay(); if (pause !== undefined) await pause // every thousand rows or so
 * @throws Problem `too-costly` · `budget.cpu-exceeded`; `timeout` · `budget.unwanted` – in the promise as well
 */
export function giveWay(): Promise<void> | undefined {
  const budget = budgets.getStore() ?? nobodys
  const nowMs = performance.now()
  if (sliceEndsMs === undefined) beginSlice(nowMs)
  if (budget.turn !== turn) enter(budget)
  if (nowMs < (sliceEndsMs ?? 0)) return undefined
  budget.chargeCpu()
  return new Promise(resume => {
    waiting.push({ budget, resume })
  })
}

function beginSlice(nowMs: number): void {
  sliceEndsMs = nowMs + sliceMs
  setImmediate(endTurn)
}

function enter(budget: Budget): void {
  budget.turn = turn
  budget.beganAtMs = threadCpuMs()
}

function endTurn(): void {
  turn++
  sliceEndsMs = undefined
  const next = takeWaiter()
  if (next === undefined) return
  beginSlice(performance.now())
  enter(next.budget)
  next.resume()
}

function takeWaiter(): Waiter | undefined {
  if (waiting.length === 0) return undefined
  oldestIsNext = !oldestIsNext
  return waiting.splice(oldestIsNext ? 0 : leastSpent(), 1)[0]
}

function leastSpent(): number {
  let least = 0
  for (let at = 1; at < waiting.length; at++) if (cpuOf(at) < cpuOf(least)) least = at
  return least
}

function cpuOf(at: number): number {
  return waiting[at]?.budget.spent.cpu ?? 0
}

/** Work that may be interrupted wherever it yields; nested by `yield*`. */
export type Steps<T> = Generator<undefined, T, undefined>

/** Does work step by step, letting others have their turn. @throws Problem as `giveWay`, and whatever the work throws */
export async function inSlices<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
}

/** Does work that is known to be short, all of it now. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
