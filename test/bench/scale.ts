/**
 * `node test/bench/scale.ts [patients] [resourcesOfEach]`: a cluster that nobody has here, computed from costs that were measured here. It draws
 * requests one by one and lets them wait for cores, and prints what docs/scale.md shows. It knows nothing of networks that lose, of
 * databases that are slow, or of disks: what it shows is the least that such a cluster takes.
 */
import { randomFrom } from '../random.ts'
import { quantile } from './figures.ts'

/** Costs of one core, in µs unless said otherwise, with where they were measured. */
const measured = {
  /** Of a read that is opened anew, network of this machine included: test/bench/README.md. */
  read: 40,
  /** Of a create, validated, sealed, indexed and audited; 3,855/s on two cores with the client beside: half of the two cores. */
  create: 260,
  /** Of a search that prints 20 resources of one patient: 50 of 20,000 took 5,200 for all. */
  search: 2_100,
  /** To open a compartment of 21 entries with its index from a partial segment: src/record/README.md. */
  openLedger: 620,
  /** To open one more row of a segment: 0.33 s for 1,000,000. */
  openRow: 0.33,
  /** To unwrap a key and derive what reading needs: src/vault/README.md. */
  openKey: 150,
  /** To look at a row for one criterion: 15.4 ms for date and value of 1,000,000. */
  scanRow: 0.008,
  /** Bytes on disk, in memory and in segments for a resource. */
  diskBytes: 390,
  rowBytes: 111,
  segmentBytes: 22.4,
} as const

/** What is assumed: nobody has measured it. */
const assumed = {
  /** A trip to the database and back in the same room, µs: no core is at work meanwhile. */
  trip: 700,
  /** Requests of an active patient in ten minutes: 12 reads, 4 searches, 1 create. */
  mix: { read: 12, search: 4, create: 1 },
  coresOfServer: 8,
  /** Of a server's memory, what indexes may have, GiB. */
  indexGiB: 24,
} as const

interface Shape {
  readonly patients: number
  /** Of all patients, how many have something asked about them in the same ten minutes: nobody knows, so several are tried. */
  readonly active: number
  readonly resources: number
  readonly servers: number
}

const requestsOfActive = Object.values(assumed.mix).reduce((a, b) => a + b, 0)
const perSecond = ({ patients, active }: Shape) => (patients * active * requestsOfActive) / 600
const openCost = ({ resources }: Shape) => measured.openKey + measured.openLedger + resources * measured.openRow

/** CPU of a request in µs, and trips to the database; the first of a patient in ten minutes opens the compartment. */
function costOf(shape: Shape, random: () => number): { readonly cpu: number; readonly trips: number } {
  const at = random() * requestsOfActive
  const { read, search } = assumed.mix
  const kind = at < read ? 'read' : at < read + search ? 'search' : 'create'
  // A read finds its one entry by locator, without an index.
  const opens = kind !== 'read' && random() < 1 / (requestsOfActive - read)
  const cpu = measured[kind] + (opens ? openCost(shape) : 0)
  // Costs scatter: half of them to twice of them.
  return { cpu: cpu * (0.5 + random() * random() * 2), trips: opens ? 3 : 1 }
}

/** One server's share of the requests for some minutes; the time from arrival to answer of each, ms. */
function serve(shape: Shape, seconds: number): number[] {
  const random = randomFrom(7)
  const everyUs = 1e6 / (perSecond(shape) / shape.servers)
  const freeAtUs = new Float64Array(assumed.coresOfServer)
  const tookMs: number[] = []
  for (let nowUs = 0; nowUs < seconds * 1e6; nowUs += -Math.log(1 - random()) * everyUs) {
    const { cpu, trips } = costOf(shape, random)
    const core = freeAtUs.indexOf(Math.min(...freeAtUs))
    const beginsUs = Math.max(nowUs, freeAtUs[core] ?? 0)
    const endsUs = beginsUs + cpu
    freeAtUs[core] = endsUs
    tookMs.push((endsUs - nowUs + trips * assumed.trip) / 1000)
  }
  return tookMs
}

/** Of one core's time, what one server is at work. */
const load = (shape: Shape, tookUs: number) =>
  (perSecond(shape) / shape.servers / assumed.coresOfServer) * (tookUs / 1e6)

function meanCost(shape: Shape): number {
  const random = randomFrom(3)
  let sum = 0
  for (let n = 0; n < 200_000; n++) sum += costOf(shape, random).cpu
  return sum / 200_000
}

/** Servers in which a process stands for a core: each has an index of its own share, and looks through it alone. */
function wide(shape: Shape): { readonly opened: number; readonly indexed: number; readonly indexGiB: number } {
  const cores = shape.servers * assumed.coresOfServer
  const rows = shape.patients * shape.resources
  const opened = (shape.patients * (openCost(shape) + shape.resources * measured.scanRow)) / cores / 1e6
  return {
    opened,
    indexed: ((rows / cores) * measured.scanRow) / 1e6,
    indexGiB: (rows * (measured.rowBytes + 8)) / shape.servers / 2 ** 30,
  }
}

const shown = (value: number, digits = 1) => value.toLocaleString('en', { maximumFractionDigits: digits })

function table(patients: number, resources: number, active: number): string[] {
  const rows = [4, 8, 16, 32].map(servers => {
    const shape = { patients, resources, servers, active }
    const took = serve(shape, 120)
    const { opened, indexed, indexGiB } = wide(shape)
    const cells = [
      servers,
      `${shown(100 * load(shape, meanCost(shape)))} %`,
      shown(quantile(took, 0.5), 2),
      shown(quantile(took, 0.99), 2),
      shown(opened),
      shown(indexed, 2),
      shown(indexGiB),
    ]
    return `| ${cells.join(' | ')} |`
  })
  return [
    '| servers of 8 cores | at work | p50, ms | p99, ms | wide, each opened, s | wide, by an index of all, s | index of all, GiB a server |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ]
}

const [patients = 1_000_000, resources = 1_000] = process.argv.slice(2).map(Number)
const whole = { patients, resources, servers: 1, active: 0.004 }
const bytes = patients * resources * measured.diskBytes
const openPatients = (assumed.indexGiB * 2 ** 30) / (resources * measured.rowBytes)
console.log(`${shown(patients)} patients × ${shown(resources)} resources`)
console.log(`on disk: ${shown(bytes / 1e9)} GB once, ${shown((3 * bytes) / 1e9)} GB in a replica set of three`)
console.log(`of these segments: ${shown((patients * resources * measured.segmentBytes) / 1e9)} GB once`)
console.log(`patients open at once in ${assumed.indexGiB} GiB: ${shown(openPatients, 0)}`)
console.log(`to open one: ${shown(openCost(whole) / 1000, 2)} ms of CPU\n`)
for (const active of [0.004, 0.04, 0.2]) {
  const shape = { ...whole, active }
  console.log(`${shown(100 * active)} % of all active in ten minutes: ${shown(perSecond(shape), 0)} requests/s`)
  for (const line of table(patients, resources, active)) console.log(line)
  console.log()
}
