/**
 * The plan of the house as data: floors, walls, and what each room may fetch from outside.
 * Whoever moves a wall changes a row here and says why in the commit.
 */

/** A room, its floor, and the rooms it may import. Floors from the ground up; the order is that of package.json `imports`. */
export interface RoomPlan {
  readonly room: string
  readonly floor: number
  readonly mayImport: readonly string[]
}

export const plan: readonly RoomPlan[] = [
  { room: 'kernel', floor: 0, mayImport: [] },
  { room: 'fhir', floor: 1, mayImport: ['kernel'] },
  { room: 'store', floor: 1, mayImport: ['kernel'] },
  { room: 'certificates', floor: 1, mayImport: ['kernel'] },
  { room: 'terminology', floor: 2, mayImport: ['fhir', 'kernel'] },
  { room: 'vault', floor: 2, mayImport: ['store', 'kernel'] },
  { room: 'web', floor: 2, mayImport: ['fhir', 'kernel'] },
  { room: 'search', floor: 3, mayImport: ['terminology', 'fhir', 'kernel'] },
  { room: 'validation', floor: 3, mayImport: ['terminology', 'fhir', 'kernel'] },
  { room: 'access', floor: 4, mayImport: ['search', 'fhir', 'kernel'] },
  { room: 'record', floor: 5, mayImport: ['access', 'search', 'vault', 'store', 'fhir', 'kernel'] },
  {
    room: 'interactions',
    floor: 6,
    mayImport: ['record', 'access', 'search', 'validation', 'terminology', 'fhir', 'kernel'],
  },
  {
    room: 'ingest',
    floor: 6,
    mayImport: ['record', 'access', 'search', 'validation', 'terminology', 'vault', 'fhir', 'kernel'],
  },
  { room: 'bulk', floor: 6, mayImport: ['record', 'access', 'vault', 'fhir', 'kernel'] },
  { room: 'smart', floor: 6, mayImport: ['record', 'access', 'web', 'vault', 'fhir', 'kernel'] },
  { room: 'share', floor: 6, mayImport: ['record', 'access', 'web', 'vault', 'store', 'fhir', 'kernel'] },
  { room: 'subscriptions', floor: 6, mayImport: ['record', 'access', 'search', 'web', 'vault', 'fhir', 'kernel'] },
  // It hands on over HTTP what hospitals send, and knows nothing of the house.
  { room: 'mllp', floor: 7, mayImport: ['web', 'kernel'] },
  {
    room: 'http',
    floor: 7,
    mayImport: ['interactions', 'ingest', 'smart', 'share', 'access', 'web', 'fhir', 'kernel'],
  },
]

/** What stands in src without being a room: the composition sees all, the configuration next to nothing. */
export const composition: Readonly<Record<string, readonly string[]>> = {
  config: ['kernel'],
  main: [...plan.map(({ room }) => room), 'config'],
}

/** Which places may import which package. A package without a row may be imported by nobody. */
export const packages: Readonly<Record<string, readonly string[]>> = {
  '@lhncbc/ucum-lhc': ['terminology'],
  '@opentelemetry/api': ['main'],
  '@opentelemetry/exporter-trace-otlp-http': ['main'],
  '@opentelemetry/sdk-trace-node': ['main'],
  '@medplum/fhirtypes': ['fhir', 'ingest', 'interactions', 'record'],
  '@orama/stemmers': ['search'],
  '@simplewebauthn/server': ['smart'],
  '@skyra/jaro-winkler': ['ingest'],
  '@zxcvbn-ts/core': ['smart'],
  '@zxcvbn-ts/language-common': ['smart'],
  '@zxcvbn-ts/language-en': ['smart'],
  ajv: ['ingest', 'validation'],
  'ajv-formats': ['validation'],
  'cli-progress': ['main'],
  commander: ['main'],
  bowser: ['smart'],
  cookie: ['smart'],
  cors: ['http'],
  'csv-parse': ['terminology'],
  'double-metaphone': ['ingest'],
  express: ['http'],
  'fastest-levenshtein': ['config'],
  'fhir-kit-client': ['main'],
  fhirpath: ['interactions', 'validation'],
  graphql: ['interactions'],
  'hl7-standard': ['ingest'],
  'ipaddr.js': ['certificates', 'config', 'http', 'web'],
  jose: ['vault', 'smart', 'share'],
  minizlib: ['record'],
  mongoose: ['store'],
  negotiator: ['interactions', 'web'],
  'node-forge': ['certificates'],
  nodemailer: ['subscriptions'],
  'openid-client': ['smart'],
  otplib: ['smart'],
  pino: ['kernel'],
  'prom-client': ['http'],
  'rate-limiter-flexible': ['http', 'main'],
  re2js: ['terminology'],
  rfc6902: ['interactions'],
  saxes: ['fhir', 'ingest', 'terminology', 'validation'],
  'stream-json': ['ingest'],
  'swagger-ui-express': ['http'],
  tinypool: ['store', 'validation'],
  uqr: ['main', 'smart'],
  ws: ['http'],
  yauzl: ['ingest', 'main'],
}

/** Builtins of weight. Those without a row (path, url, util, stream, events …) are open to all. */
export const builtins: Readonly<Record<string, readonly string[]>> = {
  'node:child_process': ['main'],
  'node:cluster': ['main'],
  'node:crypto': [
    'kernel',
    // Whether a file that is named holds a private key is said at start.
    'config',
    'certificates',
    'vault',
    'validation',
    'web',
    'ingest',
    'smart',
    'share',
    'subscriptions',
    'main',
  ],
  'node:dgram': [],
  'node:dns': ['web'],
  'node:fs': [
    'fhir',
    'search',
    'terminology',
    'validation',
    'access',
    'store',
    'certificates',
    'vault',
    'ingest',
    'smart',
    'http',
    'config',
    'main',
  ],
  'node:http': ['subscriptions', 'web', 'http', 'main'],
  'node:http2': ['http'],
  'node:https': ['web', 'http', 'main'],
  'node:inspector': [],
  'node:net': ['web', 'http', 'mllp', 'smart', 'config', 'main'],
  'node:os': ['certificates', 'ingest', 'config', 'main'],
  'node:readline': ['main'],
  'node:sqlite': ['ingest', 'store', 'terminology'],
  'node:tls': ['http', 'mllp', 'main'],
  // Whoever wipes what is forgotten has V8's collector by it.
  'node:vm': ['vault', 'validation'],
  'node:worker_threads': ['kernel', 'ingest', 'main'],
  'node:zlib': ['search', 'record', 'ingest', 'smart', 'share', 'http', 'main'],
}

/** Names of node:crypto that only some places may use, whoever may import the module. */
export const cryptography: Readonly<Record<string, readonly string[]>> = {
  argon2: ['vault', 'smart'],
  argon2Sync: ['vault', 'smart'],
  createCipheriv: ['vault'],
  createDecipheriv: ['vault'],
  '*': ['vault'],
  default: ['vault'],
  hkdf: ['vault'],
  hkdfSync: ['vault'],
}

/** Data folders beside src that any place may read, and the one that holds code for a single room. */
export const dataFolders: readonly string[] = ['profiles/', 'terminology/', 'package.json']
export const mappingsReader = 'ingest'

/** The row of a room. */
export function roomPlan(room: string): RoomPlan | undefined {
  return plan.find(row => row.room === room)
}
