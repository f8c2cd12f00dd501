/** What starts the server elsewhere: read by a parser, held to what it promises; nothing of it is run here. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, parseAllDocuments } from 'yaml'
import { loadConfig } from '#config'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')

interface Service {
  readonly image?: string
  readonly build?: string
  readonly user?: string
  readonly profiles?: readonly string[]
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly secrets?: readonly string[]
  readonly volumes?: readonly string[]
  readonly networks?: readonly string[]
  readonly ports?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, object>>
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly networks: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as Compose
const services = Object.entries(compose.services)

/** Names that the server would warn of. */
const mistyped = (names: Iterable<string>) =>
  loadConfig(Object.fromEntries([...names].filter(name => !name.endsWith('_FILE')).map(name => [name, ''])), {
    cwd: '/',
  }).mistyped
const baseNames = (names: readonly string[]) =>
  names.filter(name => name.startsWith('KINHOLD_')).map(name => name.replace(/_FILE$/, ''))

describe('docker-compose.yml', () => {
  it('starts one server when nothing else is asked for', () => {
    const plain = services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name)
    expect(plain).toEqual(['kinhold'])
  })

  it.each(services)('%s may do no more than it must', (_name, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
    const isOurs = service.build !== undefined
    if (!isOurs && !JSON.stringify(service).includes('"chown"')) expect(service.user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  })

  it('lets nobody in but through the single server on this machine, or through what has TLS', () => {
    const open = services.filter(([, { ports }]) => ports !== undefined).map(([name]) => name)
    expect(open).toEqual(['kinhold', 'front'])
    expect(compose.services.kinhold?.ports).toEqual(['127.0.0.1:8080:8080'])
  })

  it.each(services)('%s names what there is', (_name, service) => {
    const declared = (all: object, names: readonly string[] = []) => names.filter(name => !(name in all))
    expect(declared(compose.secrets, service.secrets)).toEqual([])
    expect(declared(compose.networks, service.networks)).toEqual([])
    expect(declared(compose.services, Object.keys(service.depends_on ?? {}))).toEqual([])
    for (const volume of service.volumes ?? []) {
      const [from = ''] = volume.split(':')
      expect(from.startsWith('.') ? existsSync(join(root, from)) : from in compose.volumes).toBe(true)
    }
    expect(
      mistyped(baseNames(Object.keys(service.environment ?? {})).filter(name => name !== 'KINHOLD_DOMAIN')),
    ).toEqual([])
  })

  it('has each secret from a file that is drawn, and none in the environment', () => {
    const drawn = read('deploy/secrets/make.sh')
    for (const { file } of Object.values(compose.secrets)) {
      expect(dirname(file)).toBe('deploy/secrets')
      expect(drawn).toMatch(new RegExp(`^(draw|write) ${file.split('/').at(-1)} `, 'm'))
    }
    for (const [, { environment = {} }] of services)
      for (const name of Object.keys(environment)) expect(name).not.toMatch(/(PASSPHRASE|TOKEN|STORE)$/)
    expect(read('deploy/secrets/.gitignore').split('\n')).toContain('*')
  })

  it('has a proxy that asks health and shows no figures', () => {
    const caddy = read('deploy/Caddyfile')
    for (const server of ['server-a', 'server-b']) expect(caddy).toContain(`${server}:8080`)
    expect(caddy).toContain('health_uri /readyz')
    expect(caddy).toContain('respond /metrics 404')
  })
})

interface Manifest {
  readonly kind: string
  readonly metadata?: { readonly name: string }
  readonly spec?: {
    readonly template?: { readonly spec: Pod }
    readonly selector?: object
  }
}

interface Pod {
  readonly securityContext?: object
  readonly automountServiceAccountToken?: boolean
  readonly containers: readonly Readonly<Record<string, unknown>>[]
}

const folder = 'deploy/kubernetes'
const manifestsIn = (part: string): Manifest[] =>
  readdirSync(join(root, folder, part))
    .filter(name => name !== 'kustomization.yaml')
    .flatMap(name => parseAllDocuments(read(join(folder, part, name))).map(document => document.toJS() as Manifest))

describe('deploy/kubernetes', () => {
  const base = manifestsIn('base')

  it('has what a server needs, and no secret', () => {
    const kinds = base.map(({ kind }) => kind)
    for (const kind of ['StatefulSet', 'Service', 'PodDisruptionBudget', 'NetworkPolicy']) expect(kinds).toContain(kind)
    expect(kinds).not.toContain('Secret')
  })

  it('runs as nobody of note, on a file system that is read only, with its probes', () => {
    const pod = base.find(({ kind }) => kind === 'StatefulSet')?.spec?.template?.spec
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          startupProbe: { httpGet: { path: '/healthz' } },
          livenessProbe: { httpGet: { path: '/healthz' } },
          readinessProbe: { httpGet: { path: '/readyz' } },
        },
      ],
    })
  })

  it.each(['base', 'mongodb'])('names variables that the server knows, and files that there are: %s', part => {
    const text = JSON.stringify(manifestsIn(part))
    const names = [...text.matchAll(/"name":"(KINHOLD_\w+)"/g)].map(([, name]) => name ?? '')
    expect(names.length).toBeGreaterThan(0)
    expect(mistyped(baseNames(names))).toEqual([])
    const { resources = [], patches = [] } = parse(read(`${folder}/${part}/kustomization.yaml`)) as {
      readonly resources?: readonly string[]
      readonly patches?: readonly { readonly path: string }[]
    }
    for (const path of [...resources, ...patches.map(patch => patch.path)])
      expect(existsSync(join(root, folder, part, path))).toBe(true)
  })
})

describe('servers on a MongoDB', () => {
  const ofKubernetes = JSON.stringify(manifestsIn('mongodb'))

  it('are told where the keys lie, by name, wherever they are started', () => {
    for (const name of ['server-a', 'server-b'])
      expect(compose.services[name]?.environment).toMatchObject({
        KINHOLD_STORE_FILE: '/run/secrets/store',
        KINHOLD_KEYSTORE_FILE: '/run/secrets/keystore',
      })
    expect(ofKubernetes).toContain('{"name":"KINHOLD_STORE_FILE","value":"/secrets/store"}')
    expect(ofKubernetes).toContain('{"name":"KINHOLD_KEYSTORE_FILE","value":"/secrets/keystore"}')
  })

  it('have two databases that the setup gives them, as their addresses are drawn', () => {
    const drawn = read('deploy/secrets/make.sh')
    const databases = [...drawn.matchAll(/^write \w+ "mongodb:\/\/\$servers\/([\w-]+)\?\$where"$/gm)].map(
      found => found[1],
    )
    const given = [...read('deploy/mongo-setup.js').matchAll(/role: 'readWrite', db: '([\w-]+)'/g)].map(
      found => found[1],
    )
    expect(databases).toEqual(['kinhold', 'kinhold-keys'])
    expect(given).toEqual(databases)
  })
})
