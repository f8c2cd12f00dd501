import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { type Config, loadConfig } from '#config'
import { isProblem, type Problem } from '#kernel'

const cwd = '/srv/kinhold'
const load = (env: Record<string, string>) => loadConfig(env, { cwd })

function problemOf(env: Record<string, string>): Problem {
  try {
    load(env)
  } catch (error) {
    if (isProblem(error)) return error
    throw error
  }
  throw new Error('expected a Problem')
}

describe('how many processes serve', () => {
  it('is one unless told, a number, or one for each core', () => {
    expect([{}, { KINHOLD_WORKERS: '3' }, { KINHOLD_WORKERS: 'cores' }].map(env => load(env).config.workers)).toEqual([
      1,
      3,
      Math.min(64, availableParallelism()),
    ])
  })

  it.each(['0', '65', '-1', '1.5', 'two', 'Cores'])('is never %s', text => {
    const { code, text: said } = problemOf({ KINHOLD_WORKERS: text })
    expect([code, said]).toEqual(['config.value-malformed', expect.stringContaining('KINHOLD_WORKERS must be cores')])
  })

  it('is one where the store lies in the memory of one, and that is said to whoever wanted more', () => {
    const { config, warnings } = load({ KINHOLD_STORE: 'memory', KINHOLD_WORKERS: '4' })
    expect([config.workers, warnings]).toEqual([
      1,
      expect.arrayContaining([expect.stringContaining('KINHOLD_WORKERS')]),
    ])
  })
})

describe('configuration from the environment', () => {
  it('has a default for everything, and warns that keys and data lie together', () => {
    const { config, warnings } = load({})
    expect(config).toEqual({
      host: '127.0.0.1',
      port: 8080,
      baseUrl: 'http://127.0.0.1:8080',
      dataDirectory: '/srv/kinhold/data',
      store: { kind: 'sqlite' },
      keystore: { kind: 'sqlite' },
      keysDirectory: '/srv/kinhold/data',
      keysBesideData: true,
      passphrase: undefined,
      newPassphrase: undefined,
      recoveryCode: undefined,
      reserveBytes: 32 * 1024 * 1024,
      binaryBytes: 500 * 1024 * 1024,
      sessionIdleMs: 12 * 60 * 60_000,
      mostPatients: Number.POSITIVE_INFINITY,
      deletionWaitMs: 14 * 24 * 60 * 60_000,
      logLevel: 'info',
      workers: 1,
      senders: undefined,
      trustedProxies: [],
      notifyNetworks: [],
      providers: [],
      providerNetworks: [],
      populationBytes: expect.any(Number),
      spool: { maxSpooled: 32 * 1024 ** 3, maxSpooledPerGrant: 16 * 1024 ** 3 },
      limits: {},
      zone: Temporal.Now.timeZoneId(),
    })
    expect(warnings).toEqual([expect.stringContaining('KINHOLD_KEYS')])
  })

  it.each([
    ['the same folder', { KINHOLD_DATA: '/d', KINHOLD_KEYS: '/d' }],
    ['the same folder, spelled otherwise', { KINHOLD_DATA: '/d', KINHOLD_KEYS: '/x/../d/' }],
    ['a folder in that of the data', { KINHOLD_DATA: '/d', KINHOLD_KEYS: '/d/private/keys' }],
    ['the folder around that of the data', { KINHOLD_DATA: '/k/data', KINHOLD_KEYS: '/k' }],
  ])('warns once of keys in %s', (_where, env) => {
    const { config, warnings, mistyped } = load(env)
    expect([config.keysBesideData, warnings, mistyped]).toEqual([true, [expect.stringContaining('beside')], []])
  })

  it.each([
    ['keys elsewhere', { KINHOLD_DATA: '/d', KINHOLD_KEYS: '/data' }],
    ['a folder whose name begins alike', { KINHOLD_DATA: '/d', KINHOLD_KEYS: '/d-keys' }],
    ['a passphrase, which lies in no folder', { KINHOLD_PASSPHRASE: 'in the head of one person' }],
    ['a store that keeps nothing', { KINHOLD_STORE: 'memory' }],
  ])('does not warn of %s', (_what, env) => {
    expect(load(env).warnings.filter(text => text.includes('beside'))).toEqual([])
  })

  it('says how often somebody may ask', () => {
    const { config } = load({ KINHOLD_LIMIT_STRANGERS: '60/5', KINHOLD_LIMIT_MISSES: 'off' })
    expect(config.limits).toEqual({
      strangers: { points: 60, seconds: 5 },
      misses: { points: Number.POSITIVE_INFINITY, seconds: 1 },
    })
    for (const wrong of ['60', '0/1', '60/', '-1/1', '60 per second'])
      expect(problemOf({ KINHOLD_LIMIT_TOKEN: wrong })).toMatchObject({ expression: ['KINHOLD_LIMIT_TOKEN'] })
  })

  it('lets the indexes of all patients take a quarter of the memory that may be used, unless told', () => {
    const { populationBytes } = load({}).config
    const allowed = process.constrainedMemory()
    const memory = allowed > 0 ? Math.min(allowed, totalmem()) : totalmem()
    expect(populationBytes).toBe(Math.floor(memory / 4))
    expect(load({ KINHOLD_POPULATION_MAX: '2G' }).config.populationBytes).toBe(2 * 1024 ** 3)
  })

  it('takes sizes with and without a unit, whichever it is the size of', () => {
    const sizes = (env: Readonly<Record<string, string>>) => {
      const { reserveBytes, spool } = load(env).config
      return [reserveBytes, spool.maxSpooled, spool.maxSpooledPerGrant]
    }
    const [mebibyte, gibibyte] = [1024 ** 2, 1024 ** 3]
    expect(sizes({})).toEqual([32 * mebibyte, 32 * gibibyte, 16 * gibibyte])
    const given = ['64m', '2T', '4096'] as const
    const [KINHOLD_RESERVE, KINHOLD_SPOOL_MAX, KINHOLD_SPOOL_MAX_PER_TOKEN] = given
    expect(sizes({ KINHOLD_RESERVE, KINHOLD_SPOOL_MAX, KINHOLD_SPOOL_MAX_PER_TOKEN })).toEqual([
      64 * mebibyte,
      2048 * gibibyte,
      4096,
    ])
    expect(sizes({ KINHOLD_RESERVE: '0' })[0]).toBe(0)
  })

  it('names the proxies whose word is taken', () => {
    const { config } = load({ KINHOLD_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8 fd00::/8' })
    expect(config.trustedProxies).toEqual(['127.0.0.1', '10.0.0.0/8', 'fd00::/8'])
    for (const wrong of ['proxy.example', '10.0.0.0/99', '300.1.1.1', '*'])
      expect(problemOf({ KINHOLD_TRUSTED_PROXIES: wrong })).toMatchObject({
        code: 'config.value-malformed',
        expression: ['KINHOLD_TRUSTED_PROXIES'],
      })
  })

  it('names the inner networks to which notifications may go', () => {
    expect(load({ KINHOLD_NOTIFY_NETWORKS: '127.0.0.1, 10.0.0.0/8' }).config.notifyNetworks).toEqual([
      '127.0.0.1',
      '10.0.0.0/8',
    ])
    expect(problemOf({ KINHOLD_NOTIFY_NETWORKS: 'hook.example' })).toMatchObject({ code: 'config.value-malformed' })
  })

  it.each([
    ['30m', 30 * 60_000],
    ['1m', 60_000],
    ['12h', 12 * 60 * 60_000],
  ])('ends a session after %s without a page', (text, ms) => {
    expect(load({ KINHOLD_SESSION_IDLE: text }).config.sessionIdleMs).toBe(ms)
  })

  it('takes how many patients an account may keep, and refuses what is no number', () => {
    expect(load({ KINHOLD_PATIENTS_MAX: '12' }).config.mostPatients).toBe(12)
    expect(load({ KINHOLD_PATIENTS_MAX: 'off' }).config.mostPatients).toBe(Number.POSITIVE_INFINITY)
    for (const wrong of ['0', '-1', '1.5', 'many', '1e3', ' 5'])
      expect(() => load({ KINHOLD_PATIENTS_MAX: wrong })).toThrow(
        'KINHOLD_PATIENTS_MAX must be a whole number from 1 on',
      )
  })

  it.each([
    ['1d', 24 * 60 * 60_000],
    ['14d', 14 * 24 * 60 * 60_000],
    ['90d', 90 * 24 * 60 * 60_000],
  ])('deletes an account %s after it was asked for', (text, ms) => {
    expect(load({ KINHOLD_DELETION_WAIT: text }).config.deletionWaitMs).toBe(ms)
  })

  it.each(['0d', '91d', '14', '24h', '-1d', '1.5d', 'never', ' 14d', '014d'])(
    'refuses %s as the time of an account that waits to be deleted',
    text => {
      expect(() => load({ KINHOLD_DELETION_WAIT: text })).toThrow('KINHOLD_DELETION_WAIT must be a time from 1d to 90d')
    },
  )

  it.each(['0m', '13h', '721m', '30', '30s', '-1h', '1.5h', 'never', '1h30m', ' 30m'])(
    'refuses %s as the time of a session without a page',
    text => {
      expect(() => load({ KINHOLD_SESSION_IDLE: text })).toThrow('KINHOLD_SESSION_IDLE must be a time from 1m to 12h')
    },
  )

  const mail = (url: string, more: Record<string, string> = {}) =>
    load({ KINHOLD_SMTP_URL: url, KINHOLD_SMTP_FROM: 'house@example.org', ...more }).config.mail

  it.each([
    ['smtps://mail.example.org', { host: 'mail.example.org', port: 465, security: 'tls' }],
    ['smtp://mail.example.org', { host: 'mail.example.org', port: 587, security: 'starttls' }],
    ['smtp://127.0.0.1:2525', { host: '127.0.0.1', port: 2525, security: 'none' }],
    ['smtp://[::1]:25', { host: '::1', port: 25, security: 'none' }],
    [
      'smtps://me%40x:p%3Aw@mail.example.org:4650/',
      { host: 'mail.example.org', port: 4650, security: 'tls', user: 'me@x', password: 'p:w' },
    ],
  ])('sends mail by %s, and nothing of health in it unless told', (url, expected) => {
    expect(mail(url)).toEqual({ ...expected, from: 'house@example.org', content: 'empty' })
  })

  it('sends no mail unless a server is named, and as much in it as is said', () => {
    expect(load({}).config.mail).toBeUndefined()
    expect(mail('smtps://x.example', { KINHOLD_SMTP_CONTENT: 'id-only' })?.content).toBe('id-only')
  })

  it.each<[name: string, env: Record<string, string>]>([
    ['KINHOLD_SMTP_URL', { KINHOLD_SMTP_URL: 'https://mail.example.org' }],
    ['KINHOLD_SMTP_URL', { KINHOLD_SMTP_URL: 'c4n4ry' }],
    ['KINHOLD_SMTP_URL', { KINHOLD_SMTP_URL: 'smtps://x.example/?c4n4ry=1' }],
    ['KINHOLD_SMTP_URL', { KINHOLD_SMTP_URL: 'smtps://c4n4ry%zz:p@x.example' }],
    ['KINHOLD_SMTP_FROM', { KINHOLD_SMTP_FROM: 'c4n4ry' }],
    ['KINHOLD_SMTP_FROM', { KINHOLD_SMTP_FROM: 'a@b\r\nBcc: c4n4ry@x' }],
    ['KINHOLD_SMTP_FROM', { KINHOLD_SMTP_FROM: '' }],
    ['KINHOLD_SMTP_CONTENT', { KINHOLD_SMTP_CONTENT: 'c4n4ry' }],
  ])('refuses a %s that does not say how mail is sent, without its value', (name, env) => {
    const whole = { KINHOLD_SMTP_URL: 'smtps://x.example', KINHOLD_SMTP_FROM: 'house@example.org', ...env }
    const problem = problemOf(whole)
    expect(problem).toMatchObject({ code: 'config.value-malformed', expression: [name] })
    expect(JSON.stringify(problem)).not.toContain('c4n4ry')
  })

  it.each(['KINHOLD_PASSPHRASE', 'KINHOLD_NEW_PASSPHRASE', 'KINHOLD_RECOVERY_CODE'])(
    'warns of %s in the environment, and names the twin that keeps it out of there',
    name => {
      const { warnings } = load({ [name]: 'c4n4ry' })
      expect(warnings.filter(text => text.startsWith(name))).toEqual([expect.stringContaining(`${name}_FILE`)])
      expect(warnings.join()).not.toContain('c4n4ry')
      const folder = mkdtempSync(join(tmpdir(), 'kinhold-config-'))
      writeFileSync(join(folder, 'secret'), 'c4n4ry\n')
      expect(load({ [`${name}_FILE`]: join(folder, 'secret') }).warnings.join()).not.toContain('in the environment')
      rmSync(folder, { recursive: true })
    },
  )

  it('takes what was typed from where the person stands, and the default from its own folder', () => {
    const places = { cwd: '/srv/anna', home: '/opt/kinhold' }
    expect(loadConfig({}, places).config.dataDirectory).toBe('/opt/kinhold/data')
    const { config } = loadConfig({ KINHOLD_DATA: 'health', KINHOLD_KEYS: '../keys' }, places)
    expect([config.dataDirectory, config.keysDirectory]).toEqual(['/srv/anna/health', '/srv/keys'])
  })

  it('is frozen', () => {
    const { config } = load({})
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.store)).toBe(true)
    expect(() => Object.assign(config, { port: 1 } satisfies Partial<Config>)).toThrow(TypeError)
  })

  it('treats an empty variable as one that is not set', () => {
    expect(load({ KINHOLD_PORT: '', KINHOLD_PASSPHRASE: '' }).config).toEqual(load({}).config)
  })

  it('lets the default base URL follow the port, and drops a slash at the end of a given one', () => {
    expect(load({ KINHOLD_PORT: '9000' }).config.baseUrl).toBe('http://127.0.0.1:9000')
    expect(load({ KINHOLD_BASE_URL: 'https://health.example.org/' }).config.baseUrl).toBe('https://health.example.org')
  })

  it.each([
    ['KINHOLD_PORT', '65536'],
    ['KINHOLD_PORT', '-1'],
    ['KINHOLD_PORT', '8080x'],
    ['KINHOLD_HOST', 'not a host'],
    ['KINHOLD_BASE_URL', 'ftp://example.org'],
    ['KINHOLD_BASE_URL', 'https://user:hunter2@example.org'],
    ['KINHOLD_BASE_URL', 'https://example.org/fhir'],
    ['KINHOLD_BASE_URL', 'nonsense'],
    ['KINHOLD_STORE', 'postgres://u:hunter2@h/db'],
    ['KINHOLD_STORE', 'mongodb:///hunter2'],
    ['KINHOLD_KEYSTORE', 'mongodb//u:hunter2@h/db'],
    ['KINHOLD_LOG_LEVEL', 'loud'],
    ['KINHOLD_ZONE', 'Mars/Base'],
    ['KINHOLD_RESERVE', '-1'],
    ['KINHOLD_RESERVE', '1.5G'],
    ['KINHOLD_RESERVE', '32 MB'],
    ['KINHOLD_POPULATION_MAX', '25%'],
    ['KINHOLD_SPOOL_MAX', 'much'],
    ['KINHOLD_BINARY_MAX', 'much'],
    ['KINHOLD_SPOOL_MAX_PER_TOKEN', '9999999T'],
    ['KINHOLD_ALLOW_HTTP', 'perhaps'],
  ])('refuses %s=%s, naming the variable and not its value', (name, value) => {
    const problem = problemOf({ [name]: value })
    expect(problem.code).toBe('config.value-malformed')
    expect(problem.text).toContain(name)
    expect(problem.expression).toEqual([name])
    expect(JSON.stringify([problem.message, problem.text, problem.detail ?? ''])).not.toContain(value)
  })

  it.each([
    ['mongodb://kin:hunter2@db/kin', undefined, { database: 'kin-keys' }, true],
    ['mongodb://db', undefined, { database: 'kinhold-keys' }, true],
    ['mongodb+srv://cluster.example.org/?retryWrites=true', undefined, { database: 'kinhold-keys' }, true],
    ['mongodb://db/kin', 'mongodb://db/other', {}, true],
    ['mongodb://kin:hunter2@db/kin', 'mongodb://elsewhere/kin', {}, false],
    ['mongodb://a,b,c/kin', 'mongodb://c,a/other', {}, true],
    ['mongodb://db/kin', 'mongodb://kin:hunter2@DB:27017/other', {}, true],
    ['mongodb://db/kin', 'mongodb://db:27018/kin', {}, false],
    ['mongodb://db', 'sqlite', {}, false],
  ])('keeps data in %s and keys in %s, and warns when one backup holds both', (uri, KINHOLD_KEYSTORE, keys, beside) => {
    const { config, warnings } = load({ KINHOLD_STORE: uri, ...(KINHOLD_KEYSTORE && { KINHOLD_KEYSTORE }) })
    expect(config.store).toEqual({ kind: 'mongodb', uri })
    const expected =
      KINHOLD_KEYSTORE === 'sqlite' ? { kind: 'sqlite' } : { kind: 'mongodb', uri: KINHOLD_KEYSTORE ?? uri }
    expect(config.keystore).toEqual({ ...expected, ...keys })
    expect(config.keysBesideData).toBe(beside)
    expect(warnings).toEqual(beside ? [expect.stringContaining('KINHOLD_KEYSTORE')] : [])
    expect(warnings.join()).not.toContain('hunter2')
  })

  it.each([
    ['mongodb://kin:hunter2@db/kin', 'mongodb://other:hunter2@db/kin'],
    ['mongodb://db', 'mongodb://db/kinhold'],
    ['mongodb://a,b,c/kin', 'mongodb://b,a/kin'],
    ['mongodb://a:27017,b/kin?replicaSet=rs', 'mongodb://kin:hunter2@A/kin?replicaSet=rs'],
    ['mongodb+srv://cluster.example.org/kin', 'mongodb+srv://Cluster.example.org./Kin'],
    ['mongodb://db', 'memory'],
    ['sqlite', 'mongodb://db'],
    ['memory', 'sqlite'],
  ])('refuses data in %s with keys in %s', (KINHOLD_STORE, KINHOLD_KEYSTORE) => {
    const problem = problemOf({ KINHOLD_STORE, KINHOLD_KEYSTORE })
    expect([problem.kind, problem.code, problem.expression]).toEqual([
      'invalid',
      'config.keystore-beside',
      ['KINHOLD_KEYSTORE'],
    ])
    expect(problem.message).not.toContain('hunter2')
  })

  it('takes the memory store, warning that it forgets', () => {
    const { config, warnings } = load({ KINHOLD_STORE: 'memory' })
    expect(config.store).toEqual({ kind: 'memory' })
    expect(warnings).toEqual([expect.stringContaining('forgotten')])
  })

  it.each(['KINHOLD_DATE', 'KINHOLD_PASPHRASE', 'KINHOLD_STORE_FILES'])(
    'warns about %s with the nearest name',
    name => {
      const nearest = {
        KINHOLD_DATE: 'KINHOLD_DATA',
        KINHOLD_PASPHRASE: 'KINHOLD_PASSPHRASE',
        KINHOLD_STORE_FILES: 'KINHOLD_STORE_FILE',
      }
      const { warnings } = load({ [name]: 'x', KINHOLD_KEYS: '/k' })
      expect(warnings).toEqual([
        `${name} is not a variable this server knows; did you mean ${nearest[name as keyof typeof nearest]}?`,
      ])
    },
  )

  it('does not accept a _FILE twin for what is no secret', () => {
    expect(load({ KINHOLD_PORT_FILE: '/x', KINHOLD_KEYS: '/k' }).warnings).toHaveLength(1)
  })

  it('tells mistyped names from what a server should be warned of when it starts', () => {
    const { mistyped, warnings } = load({ KINHOLD_DATE: 'x' })
    expect([mistyped.length, warnings.length]).toEqual([1, 2])
  })
})

describe('clear text on the network', () => {
  it.each([
    'http://127.0.0.1:8080',
    'http://localhost',
    'http://[::1]:9',
    'http://kin.localhost',
    'https://example.org',
  ])('accepts %s as it is', url => {
    expect(load({ KINHOLD_BASE_URL: url, KINHOLD_KEYS: '/k' }).warnings).toEqual([])
  })

  it.each(['http://192.168.1.5:8080', 'http://example.org', 'http://127.0.0.1.example.org'])('refuses %s', url => {
    expect(problemOf({ KINHOLD_BASE_URL: url }).code).toBe('config.http-refused')
  })

  it('accepts it when it is allowed in so many words, and still warns', () => {
    const { config, warnings } = load({
      KINHOLD_BASE_URL: 'http://nas.lan',
      KINHOLD_ALLOW_HTTP: 'true',
      KINHOLD_KEYS: '/k',
    })
    expect(config.baseUrl).toBe('http://nas.lan')
    expect(warnings).toEqual([expect.stringContaining('KINHOLD_ALLOW_HTTP')])
  })

  it('warns when other machines are let in but links point to this one', () => {
    const { warnings } = load({ KINHOLD_HOST: '0.0.0.0', KINHOLD_KEYS: '/k' })
    expect(warnings).toEqual([expect.stringContaining('KINHOLD_BASE_URL')])
  })
})

describe('secrets in files', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kinhold-config-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('reads a passphrase from the file that KINHOLD_PASSPHRASE_FILE names, without its last line break', () => {
    writeFileSync(join(folder, 'pass'), 'correct horse \n')
    const { config } = loadConfig({ KINHOLD_PASSPHRASE_FILE: 'pass' }, { cwd: folder })
    expect(config.passphrase).toBe('correct horse ')
  })

  it('refuses a secret that is given twice', () => {
    const problem = problemOf({ KINHOLD_PASSPHRASE: 'a', KINHOLD_PASSPHRASE_FILE: '/b' })
    expect(problem.code).toBe('config.secret-given-twice')
    expect(problem.expression).toEqual(['KINHOLD_PASSPHRASE'])
  })

  it('refuses a file that cannot be read, naming the variable', () => {
    const problem = problemOf({ KINHOLD_PASSPHRASE_FILE: join(folder, 'absent') })
    expect(problem.code).toBe('config.secret-unreadable')
    expect(problem.text).toContain('KINHOLD_PASSPHRASE_FILE')
    expect(problem.text).not.toContain(folder)
  })
})

describe('who may see figures', () => {
  const secret = 'a-token-of-16-or-more'
  it.each([
    [{}, undefined],
    [{ KINHOLD_METRICS: 'off' }, undefined],
    [{ KINHOLD_METRICS: 'loopback' }, { loopback: true }],
    [{ KINHOLD_METRICS_TOKEN: secret }, { token: secret, loopback: false }],
    [
      { KINHOLD_METRICS: 'loopback', KINHOLD_METRICS_TOKEN: secret },
      { token: secret, loopback: true },
    ],
  ])('%o', (env, metrics) => {
    expect(load(env).config.metrics).toEqual(metrics)
  })

  it.each([
    ['KINHOLD_METRICS', 'public'],
    ['KINHOLD_METRICS', 'everybody'],
    ['KINHOLD_METRICS_TOKEN', 'short'],
    ['KINHOLD_METRICS_TOKEN', 'with a blank in it, so that no header can bring it'],
  ])('refuses %s=%s without quoting it', (name, value) => {
    const problem = problemOf({ [name]: value })
    expect(problem).toMatchObject({ code: 'config.value-malformed', expression: [name] })
    expect(problem.text).not.toContain(value)
  })
})

describe('TLS by the server itself', () => {
  it.each([
    [{}, undefined, 'http://127.0.0.1:8080'],
    [{ KINHOLD_TLS: 'own' }, { kind: 'own' }, 'https://127.0.0.1:8080'],
    [
      { KINHOLD_TLS_CERT: 'cert.pem', KINHOLD_TLS_KEY: '/k/key.pem', KINHOLD_BASE_URL: 'https://health.example.org' },
      { kind: 'files', cert: '/srv/kinhold/cert.pem', key: '/k/key.pem' },
      'https://health.example.org',
    ],
  ])('%o', (env, tls, baseUrl) => {
    const { config } = load(env)
    expect([config.tls, config.baseUrl]).toEqual([tls, baseUrl])
  })

  it.each([
    ['KINHOLD_TLS', { KINHOLD_TLS: 'sometimes' }],
    ['KINHOLD_TLS_KEY', { KINHOLD_TLS_CERT: '/c' }],
    ['KINHOLD_TLS_CERT', { KINHOLD_TLS_KEY: '/k' }],
    ['KINHOLD_TLS', { KINHOLD_TLS: 'own', KINHOLD_TLS_CERT: '/c', KINHOLD_TLS_KEY: '/k' }],
    ['KINHOLD_BASE_URL', { KINHOLD_TLS: 'own', KINHOLD_BASE_URL: 'http://localhost:8080' }],
  ])('is refused by the name of %s: %o', (name, env) => {
    expect(problemOf(env)).toMatchObject({ code: 'config.value-malformed', expression: [name] })
  })
})
