import { once } from 'node:events'
import { createServer } from 'node:net'
import { demoConfig } from '../../../src/commands/demo/demo.ts'
import { freePort } from '../../../src/commands/free-port.ts'

const folders = ['/srv/demo/data', '/srv/demo/keys'] as const

describe('where the demonstration is served', () => {
  it('is where the environment says', async () => {
    const port = await freePort(0)
    const config = await demoConfig({ KINHOLD_PORT: String(port), KINHOLD_DATA: '/srv/mine' }, folders)
    expect(config).toMatchObject({ host: '127.0.0.1', port, baseUrl: `http://127.0.0.1:${port}` })
    expect([config.dataDirectory, config.keysDirectory]).toEqual(folders)
  })

  it('is the port that was asked for also when that is taken: it will be refused by its name', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    expect((await demoConfig({ KINHOLD_PORT: String(port) }, folders)).port).toBe(port)
    other.close()
  })

  it('is any free port for 0, and links name it', async () => {
    const { port, baseUrl } = await demoConfig({ KINHOLD_PORT: '0' }, folders)
    expect(port).toBeGreaterThan(0)
    expect(baseUrl).toBe(`http://127.0.0.1:${port}`)
  })

  it.each([
    ['0.0.0.0', 'http://127.0.0.1:9'],
    ['::', 'http://127.0.0.1:9'],
    ['192.168.1.5', 'http://192.168.1.5:9'],
    ['::1', 'http://[::1]:9'],
  ])('listens on %s and is reached at %s', async (host, baseUrl) => {
    expect(await demoConfig({ KINHOLD_HOST: host, KINHOLD_PORT: '9' }, folders)).toMatchObject({ host, baseUrl })
  })

  it('refuses a port that is none', async () => {
    await expect(demoConfig({ KINHOLD_PORT: 'many' }, folders)).rejects.toMatchObject({
      code: 'config.value-malformed',
    })
  })
})
