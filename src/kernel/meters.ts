/** One figure of a family, e.g. `kinhold_queue_waiting{lane="reads"} 3`. */
export interface Sample {
  /** That of the family, or with an ending of its own (`_bucket`, `_sum`, `_count`). */
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

/** Figures of one name, in the terms of Prometheus: https://prometheus.io/docs/concepts/metric_types/ */
export interface Family {
  readonly name: MeterName
  /** What is counted, with its unit. */
  readonly help: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  samples(): readonly Sample[]
}

type MeterName = `kinhold_${string}`
type Labels = Readonly<Record<string, string>>

/** Only texts that stand in the source: what was computed could be somebody's value, and is a type error. */
type Written<L extends Labels> = { readonly [K in keyof L]: string extends L[K] ? never : L[K] }

interface Member {
  readonly labels: Labels
  /** Undefined once whatever is measured is gone. */
  read(): number | undefined
}

const families = new Map<MeterName, Family & { readonly members: Member[] }>()

function register(name: MeterName, help: string, kind: Family['kind'], member: Member): void {
  const known = families.get(name)
  if (known !== undefined) known.members.push(member)
  else families.set(name, newFamily(name, help, kind, [member]))
}

function newFamily(name: MeterName, help: string, kind: Family['kind'], members: Member[]) {
  return { name, help, kind, members, samples: () => samplesOf(name, members) }
}

/** What has the same labels is added up; what is gone is forgotten. */
function samplesOf(name: string, members: Member[]): Sample[] {
  const sums = new Map<string, Sample>()
  for (const member of [...members]) {
    const value = member.read()
    if (value === undefined) members.splice(members.indexOf(member), 1)
    const key = JSON.stringify(member.labels)
    sums.set(key, { name, labels: member.labels, value: (sums.get(key)?.value ?? 0) + (value ?? 0) })
  }
  return [...sums.values()]
}

/** A number that only rises, of the whole process. */
export class Counter {
  value = 0

  add(count = 1): void {
    this.value += count
  }
}

/** Counts something from now on. To be called once for each, where a module begins. */
export function counter<const L extends Labels>(
  name: `${MeterName}_total`,
  help: string,
  labels?: Written<L>,
): Counter {
  const counting = new Counter()
  register(name, help, 'counter', { labels: labels ?? {}, read: () => counting.value })
  return counting
}

/** Shows a number of something for as long as that is in use; of several such things the sum. */
export function gauge<T extends object, const L extends Labels>(
  owner: T,
  { name, help, labels }: { readonly name: MeterName; readonly help: string; readonly labels?: Written<L> },
  read: (owner: T) => number,
): void {
  const held = new WeakRef(owner)
  register(name, help, 'gauge', {
    labels: labels ?? {},
    read: () => {
      const living = held.deref()
      return living === undefined ? undefined : read(living)
    },
  })
}

/** Everything that is counted and shown in this process. */
export function meters(): readonly Family[] {
  return [...families.values()]
}
