import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Home, newHome, run } from './server/home.ts'
import { startServer } from './server/start-server.ts'

describe('a house whose root is lost – README, "recovery code"', () => {
  let home: Home
  beforeAll(async () => {
    home = await newHome('recovery')
    const first = await startServer(home)
    expect(await first.stop()).toBe(0)
  })
  afterAll(() => home.remove())

  const under = (env: NodeJS.ProcessEnv): Home => ({ ...home, env: { ...home.env, ...env } })
  const keyFile = () => join(home.keys, 'root.key')

  it('opens with the code on paper, gets a new root, and its data are read', async () => {
    const created = await run(home, 'patient', 'create', '--given', 'Greta', '--family', 'Lindqvist')
    const made = await run(home, 'recovery', 'new')
    const code = made.stdout.trim()
    expect([made.status, code]).toEqual([0, expect.stringMatching(/^([0-9A-Z]{5}-){7}[0-9A-Z]{5}$/)])
    const paper = join(home.folder, 'paper')
    await writeFile(paper, `${code.toLowerCase().replaceAll('-', ' ')}\n`)
    const withPaper = under({ KINHOLD_RECOVERY_CODE_FILE: paper })
    expect(await run(withPaper, 'recovery', 'try')).toMatchObject({ status: 0 })

    const old = await readFile(keyFile())
    for (const loss of ['gone', 'of another house', 'cut off']) {
      if (loss === 'gone') await rm(keyFile())
      if (loss === 'of another house') await writeFile(keyFile(), Buffer.alloc(32, 7), { mode: 0o600 })
      if (loss === 'cut off') await writeFile(keyFile(), old.subarray(0, 31), { mode: 0o600 })
      const lost = await run(home, 'patient', 'list', '--names')
      expect([loss, lost.status, lost.stdout]).toEqual([loss, 1, ''])
      expect(await run(withPaper, 'recover')).toMatchObject({ status: 0 })
      const found = await run(home, 'patient', 'list', '--names')
      expect(found.stdout).toBe(`${created.stdout.trim()}\tGreta Lindqvist\n`)
      expect((await readFile(keyFile())).equals(old)).toBe(false)
    }
    expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    // What did not open this house is kept: it may open another.
    expect((await readdir(home.keys)).filter(name => name.startsWith('root.key.lost'))).toHaveLength(2)
    expect(await run(withPaper, 'recover')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('command.root-not-lost'),
    })
  })

  it('is served with the code while there is no root, and says so', async () => {
    const code = (await run(home, 'recovery', 'new')).stdout.trim()
    const bytes = await readFile(keyFile())
    await rm(keyFile())
    const server = await startServer(under({ KINHOLD_RECOVERY_CODE: code }))
    expect(await server.stop()).toBe(0)
    expect(server.output()).toContain('kinhold recover')
    await writeFile(keyFile(), bytes, { mode: 0o600 })
  })

  it('does not open with a code that is mistyped, or another house’s', async () => {
    const code = (await run(home, 'recovery', 'new')).stdout.trim()
    const mistyped = await run(under({ KINHOLD_RECOVERY_CODE: code.slice(0, -1) }), 'recovery', 'try')
    expect([mistyped.status, mistyped.stderr.split(':')[0]]).toEqual([1, 'vault.recovery-code-malformed'])
    const other = await newHome('other')
    expect(await (await startServer(other)).stop()).toBe(0)
    const foreign = under({ KINHOLD_RECOVERY_CODE: (await run(other, 'recovery', 'new')).stdout.trim() })
    const refused = await run(foreign, 'recovery', 'try')
    expect([refused.status, refused.stderr.split(':')[0]]).toEqual([1, 'command.recovery-refused'])
    expect((await run(foreign, 'verify')).stderr).toContain('vault.root-refused')
    await other.remove()
  })

  it('does nothing without an answer', async () => {
    const { status, stderr } = await run(home, 'recovery', 'try')
    expect([status, stderr]).toEqual([1, expect.stringContaining('command.unanswered')])
  })
})
