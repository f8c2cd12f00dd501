import { type Client, openClient } from './client.ts'
import { type Home, lastLine, newHome } from './home.ts'
import { type RunningServer, startServer } from './start-server.ts'

/** A home with its server, and a client that may do everything there. */
export interface StartedHome {
  readonly home: Home
  readonly server: RunningServer
  readonly token: string
  readonly client: Client
  /** Ends the server and removes the home. The status with which the server ended. */
  end(): Promise<number>
}

export async function startHome(name: string): Promise<StartedHome> {
  return startHomeAt(await newHome(name))
}

export async function startHomeAt(home: Home): Promise<StartedHome> {
  const server = await startServer(home)
  const token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
  const client = openClient(server.url, token)
  const end = async () => {
    client.close()
    const status = await server.stop()
    await home.remove()
    return status
  }
  return { home, server, token, client, end }
}
